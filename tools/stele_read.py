#!/usr/bin/env python3
"""stele_read: reads the packs of a Stele archive with nothing but Python 3.9 or later.

This file and FORMAT.md lie on every medium of the archive. Together with an exported keyring and its passphrase they
bring back every object, and everything that was noted about it, with no program of ours and no package from elsewhere.

    python3 stele_read.py list    FOLDER... [--keys EXPORT.json]             what is in these packs
    python3 stele_read.py extract FOLDER... --keys EXPORT.json --out DIR     bring the objects back
    python3 stele_read.py verify  FOLDER...                                  check every byte; needs no keys
    python3 stele_read.py info    PACK...                                    what one pack says about itself

The passphrase of an export is read from --passphrase-file, else from the variable STELE_PASSPHRASE, else asked for on
the terminal. Exit codes: 0 done; 1 failed, or damage was found; 2 misused.

What it does with damage: a rotten record costs that record and no other; where several folders hold copies of a pack, a
bad copy of a record is answered from a good one; what cannot be brought back is listed, and the rest is extracted.

Extraction writes DIR/<tenant>/<bucket>/<key>. A key that cannot be a file name here (too long, "..", an empty part, a
file where a folder is needed) goes to DIR/<tenant>/~mapped/<entry id>. DIR/extracted.tsv has a line for every object,
entries.jsonl every entry ever written, events.jsonl every event and site row. A DICOM instance, whose content is a data set,
becomes a DICOM file: DIR/<tenant>/dicom/<study>/<series>/<instance>.dcm.

How fast: OpenSSL's libcrypto and libzstd are used where the system has them (after a self-test); a core of 2024 then
extracts about 260 MB of content a second (AES, zstd) or 85 (SM4). Without them everything is done in plain Python at
about 3.4 MB a second (300 GB a day) with AES and 0.7 with SM4. Pixels are decoded in plain Python always: about 4.6 MB
a second of codec pixel-fast, 0.9 (75 GB a day) of pixel-best, half of that of their version 1. So run several at once:
--part 1/8, --part 2/8 and so on, each to its own --out, take a share of the objects each. `verify` decodes nothing and
reads about 600 MB a second.

The sections of this file: 1 limits and errors, 2 ciphers and digests, 3 Zstandard, 4 native libraries, 5 pixel codecs,
6 keys, 7 packs, 8 the archive (all packs together), 9 content, 10 extraction, 11 verification, 12 commands.
Numbers in comments such as (2.3) are sections of FORMAT.md.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import ctypes
import ctypes.util
import errno
import getpass
import hashlib
import hmac
import json
import os
import shutil
import stat
import struct
import sys
import tempfile
import time
import unicodedata
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections import OrderedDict

# ---------------------------------------------------------------------------------------------------------------------
# 1. Limits and errors
# ---------------------------------------------------------------------------------------------------------------------

FORMAT_VERSION = 1
BLOCK = 4096
MEBIBYTE = 1 << 20
PACK_BYTES_MAX = (4 << 30) - MEBIBYTE
HEAD_BYTES = 128
TLV_BYTES_MAX = 4096
BODY_BYTES_MAX = 2 * MEBIBYTE
PLAIN_BYTES_MAX = MEBIBYTE
COMMIT_BYTES = 192
ROW_BYTES = 96
ROWS_PER_INDEX_MAX = 8192
INDEX_RECORDS_MAX = 64
LIST_CHILDREN_MAX = 8192
LIST_LEVEL_MAX = 8  # 8192 children each: level 5 already names more bytes than 64 bits can count
OPEN_FILES_MAX = 64
KEYS_CACHED_MAX = 64
TABLES_CACHED_MAX = 16  # GHASH tables of 4096 integers, about 250 KB each
KEYRING_BYTES_MAX = 1 << 30
PARTS_MAX = 64  # a share is taken by the last byte of an entry's id
UNREAD_LINES_MAX = 20  # on the terminal; extracted.tsv lists them all

PACK_MARK = bytes.fromhex("89535445 4C450D0A")
RECORD_MARK = bytes.fromhex("89535452 0D0A1A0A")
LOCATOR_MARK = bytes.fromhex("8953544C 0D0A1A0A")
ALL_ONES = (1 << 64) - 1

CLASSES = {1: "ingest", 2: "archive", 3: "control"}
CHUNK, LIST, ENTRY, EVENT, BUNDLE, SITE, COMMIT, INDEX = 1, 2, 3, 4, 5, 6, 16, 17
KINDS = {1: "chunk", 2: "chunk list", 3: "entry", 4: "event", 5: "bundle", 6: "site", 16: "commit", 17: "index"}
NOTES = (ENTRY, EVENT, BUNDLE, SITE)  # the kinds that a footer repeats
CIPHER_NONE, CIPHER_AES, CIPHER_SM4 = 0, 1, 2
CODECS = {
    (0, 0): "none", (1, 1): "zstd", (3, 1): "pixel-fast", (3, 2): "pixel-fast", (4, 1): "pixel-best", (4, 2): "pixel-best"
}  # fmt: skip
TLV_NONCE = 0x8001


class Misuse(Exception):
    """The command was given wrongly; exit code 2."""


class Failure(Exception):
    """The command cannot go on; exit code 1."""


class RecordError(Exception):
    """One record, or one object, cannot be brought back. `status` is its word in extracted.tsv."""

    status = "failed"


class Damaged(RecordError):
    status = "damaged"


class Lost(RecordError):
    status = "lost"


class NoKey(RecordError):
    status = "no-key"


class Shredded(RecordError):
    status = "shredded"


class TooNew(RecordError):
    """Something that this reader does not know and must not guess."""

    status = "too-new"


class Cache:
    """The most recently used `limit` values."""

    def __init__(self, limit, drop=None):
        self.limit = limit
        self.drop = drop
        self.values = OrderedDict()

    def get(self, key, make):
        if key in self.values:
            self.values.move_to_end(key)
            return self.values[key]
        value = self.values[key] = make()
        if len(self.values) > self.limit:
            old = self.values.popitem(last=False)[1]
            if self.drop:
                self.drop(old)
        return value

    def clear(self):
        if self.drop:
            for value in self.values.values():
                self.drop(value)
        self.values.clear()


def align(offset, unit):
    return -(-offset // unit) * unit


def id_text(record_id):
    """A record id, 24 bytes here, as it is written in JSON."""
    return "%s.%d" % (record_id[:16].hex(), int.from_bytes(record_id[16:], "little"))


def id_parse(text):
    writer, _, sequence = text.partition(".") if isinstance(text, str) else ("", "", "")
    if len(writer) == 32 and sequence.isascii() and sequence.isdigit() and len(sequence) <= 20:
        try:
            return bytes.fromhex(writer) + struct.pack("<Q", int(sequence))
        except (ValueError, struct.error):
            pass
    raise Damaged("%r is no record id" % (text,))


def time_text(hybrid):
    """A hybrid time (2.2) as ISO 8601."""
    return ms_text(hybrid >> 16)


def ms_text(ms):
    seconds, rest = divmod(ms, 1000)
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + ".%03dZ" % rest
    except (ValueError, OverflowError, OSError):
        return "%dms" % ms


# ---------------------------------------------------------------------------------------------------------------------
# 2. Ciphers and digests in plain Python
#
# Python is slow at one byte and fast at many, so AES and SM4 work on thousands of blocks side by side: the S-box is
# bytes.translate, and exclusive-or is one operation on very long integers.
# ---------------------------------------------------------------------------------------------------------------------

BATCH_BLOCKS = 4096


def xor_bytes(a, b):
    return (int.from_bytes(a, "little") ^ int.from_bytes(b, "little")).to_bytes(len(a), "little")


def _aes_tables():
    """The S-box, and the S-box doubled in GF(2^8), from their definition."""
    exp, log, x = [0] * 256, [0] * 256, 1
    for i in range(255):
        exp[i], log[x] = x, i
        x ^= (x << 1) ^ (0x11B if x & 0x80 else 0)  # times 3, a generator
    box = bytearray(256)
    for value in range(256):
        inverse = exp[(255 - log[value]) % 255] if value else 0
        s = inverse
        for turn in range(1, 5):
            s ^= ((inverse << turn) | (inverse >> (8 - turn))) & 255
        box[value] = s ^ 0x63
    double = bytes(((s << 1) ^ (0x1B if s & 0x80 else 0)) & 255 for s in box)
    return bytes(box), double


AES_BOX, AES_BOX_DOUBLE = _aes_tables()


def aes256_round_keys(key):
    """FIPS 197: fifteen round keys of 16 bytes."""
    words, rcon = [key[i : i + 4] for i in range(0, 32, 4)], 1
    while len(words) < 60:
        word = words[-1]
        if len(words) % 8 == 0:
            word = (word[1:] + word[:1]).translate(AES_BOX)
            word = bytes([word[0] ^ rcon]) + word[1:]
            rcon = (rcon << 1) ^ (0x11B if rcon & 0x80 else 0)
        elif len(words) % 8 == 4:
            word = word.translate(AES_BOX)
        words.append(xor_bytes(words[-8], word))
    return [b"".join(words[i : i + 4]) for i in range(0, 60, 4)]


def _aes_counter_blocks(round_keys, prefix, first, count):
    """Encrypts `count` blocks of prefix (12 bytes) and a 32-bit counter.

    Row r of the state is kept as one string: byte r of column 0 of every block, then of column 1, 2 and 3.
    """
    n, four = count, 4 * count
    counters = struct.pack(">%dI" % n, *[(first + i) & 0xFFFFFFFF for i in range(n)])
    rows = [b"".join([bytes([prefix[4 * c + r]]) * n for c in range(3)] + [counters[r::4]]) for r in range(4)]

    def key_row(key, r):
        return int.from_bytes(b"".join([bytes([key[4 * c + r]]) * n for c in range(4)]), "little")

    key = round_keys[0]
    rows = [(int.from_bytes(rows[r], "little") ^ key_row(key, r)).to_bytes(four, "little") for r in range(4)]
    for step in range(1, 15):
        key = round_keys[step]
        rows = [rows[r][r * n :] + rows[r][: r * n] for r in range(4)]
        once = [int.from_bytes(row.translate(AES_BOX), "little") for row in rows]
        if step < 14:
            twice = [int.from_bytes(row.translate(AES_BOX_DOUBLE), "little") for row in rows]
            mixed = [
                twice[r] ^ twice[(r + 1) % 4] ^ once[(r + 1) % 4] ^ once[(r + 2) % 4] ^ once[(r + 3) % 4]
                for r in range(4)
            ]
        else:
            mixed = once
        rows = [(mixed[r] ^ key_row(key, r)).to_bytes(four, "little") for r in range(4)]
    out = bytearray(16 * n)
    for r in range(4):
        for c in range(4):
            out[4 * c + r :: 16] = rows[r][c * n : (c + 1) * n]
    return bytes(out)


def _ghash_tables(h):
    """For each of 16 byte positions, what each of 256 values there contributes to a product with H."""
    tables, power = [], int.from_bytes(h, "big")
    for _ in range(16):
        bits = []
        for _ in range(8):
            bits.append(power)
            power = (power >> 1) ^ (0xE1 << 120 if power & 1 else 0)
        table = [0] * 256
        for value in range(1, 256):
            low = value & -value
            table[value] = table[value ^ low] ^ bits[8 - low.bit_length()]
        tables.append(table)
    return tables


def _ghash(tables, data):
    t0, t1, t2, t3, t4, t5, t6, t7, t8, t9, t10, t11, t12, t13, t14, t15 = tables
    y, number = 0, int.from_bytes
    for at in range(0, len(data), 16):
        a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p = (y ^ number(data[at : at + 16], "big")).to_bytes(16, "big")
        y = t0[a] ^ t1[b] ^ t2[c] ^ t3[d] ^ t4[e] ^ t5[f] ^ t6[g] ^ t7[h]
        y ^= t8[i] ^ t9[j] ^ t10[k] ^ t11[l] ^ t12[m] ^ t13[n] ^ t14[o] ^ t15[p]
    return y.to_bytes(16, "big")


_aes_prepared = Cache(TABLES_CACHED_MAX)


def _aes_prepare(key):
    round_keys = aes256_round_keys(key)
    # H is the encryption of the zero block: zero prefix, counter zero.
    return round_keys, _ghash_tables(_aes_counter_blocks(round_keys, bytes(12), 0, 1))


def aes_gcm_open_plain(key, nonce, aad, ciphertext, tag):
    """NIST SP 800-38D with a nonce of 12 and a tag of 16 bytes. Returns None when the tag is wrong."""
    round_keys, tables = _aes_prepared.get(key, lambda: _aes_prepare(key))
    hashed = b"".join(
        [
            aad,
            bytes(-len(aad) % 16),
            ciphertext,
            bytes(-len(ciphertext) % 16),
            struct.pack(">QQ", 8 * len(aad), 8 * len(ciphertext)),
        ]
    )
    expected = xor_bytes(_ghash(tables, hashed), _aes_counter_blocks(round_keys, nonce, 1, 1))
    if not hmac.compare_digest(expected, tag):
        return None
    plain, counter = [], 2
    for at in range(0, len(ciphertext), 16 * BATCH_BLOCKS):
        piece = ciphertext[at : at + 16 * BATCH_BLOCKS]
        blocks = -(-len(piece) // 16)
        stream = _aes_counter_blocks(round_keys, nonce, counter, blocks)
        plain.append(xor_bytes(piece, stream[: len(piece)]))
        counter += blocks
    return b"".join(plain)


SM4_BOX = bytes.fromhex(
    "d690e9fecce13db716b614c228fb2c05 2b679a762abe04c3aa44132649860699"
    "9c4250f491ef987a33540b43edcfac62 e4b31ca9c908e89580df94fa758f3fa6"
    "4707a7fcf37317ba83593c19e6854fa8 686b81b27164da8bf8eb0f4b70569d35"
    "1e240e5e6358d1a225227c3b01217887 d40046579fd327524c3602e7a0c4c89e"
    "eabf8ad240c738b5a3f7f2cef96115a1 e0ae5da49b341a55ad933230f58cb1e3"
    "1df6e22e8266ca60c02923ab0d534e6f d5db3745defd8e2f03ff6a726d6c5b51"
    "8d1baf92bbddbc7f11d95c411f105ad8 0ac13188a5cd7bbd2d74d012b8e5b4b0"
    "8969974a0c96777e65b9f109c56ec684 18f07dec3adc4d2079ee5f3ed7cb3948"
)


def _rotate32(x, n):
    n %= 32
    return ((x << n) | (x >> (32 - n))) & 0xFFFFFFFF


def sm4_round_keys(key):
    """GB/T 32907-2016: 32 round keys."""
    k = [a ^ b for a, b in zip(struct.unpack(">4I", key), (0xA3B1BAC6, 0x56AA3350, 0x677D9197, 0xB27022DC))]
    for i in range(32):
        constant = int.from_bytes(bytes((4 * i + j) * 7 % 256 for j in range(4)), "big")
        word = (k[i + 1] ^ k[i + 2] ^ k[i + 3] ^ constant).to_bytes(4, "big").translate(SM4_BOX)
        b = int.from_bytes(word, "big")
        k.append(k[i] ^ b ^ _rotate32(b, 13) ^ _rotate32(b, 23))
    return k[4:]


def _sm4_blocks(round_keys, data):
    """Encrypts whole blocks: word w of every block, one after another, is one long integer."""
    n = len(data) // 16

    def lanes(word):
        return int.from_bytes(word.to_bytes(4, "big") * n, "big")

    masks = [(t, 32 - t, lanes((0xFFFFFFFF << t) & 0xFFFFFFFF), lanes((1 << t) - 1)) for t in (2, 10, 18, 24)]
    x = []
    for w in range(4):
        column = bytearray(4 * n)
        for j in range(4):
            column[j::4] = data[4 * w + j :: 16]
        x.append(int.from_bytes(column, "big"))
    for key in round_keys:
        b = int.from_bytes((x[1] ^ x[2] ^ x[3] ^ lanes(key)).to_bytes(4 * n, "big").translate(SM4_BOX), "big")
        new = x[0] ^ b
        for left, right, high, low in masks:
            new ^= ((b << left) & high) | ((b >> right) & low)
        x = [x[1], x[2], x[3], new]
    out = bytearray(16 * n)
    for w in range(4):
        column = x[3 - w].to_bytes(4 * n, "big")
        for j in range(4):
            out[4 * w + j :: 16] = column[j::4]
    return bytes(out)


def sm4_ctr_plain(key, first_block, data):
    round_keys, counter, out = sm4_round_keys(key), int.from_bytes(first_block, "big"), []
    for at in range(0, len(data), 16 * BATCH_BLOCKS):
        piece = data[at : at + 16 * BATCH_BLOCKS]
        blocks = -(-len(piece) // 16)
        counters = b"".join([((counter + i) % (1 << 128)).to_bytes(16, "big") for i in range(blocks)])
        out.append(xor_bytes(piece, _sm4_blocks(round_keys, counters)[: len(piece)]))
        counter += blocks
    return b"".join(out)


_SM3_T = [_rotate32(0x79CC4519 if i < 16 else 0x7A879D8A, i) for i in range(64)]


def sm3_plain(data):
    """GB/T 32905-2016."""
    v = (0x7380166F, 0x4914B2B9, 0x172442D7, 0xDA8A0600, 0xA96F30BC, 0x163138AA, 0xE38DEE4D, 0xB0FB0E4E)
    mask = 0xFFFFFFFF
    data = bytes(data) + b"\x80" + bytes((55 - len(data)) % 64) + struct.pack(">Q", 8 * len(data))
    for block in struct.iter_unpack(">16I", data):
        w = list(block)
        for j in range(16, 68):
            x, y, z = w[j - 3], w[j - 13], w[j - 16] ^ w[j - 9]
            x = z ^ (((x << 15) | (x >> 17)) & mask)
            x ^= (((x << 15) | (x >> 17)) ^ ((x << 23) | (x >> 9))) & mask
            w.append(x ^ (((y << 7) | (y >> 25)) & mask) ^ w[j - 6])
        a, b, c, d, e, f, g, h = v
        for j, (t, word, later) in enumerate(zip(_SM3_T, w, w[4:])):
            turned = ((a << 12) | (a >> 20)) & mask
            ss1 = (turned + e + t) & mask
            ss1 = ((ss1 << 7) | (ss1 >> 25)) & mask
            if j < 16:
                ff, gg = a ^ b ^ c, e ^ f ^ g
            else:
                ff, gg = (a & b) | (c & (a | b)), g ^ (e & (f ^ g))
            tt2 = (gg + h + ss1 + word) & mask
            h, g, f = g, ((f << 19) | (f >> 13)) & mask, e
            e = tt2 ^ (tt2 << 9 ^ tt2 >> 23 ^ tt2 << 17 ^ tt2 >> 15) & mask
            tt1 = (ff + d + (ss1 ^ turned) + (word ^ later)) & mask
            d, c, b, a = c, ((b << 9) | (b >> 23)) & mask, a, tt1
        v = tuple(p ^ q for p, q in zip(v, (a, b, c, d, e, f, g, h)))
    return struct.pack(">8I", *v)


def hmac_sha256(key, message):
    return hmac.new(key, message, hashlib.sha256).digest()


def hmac_sm3(sm3, key, message):
    key = (sm3(key) if len(key) > 64 else key).ljust(64, b"\0")
    inner = sm3(key.translate(bytes(i ^ 0x36 for i in range(256))) + message)
    return sm3(key.translate(bytes(i ^ 0x5C for i in range(256))) + inner)


def _salsa20_8(block):
    x, mask = list(block), 0xFFFFFFFF
    quarters = (
        (0, 4, 8, 12), (5, 9, 13, 1), (10, 14, 2, 6), (15, 3, 7, 11),
        (0, 1, 2, 3), (5, 6, 7, 4), (10, 11, 8, 9), (15, 12, 13, 14),
    )  # fmt: skip
    for _ in range(4):
        for a, b, c, d in quarters:
            s = (x[a] + x[d]) & mask
            x[b] ^= ((s << 7) | (s >> 25)) & mask
            s = (x[b] + x[a]) & mask
            x[c] ^= ((s << 9) | (s >> 23)) & mask
            s = (x[c] + x[b]) & mask
            x[d] ^= ((s << 13) | (s >> 19)) & mask
            s = (x[d] + x[c]) & mask
            x[a] ^= ((s << 18) | (s >> 14)) & mask
    return [(p + q) & mask for p, q in zip(x, block)]


def scrypt_plain(password, salt, n, r, p, length):
    """RFC 7914, for a Python built without OpenSSL. Minutes, not seconds, at n = 131072."""

    def mix(block):
        x, even, odd = list(block[-16:]), [], []
        for i in range(2 * r):
            x = _salsa20_8([a ^ b for a, b in zip(x, block[16 * i : 16 * i + 16])])
            (odd if i & 1 else even).extend(x)
        return even + odd

    form = "<%dI" % (32 * r)
    blocks = hashlib.pbkdf2_hmac("sha256", password, salt, 1, 128 * r * p)
    out = []
    for i in range(p):
        x, kept = list(struct.unpack_from(form, blocks, 128 * r * i)), []
        for _ in range(n):
            kept.append(struct.pack(form, *x))
            x = mix(x)
        for _ in range(n):
            other = struct.unpack(form, kept[x[-16] & (n - 1)])
            x = mix([a ^ b for a, b in zip(x, other)])
        out.append(struct.pack(form, *x))
    return hashlib.pbkdf2_hmac("sha256", password, b"".join(out), 1, length)


def scrypt(password, salt, n, r, p, length):
    if hasattr(hashlib, "scrypt"):
        return hashlib.scrypt(
            password, salt=salt, n=n, r=r, p=p, dklen=length, maxmem=130 * n * r + 256 * r * p + MEBIBYTE
        )
    return scrypt_plain(password, salt, n, r, p, length)


# ---------------------------------------------------------------------------------------------------------------------
# 3. Zstandard (RFC 8878) in plain Python: one frame, no dictionary
#
# The frame's own checksum is not computed: the SHA-256 of the body was checked before anything came here.
# ---------------------------------------------------------------------------------------------------------------------


class ZstdError(Exception):
    pass


_ZSTD_BLOCK_MAX = 128 << 10


def _fse_table(norm, accuracy):
    """The decoding table of a distribution: for each state (symbol, bits to read, base of the next state)."""
    size = 1 << accuracy
    symbols, high = [0] * size, size
    next_state = [0] * len(norm)
    for symbol, count in enumerate(norm):
        if count == -1:
            high -= 1
            symbols[high] = symbol
            next_state[symbol] = 1
    position, step = 0, (size >> 1) + (size >> 3) + 3
    for symbol, count in enumerate(norm):
        if count > 0:
            next_state[symbol] = count
            for _ in range(count):
                symbols[position] = symbol
                position = (position + step) & (size - 1)
                while position >= high:
                    position = (position + step) & (size - 1)
    table = []
    for symbol in symbols:
        state = next_state[symbol]
        next_state[symbol] = state + 1
        bits = accuracy + 1 - state.bit_length()
        table.append((symbol, bits, (state << bits) - size))
    return table


def _fse_read(data, at, end, accuracy_max, symbols_max):
    """Reads a distribution (4.1.1); returns (table, accuracy, where it ends)."""
    # 256 counts of at most 10 bits and the flags of their zeros are far below 512 bytes.
    stream = int.from_bytes(data[at : min(end, at + 512)], "little")
    stream_bits = 8 * (min(end, at + 512) - at)
    accuracy = (stream & 15) + 5
    if accuracy > accuracy_max:
        raise ZstdError("an FSE table is too accurate")
    bit, remaining, norm = 4, 1 << accuracy, []
    while remaining > 0:
        if len(norm) >= symbols_max or bit > stream_bits:
            raise ZstdError("an FSE table is too long")
        bits = (remaining + 1).bit_length()
        value = (stream >> bit) & ((1 << bits) - 1)
        lower = (1 << (bits - 1)) - 1
        threshold = (1 << bits) - 1 - (remaining + 1)
        if value & lower < threshold:
            value &= lower
            bit += bits - 1
        else:
            if value > lower:
                value -= threshold
            bit += bits
        count = value - 1
        remaining -= abs(count)
        norm.append(count)
        if count == 0:
            repeat = 3
            while repeat == 3 and bit <= stream_bits:
                repeat = (stream >> bit) & 3
                bit += 2
                norm.extend([0] * repeat)
    if remaining < 0 or len(norm) > symbols_max or bit > stream_bits:
        raise ZstdError("an FSE table does not add up")
    return _fse_table(norm, accuracy), accuracy, at + (bit + 7) // 8


def _backward_bits(data):
    """How many bits a backward stream (4.1) holds below its end mark."""
    if not data or not data[-1]:
        raise ZstdError("a bit stream has no end mark")
    return 8 * len(data) - 9 + data[-1].bit_length()


def _huffman_weights(data):
    """The FSE-coded weights of a Huffman table (4.2.1.2): two states take turns until the stream is used up."""
    table, accuracy, at = _fse_read(data, 0, len(data), 6, 256)
    stream = data[at:]
    left = _backward_bits(stream)
    number = int.from_bytes(stream, "little")  # at most 127 bytes

    def take(bits):
        nonlocal left
        left -= bits
        shifted = number >> left if left >= 0 else number << -left
        return shifted & ((1 << bits) - 1)

    states, weights, turn = [take(accuracy), take(accuracy)], [], 0
    if left < 0:
        raise ZstdError("Huffman weights are cut off")
    while True:
        symbol, bits, base = table[states[turn]]
        weights.append(symbol)
        states[turn] = base + take(bits)
        turn ^= 1
        if left < 0:
            weights.append(table[states[turn]][0])
            break
        if len(weights) > 255:
            raise ZstdError("too many Huffman weights")
    return weights


class _Huffman:
    """A Huffman table: by the next `bits` bits, the symbol and its length."""

    def __init__(self, weights):
        total = sum(1 << (w - 1) for w in weights if w)
        if not total or len(weights) > 255:
            raise ZstdError("bad Huffman weights")
        self.bits = bits = total.bit_length()
        rest = (1 << bits) - total
        if bits > 11 or rest & (rest - 1):
            raise ZstdError("Huffman weights do not add up")
        weights = weights + [rest.bit_length()]
        symbols, lengths = bytearray(), bytearray()
        for weight in range(1, bits + 1):
            for symbol, w in enumerate(weights):
                if w == weight:
                    symbols += bytes([symbol]) * (1 << (weight - 1))
                    lengths += bytes([bits + 1 - weight]) * (1 << (weight - 1))
        self.symbols, self.lengths = bytes(symbols), bytes(lengths)
        self.runs = None

    def _make_runs(self):
        """By the next `bits` bits, all the symbols that are whole in them and the bits these take."""
        runs, bits, mask = [], self.bits, (1 << self.bits) - 1
        symbols, lengths = self.symbols, self.lengths
        for window in range(1 << bits):
            used, out = lengths[window], [symbols[window]]
            while used < bits:
                index = (window << used) & mask
                if used + lengths[index] > bits:
                    break
                out.append(symbols[index])
                used += lengths[index]
            runs.append((bytes(out), used))
        return runs

    def decode(self, data, size):
        """One backward stream of exactly `size` symbols."""
        left = _backward_bits(data)
        bits, mask = self.bits, (1 << self.bits) - 1
        at = len(data) - 1
        kept = left - 8 * at  # bits in hand, the low ones of `acc`
        acc = data[at] & ((1 << kept) - 1)
        out = bytearray()
        if size >= 4096:  # below that, making the table of runs costs more than it saves
            if self.runs is None:
                self.runs = self._make_runs()
            runs = self.runs
            pieces, made = [], 0
            add = pieces.append
            # Runs stop short of the end, where a window would be part stream and part padding.
            while at > 8:
                at -= 6
                acc = (acc << 48) | int.from_bytes(data[at : at + 6], "little")
                kept += 48
                while kept >= bits:
                    run, used = runs[(acc >> (kept - bits)) & mask]
                    kept -= used
                    add(run)
                    made += len(run)
                acc &= (1 << kept) - 1
            out += b"".join(pieces)
            if made > size:
                raise ZstdError("a Huffman stream is too long")
        symbols, lengths = self.symbols, self.lengths
        for _ in range(size - len(out)):
            if kept < bits and at > 0:
                step = min(at, 6)
                at -= step
                acc = ((acc & ((1 << kept) - 1)) << (8 * step)) | int.from_bytes(data[at : at + step], "little")
                kept += 8 * step
            index = (acc >> (kept - bits) if kept >= bits else acc << (bits - kept)) & mask
            kept -= lengths[index]
            if kept < 0:
                raise ZstdError("a Huffman stream is cut off")
            out.append(symbols[index])
        if kept or at:
            raise ZstdError("a Huffman stream is not used up")
        return out


def _bases(start, codes):
    out = [(i + start, 0) for i in range(codes[0])]
    base = codes[0] + start
    for bits in codes[1:]:
        out.append((base, bits))
        base += 1 << bits
    return out


# For each code of a literal length and of a match length (3.1.1.3.2.1.1): the base value and the bits to add.
_LL_CODES = _bases(0, [16, 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16])
_ML_CODES = _bases(3, [32, 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16])
_LL_NORM = [4, 3] + [2] * 11 + [1, 1, 1] + [2] * 9 + [3, 2] + [1] * 5 + [-1] * 4
_ML_NORM = [1, 4, 3] + [2] * 6 + [1] * 37 + [-1] * 7
_OF_NORM = [1] * 6 + [2] * 3 + [1] * 15 + [-1] * 5
_LL_DEFAULT = (_fse_table(_LL_NORM, 6), 6)
_ML_DEFAULT = (_fse_table(_ML_NORM, 6), 6)
_OF_DEFAULT = (_fse_table(_OF_NORM, 5), 5)


class _ZstdFrame:
    """What one block leaves to the next: the content so far, repeated offsets, and the tables of "repeat" modes."""

    def __init__(self, size):
        self.out = bytearray()
        self.size = size
        self.offsets = (1, 4, 8)
        self.huffman = None
        self.tables = [None, None, None]

    def literals(self, data):
        """The literals section (3.1.1.3.1): returns (literals, where it ends)."""
        kind, form = data[0] & 3, (data[0] >> 2) & 3
        if kind < 2:
            length, shift = ((1, 3), (2, 4), (1, 3), (3, 4))[form]
            count = int.from_bytes(data[:length], "little") >> shift
            if count > _ZSTD_BLOCK_MAX:
                raise ZstdError("too many literals")
            if kind == 1:
                return data[length : length + 1] * count, length + 1
            return data[length : length + count], length + count
        length, width = ((3, 10), (3, 10), (4, 14), (5, 18))[form]
        sizes = int.from_bytes(data[:length], "little") >> 4
        count, packed = sizes & ((1 << width) - 1), sizes >> width
        end = length + packed
        if end > len(data) or count > _ZSTD_BLOCK_MAX:
            raise ZstdError("literals run over the end of their block")
        at = length
        if kind == 2:
            head = data[at]
            if head < 128:
                weights = _huffman_weights(data[at + 1 : at + 1 + head])
                at += 1 + head
            else:
                packed_weights = data[at + 1 : at + 1 + (head - 126) // 2]
                weights = [w for byte in packed_weights for w in (byte >> 4, byte & 15)][: head - 127]
                at += 1 + (head - 126) // 2
            self.huffman = _Huffman(weights)
        if self.huffman is None:
            raise ZstdError("literals repeat a Huffman table that was never given")
        if form == 0:
            return self.huffman.decode(data[at:end], count), end
        jumps = struct.unpack_from("<3H", data, at)
        each, out = (count + 3) // 4, bytearray()
        at += 6
        for jump in jumps:
            out += self.huffman.decode(data[at : at + jump], each)
            at += jump
        if at > end or count < 3 * each:
            raise ZstdError("bad sizes of Huffman streams")
        return out + self.huffman.decode(data[at:end], count - 3 * each), end

    def sequence_table(self, which, mode, data, at):
        default = (_LL_DEFAULT, _OF_DEFAULT, _ML_DEFAULT)[which]
        symbols_max = (36, 32, 53)[which]
        if mode == 0:
            self.tables[which] = default
        elif mode == 1:
            if data[at] >= symbols_max:
                raise ZstdError("a sequence code is out of range")
            self.tables[which] = ([(data[at], 0, 0)], 0)
            at += 1
        elif mode == 2:
            table, accuracy, at = _fse_read(data, at, len(data), (9, 8, 9)[which], symbols_max)
            self.tables[which] = (table, accuracy)
        elif self.tables[which] is None:
            raise ZstdError("sequences repeat a table that was never given")
        return at

    def block(self, data):
        """One compressed block (3.1.1.3): literals, then sequences that copy them and earlier content."""
        if not data:
            raise ZstdError("an empty block")
        literals, at = self.literals(data)
        count = data[at]
        at += 1
        if count >= 255:
            count = data[at] + (data[at + 1] << 8) + 0x7F00
            at += 2
        elif count >= 128:
            count = ((count - 128) << 8) + data[at]
            at += 1
        out = self.out
        if count == 0:
            if at != len(data):
                raise ZstdError("bytes after the literals")
            out += literals
            return
        modes = data[at]
        at += 1
        if modes & 3:
            raise ZstdError("reserved sequence modes")
        for which in range(3):
            at = self.sequence_table(which, (modes >> (6 - 2 * which)) & 3, data, at)
        self.sequences(data[at:], count, literals)

    def sequences(self, data, count, literals):
        (ll_table, ll_bits), (of_table, of_bits), (ml_table, ml_bits) = self.tables
        left = _backward_bits(data)
        at = len(data) - 1
        kept = left - 8 * at
        acc = data[at] & ((1 << kept) - 1)
        out, limit, used, number = self.out, self.size, 0, int.from_bytes
        one, two, three = self.offsets
        ll_state = of_state = ml_state = -1
        for index in range(count, 0, -1):
            # One sequence takes at most 31 + 16 + 16 bits of values and 9 + 9 + 8 of states, twice for the first.
            if kept < 120 and at:
                step = at if at < 64 else 64
                at -= step
                acc = ((acc & ((1 << kept) - 1)) << (8 * step)) | number(data[at : at + step], "little")
                kept += 8 * step
            if ll_state < 0:
                kept -= ll_bits + of_bits + ml_bits
                if kept < 0:
                    raise ZstdError("sequences are cut off")
                states = acc >> kept
                ml_state = states & ((1 << ml_bits) - 1)
                of_state = (states >> ml_bits) & ((1 << of_bits) - 1)
                ll_state = (states >> (ml_bits + of_bits)) & ((1 << ll_bits) - 1)
            of_code, of_next, of_base = of_table[of_state]
            ml_code, ml_next, ml_base = ml_table[ml_state]
            ll_code, ll_next, ll_base = ll_table[ll_state]
            match, ml_extra = _ML_CODES[ml_code]
            run, ll_extra = _LL_CODES[ll_code]
            kept -= of_code + ml_extra + ll_extra
            if kept < 0:
                raise ZstdError("sequences are cut off")
            values = acc >> kept
            run += values & ((1 << ll_extra) - 1)
            match += (values >> ll_extra) & ((1 << ml_extra) - 1)
            offset = (1 << of_code) + ((values >> (ll_extra + ml_extra)) & ((1 << of_code) - 1))
            if index > 1:
                kept -= ll_next + ml_next + of_next
                if kept < 0:
                    raise ZstdError("sequences are cut off")
                states = acc >> kept
                of_state = of_base + (states & ((1 << of_next) - 1))
                ml_state = ml_base + ((states >> of_next) & ((1 << ml_next) - 1))
                ll_state = ll_base + ((states >> (of_next + ml_next)) & ((1 << ll_next) - 1))
            if offset > 3:
                one, two, three = offset - 3, one, two
            else:
                choice = offset if run == 0 else offset - 1
                if choice == 1:
                    one, two = two, one
                elif choice == 2:
                    one, two, three = three, one, two
                elif choice == 3:
                    one, two, three = one - 1, one, two
            if run:
                out += literals[used : used + run]
                used += run
            size = len(out)
            start = size - one
            if start < 0 or one <= 0 or used > len(literals) or size + match > limit:
                raise ZstdError("a sequence points outside the content")
            if one >= match:
                out += out[start : start + match]
            else:
                out += (out[start:] * (match // one + 1))[:match]
        if kept or at:
            raise ZstdError("sequences are not used up")
        out += literals[used:]
        self.offsets = (one, two, three)


def zstd_decompress_plain(data, size):
    """One frame of exactly `size` bytes of content."""
    try:
        return _zstd_frame(bytes(data), size)
    except (IndexError, struct.error):
        raise ZstdError("the frame is cut off") from None


def _zstd_frame(data, size):
    if data[:4] != b"\x28\xb5\x2f\xfd":
        raise ZstdError("not a Zstandard frame")
    flags = data[4]
    single, content_flag, dictionary_flag = flags & 0x20, flags >> 6, flags & 3
    if flags & 8:
        raise ZstdError("a reserved bit is set")
    at = 5 if single else 6
    dictionary_bytes = (0, 1, 2, 4)[dictionary_flag]
    if any(data[at : at + dictionary_bytes]):
        raise ZstdError("the frame needs a dictionary")
    at += dictionary_bytes
    content_bytes = (1 if single else 0, 2, 4, 8)[content_flag]
    if content_bytes:
        declared = int.from_bytes(data[at : at + content_bytes], "little") + (256 if content_bytes == 2 else 0)
        if declared != size:
            raise ZstdError("the frame says %d bytes, not %d" % (declared, size))
    at += content_bytes
    frame, last = _ZstdFrame(size), False
    while not last:
        if at + 3 > len(data):
            raise ZstdError("the frame is cut off")
        header = int.from_bytes(data[at : at + 3], "little")
        at += 3
        last, kind, length = header & 1, (header >> 1) & 3, header >> 3
        if kind == 3 or length > _ZSTD_BLOCK_MAX:
            raise ZstdError("a bad block")
        packed = 1 if kind == 1 else length
        if at + packed > len(data):
            raise ZstdError("the frame is cut off")
        piece = data[at : at + packed]
        at += packed
        if kind == 0:
            frame.out += piece
        elif kind == 1:
            frame.out += piece * length
        else:
            frame.block(piece)
        if len(frame.out) > size:
            raise ZstdError("the content is longer than it says")
    at += 4 if flags & 4 else 0
    if len(frame.out) != size or at != len(data):
        raise ZstdError("the frame ends at the wrong place")
    return bytes(frame.out)


# ---------------------------------------------------------------------------------------------------------------------
# 4. Native libraries, where there are any
#
# A library is used only after it gave the known answers; otherwise plain Python does the work, ten to a thousand times
# slower and with the same result. STELE_PLAIN=1 in the environment, or --plain, turns all of them off.
# ---------------------------------------------------------------------------------------------------------------------


def _libraries(names, short):
    """Loads what can be loaded of these names, best guess first."""
    paths = list(names)
    if sys.platform == "darwin":
        # macOS ends a process that loads its unversioned libcrypto, so only other people's copies are tried there.
        folders = ("/opt/homebrew/lib", "/usr/local/lib", "/opt/local/lib")
        paths = [os.path.join(folder, name) for folder in folders for name in names]
        paths = [path for path in paths if os.path.exists(path)]
    else:
        found = ctypes.util.find_library(short)
        if found:
            paths.insert(0, found)
        if os.name == "nt":  # Python for Windows brings OpenSSL along
            paths += [os.path.join(sys.base_prefix, "DLLs", name) for name in names]
    for path in paths:
        try:
            yield ctypes.CDLL(path)
        except OSError:
            pass


class LibCrypto:
    """OpenSSL 1.1.1 or later."""

    NAMES = ("libcrypto.so.3", "libcrypto.so.1.1", "libcrypto.3.dylib", "libcrypto.1.1.dylib", "libcrypto-3-x64.dll",
             "libcrypto-3.dll", "libcrypto-3-arm64.dll", "libcrypto-1_1-x64.dll", "libcrypto-1_1.dll")  # fmt: skip
    SET_TAG = 0x11

    def __init__(self, lib):
        pointer, number, text = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
        lib.EVP_CIPHER_CTX_new.restype = pointer
        lib.EVP_aes_256_gcm.restype = pointer
        lib.EVP_CIPHER_CTX_ctrl.argtypes = [pointer, number, number, pointer]
        lib.EVP_DecryptInit_ex.argtypes = [pointer, pointer, pointer, text, text]
        lib.EVP_DecryptUpdate.argtypes = [pointer, pointer, ctypes.POINTER(number), text, number]
        lib.EVP_DecryptFinal_ex.argtypes = [pointer, pointer, ctypes.POINTER(number)]
        self.lib = lib
        self.aes = lib.EVP_aes_256_gcm()
        self.sm4 = None
        if hasattr(lib, "EVP_sm4_ctr"):
            lib.EVP_sm4_ctr.restype = pointer
            self.sm4 = lib.EVP_sm4_ctr()
        self.context = lib.EVP_CIPHER_CTX_new()
        if not self.context or not self.aes:
            raise OSError("libcrypto gives no context")

    def _update(self, data):
        out, done = ctypes.create_string_buffer(len(data) + 16), ctypes.c_int(0)
        if self.lib.EVP_DecryptUpdate(self.context, out, done, data, len(data)) != 1 or done.value != len(data):
            raise OSError("libcrypto fails")
        return ctypes.string_at(out, len(data))

    def aes_gcm_open(self, key, nonce, aad, ciphertext, tag):
        lib, context, done = self.lib, self.context, ctypes.c_int(0)
        if lib.EVP_DecryptInit_ex(context, self.aes, None, key, nonce) != 1:
            raise OSError("libcrypto fails")
        if aad and lib.EVP_DecryptUpdate(context, None, done, aad, len(aad)) != 1:
            raise OSError("libcrypto fails")
        plain = self._update(ciphertext) if ciphertext else b""
        end = ctypes.create_string_buffer(16)
        if lib.EVP_CIPHER_CTX_ctrl(context, self.SET_TAG, 16, ctypes.create_string_buffer(tag, 16)) != 1:
            raise OSError("libcrypto fails")
        return plain if lib.EVP_DecryptFinal_ex(context, end, done) == 1 else None

    def sm4_ctr(self, key, first_block, data):
        if self.lib.EVP_DecryptInit_ex(self.context, self.sm4, None, key, first_block) != 1:
            raise OSError("libcrypto fails")
        return self._update(data) if data else b""


class LibZstd:
    NAMES = ("libzstd.so.1", "libzstd.1.dylib", "libzstd.dll", "zstd.dll")

    def __init__(self, lib):
        size, text = ctypes.c_size_t, ctypes.c_char_p
        lib.ZSTD_decompress.restype = size
        lib.ZSTD_decompress.argtypes = [ctypes.c_void_p, size, text, size]
        lib.ZSTD_findFrameCompressedSize.restype = size
        lib.ZSTD_findFrameCompressedSize.argtypes = [text, size]
        self.lib = lib

    def decompress(self, data, size):
        # An error is a size no buffer has (ZSTD_isError), so equality is the whole check.
        if self.lib.ZSTD_findFrameCompressedSize(data, len(data)) != len(data):
            raise ZstdError("not one whole frame")
        out = ctypes.create_string_buffer(size + 1)
        if self.lib.ZSTD_decompress(out, size, data, len(data)) != size:
            raise ZstdError("the frame does not decompress")
        return ctypes.string_at(out, size)


# Known answers: AES-256-GCM test case 16 of the GCM specification, SM4-CTR and SM3 from GB/T 32907 and 32905 (the block
# of the standard's example as the first counter block), one small frame for libzstd.
_GCM_CASE = [bytes.fromhex(text) for text in (
    "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
    "cafebabefacedbaddecaf888",
    "feedfacedeadbeeffeedfacedeadbeefabaddad2",
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
    "76fc6ece0f4e1768cddf8853bb2d551b",
)]  # fmt: skip
_GCM_PLAIN = bytes.fromhex(
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
)
_SM4_CASE = bytes.fromhex("0123456789abcdeffedcba9876543210")
_SM4_STREAM = bytes.fromhex("681edf34d206965e86b3e94f536e4246")
_SM3_ABC = bytes.fromhex("66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0")
_ZSTD_CASE = (bytes.fromhex("28b52ffd20f06d0000305374656c65200100e750a508"), b"Stele " * 40)


class Engine:
    """The ciphers and the decompressor in use, native where that works."""

    def __init__(self, plain):
        self.aes_gcm_open = aes_gcm_open_plain
        self.sm4_ctr = sm4_ctr_plain
        self.sm3 = sm3_plain
        self.zstd = zstd_decompress_plain
        self.native = []
        if not plain:
            self._find_crypto()
            self._find_sm3()
            self._find_zstd()

    def _find_crypto(self):
        for lib in _libraries(LibCrypto.NAMES, "crypto"):
            try:
                crypto = LibCrypto(lib)
                forged = _GCM_CASE[:4] + [bytes(16)]
                if crypto.aes_gcm_open(*_GCM_CASE) != _GCM_PLAIN or crypto.aes_gcm_open(*forged) is not None:
                    continue
                self.aes_gcm_open = crypto.aes_gcm_open
                self.native.append("AES")
                if crypto.sm4 and crypto.sm4_ctr(_SM4_CASE, _SM4_CASE, bytes(16)) == _SM4_STREAM:
                    self.sm4_ctr = crypto.sm4_ctr
                    self.native.append("SM4")
                return
            except (OSError, AttributeError, ctypes.ArgumentError):
                continue

    def _find_sm3(self):
        try:
            if hashlib.new("sm3", b"abc").digest() == _SM3_ABC:
                self.sm3 = lambda data: hashlib.new("sm3", data).digest()
                self.native.append("SM3")
        except ValueError:
            pass

    def _find_zstd(self):
        for lib in _libraries(LibZstd.NAMES, "zstd"):
            try:
                zstd = LibZstd(lib)
                if zstd.decompress(_ZSTD_CASE[0], len(_ZSTD_CASE[1])) == _ZSTD_CASE[1]:
                    self.zstd = zstd.decompress
                    self.native.append("zstd")
                    return
            except (OSError, AttributeError, ctypes.ArgumentError, ZstdError):
                continue

    def text(self):
        names = ("AES", "SM4", "SM3", "zstd")
        return "; ".join(
            "%s: %s" % (word, ", ".join(found))
            for word, found in (
                ("native", [n for n in names if n in self.native]),
                ("plain Python", [n for n in names if n not in self.native]),
            )
            if found
        )


# ---------------------------------------------------------------------------------------------------------------------
# 5. Pixel codecs (docs/formats/pixel-fast.md, pixel-fast-2.md, pixel-best.md and pixel-best-2.md)
#
# No library knows these, so they are plain Python always: the slowest part of this file. What those pages say is kept
# to exactly; loops that run once a pixel are written out for speed.
# ---------------------------------------------------------------------------------------------------------------------


class PixelFault(ValueError):
    """The payload is not what an encoder wrote."""


def _need(condition, what):
    if not condition:
        raise PixelFault(what)


def _plain_modes(payload, plain_size, zstd):
    """The modes both codecs share; None where the samples are coded."""
    _need(len(payload) >= 1, "empty payload")
    if payload[0] == 2:
        return None
    _need(payload[0] in (0, 1), "unknown mode")
    return payload[1:] if payload[0] == 0 else zstd(payload[1:], plain_size)


def _unfold(z):
    return (z >> 1) ^ -(z & 1)


def _signed16(v):
    return ((v + 0x8000) & 0xFFFF) - 0x8000


# The size of a difference of two 16-bit samples, wrapped to 16 bits; a negative difference counts from the list's end.
_SIZES16 = [abs(_signed16(d)) for d in range(65536)] + [abs(_signed16(d)) for d in range(-65536, 0)]


class _ForwardBits:
    """Bits, lowest first; past the end there are zeros."""

    def __init__(self, data):
        self.data, self.at, self.bits, self.count = data, 0, 0, 0

    def take(self, count):
        while self.count < count:
            chunk = self.data[self.at : self.at + 8].ljust(8, b"\0")
            self.bits |= int.from_bytes(chunk, "little") << self.count
            self.at += 8
            self.count += 64
        value = self.bits & ((1 << count) - 1)
        self.bits >>= count
        self.count -= count
        return value


# --- pixel-fast


def decode_pixel_fast(payload, plain_size, zstd):
    plain = _plain_modes(payload, plain_size, zstd)
    if plain is not None:
        return plain
    _need(len(payload) >= 11, "head cut short")
    flags, apart, rows, row_samples = struct.unpack_from("<BBII", payload, 1)
    _need(flags <= 3 and 1 <= apart <= 4 and rows >= 1 and row_samples >= 1, "bad head")
    wide, big_endian = bool(flags & 1), bool(flags & 2)
    tail = plain_size - rows * row_samples * (2 if wide else 1)
    _need(0 <= tail <= len(payload) - 11, "head does not fit the promised length")
    samples = _fast_rows(payload[11 : len(payload) - tail], rows, row_samples, apart, wide)
    form = (">" if big_endian else "<") + str(len(samples)) + ("H" if wide else "B")
    return struct.pack(form, *samples) + payload[len(payload) - tail :]


def _prefix_table(lengths):
    """By the next 11 bits: (token, length)."""
    _need(sum(2048 >> n for n in lengths if n) <= 2048, "code lengths claim too much")
    slots, code = [(0, 0)] * 2048, 0
    for length in range(1, 12):
        for token, n in enumerate(lengths):
            if n == length:
                turned = int(format(code, "0%db" % length)[::-1], 2)
                for slot in range(turned, 2048, 1 << length):
                    slots[slot] = (token, length)
                code += 1
        code <<= 1
    return slots


def _fast_rows(stream, rows, row_samples, apart, wide):
    kind, context_count = stream[0], stream[1]
    _need(kind <= 2 and 1 <= context_count <= 8, "bad stream head")
    edges, at, tables = stream[2 : 1 + context_count], 1 + context_count, []
    for _ in range(context_count):
        count = stream[at]
        packed = stream[at + 1 : at + 1 + (count + 1) // 2]
        _need(count <= 146, "too many tokens")
        lengths = [(packed[t // 2] >> (t % 2 * 4)) & 15 for t in range(count)]
        _need(all(n <= 11 for n in lengths), "code too long")
        tables.append(_prefix_table(lengths))
        at += 1 + (count + 1) // 2
    sizes = struct.unpack_from("<4I", stream, at)
    at += 16
    _need(at + sum(sizes) == len(stream), "the streams do not fill their place")
    streams = []
    for size in sizes:
        streams.append(stream[at : at + size])
        at += size
    table_of = [tables[sum(measure > edge for edge in edges)] for measure in range(256)]
    # Four bit streams take turns by column: what is in hand of each, how many bits, and where its next byte is.
    hands, counts, places = [0] * 4, [0] * 4, [0] * 4
    mask = 0xFFFF if wide else 0xFF
    north, held, out = [0] * row_samples, [0] * (row_samples + 2 * apart), []
    for _ in range(rows):
        row, held_next = [0] * apart, [0] * apart  # `row` begins with what lies left of the image
        north_west = [0] * apart + north
        for i in range(row_samples):
            lane = i & 3
            if counts[lane] < 128:
                place = places[lane]
                chunk = streams[lane][place : place + 32].ljust(32, b"\0")
                hands[lane] |= int.from_bytes(chunk, "little") << counts[lane]
                counts[lane] += 256
                places[lane] = place + 32
            hand = hands[lane]
            measure = (held[i + apart] + ((held[i] + held[i + 2 * apart] + 1) >> 1) + 1) >> 1
            z, length = table_of[measure][hand & 2047]
            if z >= 128:
                extra = 6 + ((z - 128) >> 1)
                z = ((2 + (z & 1)) << extra) + ((hand >> length) & ((1 << extra) - 1))
                length += extra
            hands[lane] = hand >> length
            counts[lane] -= length
            if kind == 0:
                guess = row[i]
            elif kind == 1:
                guess = north[i]
            else:
                guess = row[i] + north[i] - north_west[i]
            row.append((guess + ((z >> 1) ^ -(z & 1))) & mask)
            held_next.append(z if z < 255 else 255)
        north, held = row[apart:], held_next + [0] * apart
        out += north
    return out


# --- pixel-best


def decode_pixel_best(payload, plain_size, zstd):
    plain = _plain_modes(payload, plain_size, zstd)
    return plain if plain is not None else _PlaneHead(payload, plain_size).decode_planes(_BestPlane)


class _PlaneHead:
    """What a payload of planes begins with (version 1 of pixel-best, version 2 of both codecs), and the samples' way back."""

    def __init__(self, payload, plain_size):
        _need(len(payload) >= 11, "head cut short")
        flags, samples, self.rows, self.columns = struct.unpack_from("<BBII", payload, 1)
        _need(flags <= 31 and 1 <= samples <= 4 and self.rows >= 1 and 1 <= self.columns <= 65535, "bad head")
        self.wide, self.big_endian, self.flipped, self.decorrelated, self.planar = (flags >> k & 1 for k in range(5))
        _need(not self.decorrelated or samples == 3, "only three components can be decorrelated")
        tail = plain_size - self.rows * self.columns * samples * (2 if self.wide else 1)
        _need(0 <= tail <= len(payload) - 11, "head does not fit the promised length")
        self.samples, self.body, self.tail = samples, payload[11 : len(payload) - tail], payload[len(payload) - tail :]

    def decode_planes(self, form):
        """All plane streams of the body; form(data, rows, columns) is one of them, `used` bytes long."""
        at, planes = 0, []
        for _ in range(self.samples):
            plane = form(self.body[at:], self.rows, self.columns)
            planes.append(plane.decode())
            at += plane.used
        _need(at == len(self.body), "bytes between the planes and the tail")
        return self.join(planes)

    def join(self, planes):
        if self.decorrelated:
            for k in (0, 2):
                planes[k] = [a + b for a, b in zip(planes[k], planes[1])]
        count = self.rows * self.columns
        mask, flip = (0xFFFF, 0x8000 if self.flipped else 0) if self.wide else (0xFF, 0)
        values = [0] * (count * self.samples)
        for k, plane in enumerate(planes):
            plane = [(v & mask) ^ flip for v in plane]
            if self.planar:
                values[k * count : (k + 1) * count] = plane
            else:
                values[k :: self.samples] = plane
        form = (">" if self.big_endian else "<") + str(len(values)) + ("H" if self.wide else "B")
        return struct.pack(form, *values) + self.tail


class _SideDecoder:
    """The adaptive binary range decoder of a plane's side information."""

    def __init__(self, data):
        self.data, self.at, self.range, self.code = data, 0, 0xFFFFFFFF, 0
        for _ in range(4):
            self.code = self.code << 8 | self._byte()

    def _byte(self):
        self.at += 1
        return self.data[self.at - 1] if self.at <= len(self.data) else 0

    def _settle(self):
        while self.range < 1 << 24:
            self.range = self.range << 8
            self.code = (self.code << 8 | self._byte()) & 0xFFFFFFFF

    def bit(self, odds, index):
        split = (self.range >> 12) * odds[index]
        if self.code >= split:
            self.code -= split
            self.range -= split
            odds[index] -= odds[index] >> 4
            bit = 1
        else:
            self.range = split
            odds[index] += (4096 - odds[index]) >> 4
            bit = 0
        self._settle()
        return bit

    def direct(self, bits):
        value = 0
        for _ in range(bits):
            self.range >>= 1
            bit = self.code >= self.range
            if bit:
                self.code -= self.range
            value = value << 1 | bit
            self._settle()
        return value

    def number(self, odds):
        length = 0
        while length < 30 and self.bit(odds, length):
            length += 1
        return (1 << length | self.direct(length)) - 1

    def signed(self, odds):
        return _unfold(self.number(odds))

    def sparse(self):
        """The values of a sparse plane; None for any other."""
        if not self.direct(1):
            return None
        odds, count = _odds(32), self.direct(16) + 1
        values = [self.direct(16)]
        for _ in range(count - 1):
            values.append(values[-1] + self.number(odds) + 1)
        _need(values[-1] <= 65535, "a value out of range")
        return values

    def edges(self, odds, count):
        edges, last = [], 0
        for _ in range(count):
            last = (last + self.number(odds)) & 0xFFFF
            edges.append(last)
        return sorted(edges)  # only how many lie below a measure counts


def _odds(count):
    return [2048] * count


class _BestPlane:
    """One plane of samples: side information, then eight interleaved entropy-coded rows at a time."""

    def __init__(self, data, rows, columns):
        self.rows, self.columns = rows, columns
        size_side, size_raw, size_states = struct.unpack_from("<3I", data, 0)
        self.used = 12 + size_side + size_raw + size_states
        _need(self.used <= len(data) and size_states >= 32, "stream cut short")
        side, raw = data[12 : 12 + size_side], data[12 + size_side : 12 + size_side + size_raw]
        states = data[12 + size_side + size_raw : self.used]
        self.raw = _ForwardBits(raw)
        self.states = list(struct.unpack_from("<8I", states, 0))
        self.words = struct.unpack_from("<%dH" % ((size_states - 32) // 2), states, 32)
        self._read_side(_SideDecoder(side))

    def _read_side(self, side):
        self.values = side.sparse()
        weight_odds, round_odds, edge_odds = _odds(32), _odds(32), _odds(32)
        self.low, self.high = _signed16(side.direct(16)), _signed16(side.direct(16))
        classes, contexts = side.direct(2) + 1, side.direct(4) + 1
        self.shift, self.calm = side.direct(4), side.direct(12)
        self.class_edges = side.edges(edge_odds, classes - 1)
        self.context_edges = side.edges(edge_odds, contexts - 1)
        self.weights = []  # per class: 16 weights and what is added before the shift
        for _ in range(classes):
            weights = [_signed16(side.signed(weight_odds)) for _ in range(16)]
            self.weights.append((*weights, side.signed(round_odds)))
        self._read_frequencies(side, contexts)

    def _read_frequencies(self, side, contexts):
        odds = [[_odds(17) for _ in range(16)] for _ in range(3)]
        mantissa_bits, before = side.direct(3), None
        self.slots = []  # per context: 4096 of (token, frequency, start)
        for _ in range(contexts):
            top, left, lengths, frequencies = side.direct(7), 4096, [0] * 104, [0] * 104
            _need(top < 104, "bad token")
            for t in range(104):
                if t == top:
                    lengths[t] = 12
                    continue
                near = lengths[t - 2] if t >= 2 else lengths[0] if t == 1 else 8
                nearer = lengths[t - 1] if t >= 1 else 8
                if before is None:
                    row = odds[0][(near + nearer + 1) >> 1]
                else:
                    row = odds[1 if before[t] == 0 else 2][(near + nearer + 2 * before[t] + 2) >> 2]
                length = 0
                while length < 12 and side.bit(row, length):
                    length += 1
                lengths[t] = length
                if length:
                    extra = min(length - 1, mantissa_bits)
                    frequencies[t] = (1 << extra | side.direct(extra)) << (length - 1 - extra)
                left -= frequencies[t]
                _need(left >= 0, "frequencies claim too much")
            _need(0 < left < 4096, "frequencies do not sum")
            frequencies[top], lengths[top] = left, left.bit_length()
            before, slots, start = lengths, [], 0
            for t, f in enumerate(frequencies):
                slots += [(t, f, start)] * f
                start += f
            self.slots.append(slots)

    def decode(self):
        rows, columns, states, words, words_at = self.rows, self.columns, self.states, self.words, 0
        sizes, slots, weights, shift, calm_odds = _SIZES16, self.slots, self.weights, self.shift, self.calm
        low, high, class_edges, context_edges = self.low, self.high, self.class_edges, self.context_edges
        # Samples and absolute errors; a column lies at its number + 3. Rows -3 to -1, at the end of the lists, are row 0
        # delayed by three columns each.
        pixels = [[0] * (columns + 5) for _ in range(rows + 3)]
        errors = [[0] * (columns + 5) for _ in range(rows + 3)]
        for group in range(0, rows, 8):
            lanes = [
                (pixels[r], pixels[r - 1], pixels[r - 2], pixels[r - 3], errors[r], errors[r - 1], errors[r - 2])
                for r in range(group, min(group + 8, rows))
            ]
            for step in range(columns + 21):
                # Lane j is at column step - 3 j, so all that it looks at was decoded in an earlier step.
                first, last = max(0, (step - columns + 3) // 3), min(len(lanes) - 1, step // 3)
                if step % 3 == 0 and step // 3 < len(lanes):
                    r, row = group + step // 3, lanes[step // 3][0]
                    for k in (1, 2, 3):  # left of the plane: the rows above, one column on for each
                        row[3 - k] = pixels[r - k][3] if r - k >= 0 else 0
                todo, quiet = [], group > 0 and first == 0 and last == 7
                for j in range(first, last + 1):
                    p, u, v, _, e, f, g = lanes[j]
                    i = step - 3 * j + 3
                    w, n, nw, ne = p[i - 1], u[i], u[i - 1], u[i + 1]
                    texture = sizes[n - nw] + sizes[n - ne] + sizes[n - v[i]] + sizes[ne - v[i + 1]]
                    texture += sizes[w - nw] + sizes[w - p[i - 2]]
                    if texture > 65535:
                        texture = 65535
                    measure = texture + 2 * (e[i - 1] + f[i]) + f[i - 1] + f[i + 1] + e[i - 2] + g[i]
                    if measure:
                        quiet = False
                    todo.append((j, i, texture, measure))
                if quiet:
                    state = states[0]
                    calm = (state & 4095) < calm_odds
                    if calm:
                        state = calm_odds * (state >> 12) + (state & 4095)
                    else:
                        state = (4096 - calm_odds) * (state >> 12) + (state & 4095) - calm_odds
                    if state < 32768:
                        state = state << 16 | words[words_at]
                        words_at += 1
                    states[0] = state & 0xFFFFFFFF
                    if calm:
                        for j, i, _, _ in todo:
                            row = lanes[j][0]
                            row[i] = row[i - 1]
                            lanes[j][4][i] = 0
                            if i == columns + 2:
                                row[i + 1 : i + 3] = [row[i], row[i]]
                        continue
                for j, i, texture, measure in todo:
                    context = slots[bisect_left(context_edges, measure if measure < 65535 else 65535)]
                    state = states[j]
                    low_bits = state & 4095
                    token, frequency, start = context[low_bits]
                    state = frequency * (state >> 12) + low_bits - start
                    if state < 32768:
                        state = state << 16 | words[words_at]
                        words_at += 1
                    states[j] = state & 0xFFFFFFFF
                    if token < 64:
                        error = (token >> 1) ^ -(token & 1)
                    else:
                        extra = 4 + ((token - 64) >> 2)
                        error = _unfold(((4 + (token & 3)) << extra) + self.raw.take(extra))
                    p, u, v, t, e, _, _ = lanes[j]
                    w, n, nw = p[i - 1], u[i], u[i - 1]
                    plane = n - nw
                    plane = w + (-32768 if plane < -32768 else 32767 if plane > 32767 else plane)
                    if w < n:
                        guess = w if plane < w else n if plane > n else plane
                    else:
                        guess = n if plane < n else w if plane > w else plane
                    if group or j > 2:
                        a, b, c, d, k, l, m, o, q, s, x, y, z, aa, bb, cc, more = weights[
                            bisect_left(class_edges, texture)
                        ]
                        guess = (
                            (more + a * w + b * n + c * nw + d * u[i + 1] + k * p[i - 2] + l * v[i] + m * v[i + 1]
                             + o * u[i + 2] + q * v[i - 1] + s * u[i - 2] + x * p[i - 3] + y * t[i] + z * v[i + 2]
                             + aa * v[i - 2] + bb * u[i - 3] + cc * guess + 0x80000000 & 0xFFFFFFFF) - 0x80000000
                        ) >> shift  # fmt: skip
                        guess = -32768 if guess < -32768 else 32767 if guess > 32767 else guess
                    if guess < low:
                        guess = low
                    if guess > high:
                        guess = high
                    pixel = (guess + error + 0x8000 & 0xFFFF) - 0x8000
                    size = sizes[_signed16(error)]
                    p[i], e[i] = pixel, size
                    if i == columns + 2:
                        p[i + 1 : i + 3] = [pixel, pixel]
                    if not group and not j:
                        for k in (1, 2, 3):
                            if i + 3 * k < columns + 5:
                                pixels[-k][i + 3 * k], errors[-k][i + 3 * k] = pixel, size
        _need(words_at == len(words), "words left over")
        return _from_ranks(self.values, [v for row in pixels[:rows] for v in row[3 : 3 + columns]])


def _from_ranks(values, plane):
    if values is None:
        return plane
    middle = len(values) // 2
    _need(all(0 <= v + middle < len(values) for v in plane), "a rank out of range")
    return [values[v + middle] - 0x8000 for v in plane]


# --- pixel-fast, version 2


def decode_pixel_fast_2(payload, plain_size, zstd):
    _need(len(payload) >= 1 and payload[0] in (0, 2, 3), "unknown mode")
    if payload[0] == 0:
        return payload[1:]
    head = _PlaneHead(payload, plain_size)
    if payload[0] == 3:
        (size,) = struct.unpack_from("<I", head.body)
        _need(size <= head.samples * (2 + 33 * (head.rows * head.columns // 16 + 1)), "more than the samples can need")
        head.body = zstd(head.body[4:], size)
    return head.decode_planes(_PackedPlane)


class _PackedPlane:
    """One plane in blocks of sixteen folded errors at the block's width."""

    def __init__(self, data, rows, columns):
        self.count, self.period = rows * columns, columns * -(-16 // columns)
        blocks = (self.count + 15) // 16
        nibbles, at = data[1 : 1 + (blocks + 1) // 2], 1 + (blocks + 1) // 2
        _need(len(data) >= at and data[0] <= 2, "stream cut short")
        self.guess = data[0]
        widths = [nibble for pair in nibbles for nibble in (pair & 15, pair >> 4)][:blocks]
        self.widths = [16 if width == 15 else width for width in widths]
        self.used = at + 2 * sum(self.widths)
        _need(self.used <= len(data), "stream cut short")
        self.data = data[at : self.used]

    def _run(self, at, width):
        number, mask = int.from_bytes(self.data[at : at + width], "little"), (1 << width) - 1
        return [number >> shift & mask for shift in range(0, 8 * width, width)] if width else [0] * 8

    def _errors(self):
        at = 0
        for width in self.widths:
            low = min(width, 8)
            values = list(self.data[at : at + 16]) if width > 8 else self._run(at, low) + self._run(at + low, low)
            if width > 8:
                high, start = width - 8, at + 16
                upper = self._run(start, high) + self._run(start + high, high)
                values = [a | b << 8 for a, b in zip(values, upper)]
            at += 2 * width
            yield from values

    def decode(self):
        errors = [(z >> 1) ^ -(z & 1) for z in self._errors()][: self.count]
        before = [0] * self.period  # what lies `period` before the plane
        if self.guess != 1:
            # Both other guesses add up along the plane: to the samples, or to their differences from those above.
            total = 0
            for i, error in enumerate(errors):
                total += error
                errors[i] = total
        if self.guess == 0:
            return [v & 0xFFFF for v in errors]
        samples = before + errors
        for i in range(self.period, len(samples)):
            samples[i] = (samples[i] + samples[i - self.period]) & 0xFFFF
        return samples[self.period :]


# --- pixel-best, version 2


def decode_pixel_best_2(payload, plain_size, zstd):
    _need(len(payload) >= 1 and payload[0] in (0, 2), "unknown mode")
    return payload[1:] if payload[0] == 0 else _PlaneHead(payload, plain_size).decode_planes(_Best2Plane)


class _Best2Plane:
    """One plane of samples: side information, then eight lanes that walk away from four seeds."""

    LIVELY, ABOVE, WEST = 0, 1, 2

    def __init__(self, data, rows, columns):
        self.rows, self.columns = rows, columns
        _need(len(data) >= 12, "stream cut short")
        size_side, size_states, size_raw = struct.unpack_from("<3I", data, 0)
        states_at, raw_at = 12 + size_side, 12 + size_side + size_states
        self.used = raw_at + size_raw
        _need(self.used <= len(data), "stream cut short")
        side = _SideDecoder(data[12:states_at])
        self.values = side.sparse()
        self.low, self.high = _signed16(side.direct(16)), _signed16(side.direct(16))
        self.constant = self.low == self.high
        if self.constant:
            _need(size_states == size_raw == 0, "a constant plane has no more")
            return
        _need(size_states >= 32, "stream cut short")
        self.states = list(struct.unpack_from("<8I", data, states_at))
        self.words = struct.unpack_from("<%dH" % ((size_states - 32) // 2), data, states_at + 32)
        self._read_walk(side)
        self._read_model(side)
        self._read_tables(side)
        raw_odds, self.raw, self.raw_left = _odds(32), [], []
        for lane in range(8):
            left = self.used - raw_at
            size = side.number(raw_odds) if lane < 7 and left else left
            _need(size <= left, "raw bits cut short")
            self.raw.append(_ForwardBits(data[raw_at : raw_at + size]))
            self.raw_left.append(8 * size)
            raw_at += size

    def _read_walk(self, side):
        rows, columns = self.rows, self.columns
        flats = side.direct(1)
        segments = columns // 32 if flats and columns >= 64 else 1
        self.segments = [(32 * k, 32 if k + 1 < segments else columns - 32 * k) for k in range(segments)]
        self.map = [[self.LIVELY] * (segments + 1) for _ in range(rows + 1)]  # the last row serves as the one before the first
        if not flats:
            begins = [k * rows // 4 for k in range(5)]
            self.blocks = [(a, (a + b) // 2, b) for a, b in zip(begins, begins[1:])]
            return
        odds, self.blocks, begin = _odds(32), [], 0
        for _ in range(4):
            up, down = side.number(odds), side.number(odds)
            _need(down > 0 or up == 0, "a block without its seed")
            self.blocks.append((begin, begin + up, begin + up + down))
            begin += up + down
        _need(begin == rows, "blocks that do not fill the plane")
        seeds = {seed for begin, seed, end in self.blocks if end > begin}
        copied_odds, flat_odds, west_odds, copied = _odds(2), _odds(8), _odds(9), 0
        for row in range(rows):
            kinds, north = self.map[row], self.map[row - 1]
            if row not in seeds:
                copied = side.bit(copied_odds, copied)
                if copied:
                    kinds[:segments] = [self.ABOVE] * segments
                    continue
            west = self.LIVELY
            for k in range(segments):
                around = (west > 0) + 2 * (north[k] > 0) + 4 * (north[k + 1] > 0)
                if side.bit(flat_odds, around):
                    is_west = row in seeds or side.bit(west_odds, 3 * west + north[k])
                    kinds[k] = self.WEST if is_west else self.ABOVE
                west = kinds[k]

    def _read_model(self, side):
        self.is_median, self.base, self.contexts = side.direct(1), 256 + side.direct(5), side.direct(5) + 1
        _need(self.contexts <= 24 and self.base + self.contexts <= 286, "bad contexts")
        self.class_edges, self.weights = [], []
        if self.is_median:
            return
        classes, precision = side.direct(2) + 1, side.direct(4)
        _need(precision <= 12, "bad precision")
        weight_odds, round_odds = _odds(32), _odds(32)
        self.class_edges = side.edges(_odds(32), classes - 1)
        for _ in range(classes):
            weights = [_signed16(side.signed(weight_odds) << (12 - precision)) for _ in range(12)]
            self.weights.append((*weights, side.signed(round_odds)))

    def _read_length(self, side, odds, kind, expected):
        same, less_odds, more = odds
        if not side.bit(same[kind], expected):
            return expected
        less = expected == 12 or (expected > 0 and not side.bit(less_odds[kind], expected))
        far, most = 1, expected if less else 12 - expected
        while far < most and side.bit(more[kind][less], far):
            far += 1
        return expected - far if less else expected + far

    def _read_tables(self, side):
        share_odds, table_of = _odds(1), [0]
        for _ in range(self.contexts - 1):
            table_of.append(table_of[-1] + 1 - side.bit(share_odds, 0))
        three = range(3)
        odds = [_odds(13) for _ in three], [_odds(13) for _ in three], [[_odds(13), _odds(13)] for _ in three]
        mantissa_bits, before, tables = side.direct(2), None, []
        for _ in range(table_of[-1] + 1):
            coarse, last, top = side.direct(1), side.direct(8), side.direct(8)
            _need(last < 164 and top < 164, "bad token")
            lengths, frequencies, t = [0] * 164, [0] * 164, 0
            while t <= last:
                size = 1 if not coarse or t < 16 or t >= 128 else 4 if t < 32 else 8 if t < 64 else 16
                near = lengths[t - 2] if t >= 2 else lengths[0] if t == 1 else 6
                nearer = lengths[t - 1] if t >= 1 else 6
                if before is None:
                    kind, expected = 0, (near + nearer + 1) >> 1
                else:
                    kind, expected = 2 if before[t] else 1, (near + nearer + 2 * before[t] + 2) >> 2
                length = self._read_length(side, odds, kind, expected)
                lengths[t : t + size] = [length] * size
                if length:
                    extra = min(length - 1, mantissa_bits)
                    value = (1 << extra | side.direct(extra)) << (length - 1 - extra)
                    frequencies[t : t + size] = [value] * size
                t += size
            left = 2048 - sum(frequencies)
            _need(left >= 0, "frequencies claim too much")
            frequencies[top] += left
            before, slots, start = lengths, [], 0
            for t, f in enumerate(frequencies):
                slots += [(t, f, start)] * f
                start += f
            tables.append(slots)
        # By twice a measure's bit length and the bit below its leading one: its half octave, 252 less.
        contexts = (max(0, min(self.contexts - 1, half + 252 - self.base)) for half in range(36))
        self.slots = [tables[table_of[context]] for context in contexts]

    def _segments_of(self, pixels, lane, seeds):
        """Walks a lane's rows, fills what is flat, and stops at each lively segment until that is decoded."""
        begin, seed, end = self.blocks[lane // 2]
        step = -1 if lane & 1 else 1
        if begin == end or (seeds and lane & 1):
            return
        for row in (seed,) if seeds else range(seed + 1, end) if step > 0 else range(seed - 1, begin - 1, -1):
            p, far = pixels[row], (row - seed) * step
            n = pixels[row - step] if far > 0 else p
            nn = pixels[row - 2 * step] if far > 1 else n
            nnn = pixels[row - 3 * step] if far > 2 else nn
            p[:3] = [n[3] if far > 0 else self.low] * 3
            for (first, length), kind in zip(self.segments, self.map[row]):
                start = first + 3
                if kind == self.LIVELY:
                    yield lane, p, n, nn, nnn, start, length
                elif kind == self.ABOVE:
                    p[start : start + length] = n[start : start + length]
                else:
                    p[start : start + length] = [p[start - 1]] * length
            p[-1] = p[-2]
            if far == 0:
                p[:3] = [p[3]] * 3

    def decode(self):
        if self.constant:
            return _from_ranks(self.values, [self.low] * (self.rows * self.columns))
        # A column lies at its number + 3; behind the last there is one more, equal to it.
        pixels = [[0] * (self.columns + 4) for _ in range(self.rows)]
        self.words_at = 0
        for seeds in (True, False):
            lanes = [self._segments_of(pixels, lane, seeds) for lane in range(8)]
            while True:
                work = [segment for segment in (next(lane, None) for lane in lanes) if segment is not None]
                if not work:
                    break
                self._decode_round(work, seeds)
        _need(self.words_at == len(self.words), "words left over")
        _need(all(0 <= left < 8 for left in self.raw_left), "raw bits left over")
        return _from_ranks(self.values, [v for row in pixels for v in row[3 : 3 + self.columns]])

    def _decode_round(self, work, seeds):
        sizes, slots, states, words, words_at = _SIZES16, self.slots, self.states, self.words, self.words_at
        low, high, class_edges, weights, is_median = self.low, self.high, self.class_edges, self.weights, self.is_median
        errors = [None] * 8  # of W and WW
        for column in range(max(segment[6] for segment in work)):
            for lane, p, n, nn, nnn, start, length in work:
                if column >= length:
                    continue
                i = start + column
                w, ww = p[i - 1], p[i - 2]
                if seeds:
                    above = 0
                else:
                    north, nw, ne = n[i], n[i - 1], n[i + 1]
                    here, next_ = sizes[north - nw] + sizes[north - nn[i]], sizes[ne - north] + sizes[ne - nn[i + 1]]
                    above = (here if here < 65535 else 65535) + (next_ if next_ < 65535 else 65535)
                    above = above if above < 65535 else 65535
                error_w, error_ww = errors[lane] if column else (above >> 2, above >> 2)
                measure = 3 * error_w + 2 * error_ww
                measure += (measure if seeds else above) + 2
                measure = measure if measure < 65535 else 65535
                bits = measure.bit_length()
                state = states[lane]
                token, frequency, first = slots[2 * bits + (measure >> (bits - 2) & 1)][state & 2047]
                state = frequency * (state >> 11) + (state & 2047) - first
                if state < 32768:
                    _need(words_at < len(words), "words cut short")
                    state = state << 16 | words[words_at]
                    words_at += 1
                states[lane] = state & 0xFFFFFFFF
                if token < 128:
                    error = (token >> 1) ^ -(token & 1)
                else:
                    extra = 5 + ((token - 128) >> 2)
                    error = _signed16(_unfold(((4 + (token & 3)) << extra) + self.raw[lane].take(extra)))
                    self.raw_left[lane] -= extra
                if seeds:
                    guess = w
                elif is_median:
                    plane = north - nw
                    plane = w + (-32768 if plane < -32768 else 32767 if plane > 32767 else plane)
                    if w < north:
                        guess = w if plane < w else north if plane > north else plane
                    else:
                        guess = north if plane < north else w if plane > w else plane
                else:
                    texture = above + min(65535, sizes[w - nw] + sizes[w - ww])
                    a, b, c, d, e, f, g, h, j, k, l, m, more = weights[
                        bisect_left(class_edges, texture if texture < 65535 else 65535)
                    ]
                    guess = (
                        (more + a * w + b * nw + c * north + d * ne + e * n[i - 2] + f * nn[i - 2] + g * nn[i - 1]
                         + h * nn[i] + j * nn[i + 1] + k * nnn[i] + l * ww + m * p[i - 3] + 0x80000000 & 0xFFFFFFFF)
                        - 0x80000000
                    ) >> 12  # fmt: skip
                    guess = -32768 if guess < -32768 else 32767 if guess > 32767 else guess
                    guess = low if guess < low else guess
                    guess = high if guess > high else guess
                p[i] = (guess + error + 0x8000 & 0xFFFF) - 0x8000
                errors[lane] = (error if error >= 0 else -error, error_w)
        self.words_at = words_at


PIXEL_CODECS = {
    (3, 1): decode_pixel_fast,
    (3, 2): decode_pixel_fast_2,
    (4, 1): decode_pixel_best,
    (4, 2): decode_pixel_best_2,
}


def decode_codec(engine, codec, version, packed, size):
    """Packed bytes -> plain bytes (3)."""
    if (codec, version) == (0, 0):
        plain = packed
    elif (codec, version) == (1, 1):
        try:
            plain = engine.zstd(packed, size)
        except ZstdError as error:
            raise Damaged("zstd: %s" % error) from None
    elif (codec, version) in PIXEL_CODECS:
        try:
            plain = bytes(PIXEL_CODECS[codec, version](packed, size, engine.zstd))
        except (ZstdError, ValueError, IndexError, struct.error) as error:
            raise Damaged("%s: %s" % (CODECS[codec, version], error)) from None
    else:
        raise TooNew("codec %d version %d is not known to this reader" % (codec, version))
    if len(plain) != size:
        raise Damaged("decoded to %d bytes instead of %d" % (len(plain), size))
    return plain


# ---------------------------------------------------------------------------------------------------------------------
# 6. Keys (4.1, 4.2)
# ---------------------------------------------------------------------------------------------------------------------

TREE_DEPTH = 80
SCRYPT_BYTES_MAX = 1 << 31  # of memory that a keyring file may ask for: 128 * n * r


def _b64(text, what):
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise Failure("the keyring's %s is not base64" % what) from None


class Keyring:
    """The nodes that a keyring or an export holds, and the keys derived from them."""

    def __init__(self, engine, archive, generation, tenants):
        self.engine = engine
        self.archive = archive
        self.generation = generation
        self.nodes = {}  # tenant -> {(depth, path as a number): key}
        self.cache = Cache(KEYS_CACHED_MAX)
        self.shredded = set()  # (tenant, year, group) of "shredded" events
        for tenant in tenants:
            nodes = self.nodes.setdefault(int(tenant["tenant"]), {})
            for node in tenant["nodes"]:
                depth, path, key = node["depth"], node["path"], _b64(node["key"], "key")
                if len(path) != depth or depth > TREE_DEPTH or path.strip("01") or len(key) != 32:
                    raise Failure("the keyring holds a node that is none")
                nodes[depth, int(path or "0", 2)] = key

    def group_key(self, tenant, year, group):
        return self.cache.get((tenant, year, group), lambda: self._derive(tenant, year, group))

    def _derive(self, tenant, year, group):
        nodes = self.nodes.get(tenant)
        if nodes is None:
            raise NoKey("the keyring holds no keys of tenant %d" % tenant)
        path = (year << 64) | group
        for depth in range(TREE_DEPTH, -1, -1):
            key = nodes.get((depth, path >> (TREE_DEPTH - depth)))
            if key is not None:
                break
        else:
            raise Shredded("group %016x of tenant %d, year %d, was shredded" % (group, tenant, year))
        for bit in range(TREE_DEPTH - depth - 1, -1, -1):
            key = hmac_sha256(key, b"stele/1/node" + (b"\1" if path >> bit & 1 else b"\0"))
        return key

    def open_body(self, head, body):
        """Body -> packed bytes (4)."""
        if head.cipher == CIPHER_NONE:
            return body
        if head.cipher not in (CIPHER_AES, CIPHER_SM4):
            raise TooNew("cipher %d is not known to this reader" % head.cipher)
        nonce = head.nonce()
        key = self.group_key(head.tenant, head.year, head.group)
        aad = head.authenticated()
        if head.cipher == CIPHER_AES:
            if nonce is None or len(nonce) != 12 or len(body) < 16:
                raise Damaged("no nonce of 12 bytes, or no tag")
            inner = hmac_sha256(key, b"stele/1/aes-256-gcm")
            packed = self.engine.aes_gcm_open(inner, nonce, aad, body[:-16], body[-16:])
            if packed is None:
                raise Damaged("AES-256-GCM does not authenticate it (altered, or not this archive's keys)")
            return packed
        if nonce is None or len(nonce) != 16 or len(body) < 32:
            raise Damaged("no nonce of 16 bytes, or no MAC")
        message = nonce + struct.pack("<Q", len(aad)) + aad + body[:-32]
        mac = hmac_sm3(self.engine.sm3, hmac_sha256(key, b"stele/1/hmac-sm3"), message)
        if not hmac.compare_digest(mac, body[-32:]):
            raise Damaged("HMAC-SM3 does not authenticate it (altered, or not this archive's keys)")
        return self.engine.sm4_ctr(hmac_sha256(key, b"stele/1/sm4-ctr")[:16], nonce, body[:-32])


class NoKeyring(Keyring):
    """Reads what is not encrypted."""

    def __init__(self, engine):
        super().__init__(engine, None, None, [])

    def _derive(self, tenant, year, group):
        raise NoKey("it is encrypted and no keys were given")


def read_keyring(path, engine, passphrase):
    """Reads a keyring file or an export; `passphrase` is called when one is needed."""
    try:
        if os.path.getsize(path) > KEYRING_BYTES_MAX:
            raise Failure("%s: too large for a keyring" % path)
        with open(path, "rb") as file:
            data = file.read()
        value = json.loads(data.decode("utf-8"))
    except OSError as error:
        raise Failure("%s: %s" % (path, error.strerror)) from None
    except ValueError:
        raise Failure("%s: not JSON" % path) from None
    if not isinstance(value, dict) or value.get("format") != "stele-keyring":
        raise Failure("%s: not a keyring or an export of one" % path)
    if value.get("version") != 1:
        raise Failure("%s: keyring version %r; this reader knows version 1" % (path, value.get("version")))
    if "sha256" in value and hashlib.sha256(data[: data.rfind(b',"sha256"')]).hexdigest() != value["sha256"]:
        # Of the bytes before it. What is still good of a damaged keyring still opens what it did.
        say("%s: the file is damaged; using what is left of it" % path)
    try:
        tenants = value["tenants"] if "tenants" in value else _unseal(value, engine, passphrase)
        return Keyring(engine, bytes.fromhex(value["archive"]), int(value["generation"]), tenants)
    except Failure as error:
        raise Failure("%s: %s" % (path, error)) from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Failure("%s: a field is missing or wrong (%s)" % (path, error)) from None


def _unseal(value, engine, passphrase):
    kdf, sealed, nonce = value["kdf"], _b64(value["sealed"], "sealed part"), _b64(value["nonce"], "nonce")
    n, r, p, salt = kdf["n"], kdf["r"], kdf["p"], _b64(kdf["salt"], "salt")
    if kdf["name"] != "scrypt":
        raise Failure("key derivation %r is not known to this reader" % (kdf["name"],))
    if n < 2 or n & (n - 1) or r < 1 or p < 1 or p > 16 or 128 * n * r > SCRYPT_BYTES_MAX:
        raise Failure("its scrypt parameters are out of bounds")
    if len(nonce) != 12 or len(sealed) < 16:
        raise Failure("its nonce or its sealed part has the wrong length")
    words = unicodedata.normalize("NFC", passphrase()).encode("utf-8")
    if not hasattr(hashlib, "scrypt"):
        say("this Python has no scrypt; the passphrase takes about %d minutes" % max(1, n * r * p // 200_000))
    key = scrypt(words, salt, n, r, p, 32)
    aad = "stele-keyring/1/%s/%s/%s" % (value["archive"], value["generation"], value.get("export", "0"))
    plain = engine.aes_gcm_open(key, nonce, aad.encode("utf-8"), sealed[:-16], sealed[-16:])
    if plain is None:
        raise Failure("the passphrase is wrong, or the file was altered")
    return json.loads(plain.decode("utf-8"))


# ---------------------------------------------------------------------------------------------------------------------
# 7. Packs
# ---------------------------------------------------------------------------------------------------------------------


class Head:
    """The head of a record (2), parsed from bytes whose CRC was right."""

    FORM = struct.Struct("<8s8HIIQQQQQ16s32sII")
    __slots__ = (
        "raw", "version", "kind", "codec", "codec_version", "cipher", "digest", "year", "zero_a", "tenant", "tlv_length",
        "group", "body_length", "plain_length", "sequence", "time", "writer", "sha256", "zero_b",
    )  # fmt: skip

    def __init__(self, raw):
        self.raw = raw
        (
            _, self.version, self.kind, self.codec, self.codec_version, self.cipher, self.digest, self.year, self.zero_a,
            self.tenant, self.tlv_length, self.group, self.body_length, self.plain_length, self.sequence, self.time,
            self.writer, self.sha256, self.zero_b, _,
        ) = self.FORM.unpack_from(raw)  # fmt: skip

    @property
    def id(self):
        return self.raw[72:88] + self.raw[56:64]

    @property
    def stamp(self):
        """What decides between versions of one thing (6)."""
        return self.time, self.writer, self.sequence

    @property
    def length(self):
        """Of head and body."""
        return len(self.raw) + self.body_length

    @property
    def leaf(self):
        return hashlib.sha256(b"\0" + self.raw).digest()

    def kind_text(self):
        return KINDS.get(self.kind, "kind %d" % self.kind)

    def text(self):
        if self.kind in (COMMIT, INDEX):
            return "%s record %d" % (self.kind_text(), self.sequence)
        return "%s %s" % (self.kind_text(), id_text(self.id))

    def tlvs(self):
        """[(type, value, offset in the head)]"""
        out, at = [], HEAD_BYTES
        while at < len(self.raw):
            if at + 4 > len(self.raw):
                raise Damaged("its type-length-values are cut off")
            kind, length = struct.unpack_from("<HH", self.raw, at)
            if at + 4 + length > len(self.raw):
                raise Damaged("its type-length-values are cut off")
            out.append((kind, self.raw[at + 4 : at + 4 + length], at))
            at += 4 + length
        return out

    def nonce(self):
        nonces = [value for kind, value, _ in self.tlvs() if kind == TLV_NONCE]
        return nonces[0] if len(nonces) == 1 else None

    def authenticated(self):
        """What a cipher authenticates beside the content (4): bytes 0 to 87, and the values that follow but the nonce."""
        rest = [self.raw[at : at + 4 + len(value)] for kind, value, at in self.tlvs() if kind != TLV_NONCE]
        return self.raw[:88] + b"".join(rest)

    def must_know(self):
        """Raises TooNew when something in the head must be understood and is not."""
        if self.version != 1:
            raise TooNew("head version %d is not known to this reader" % self.version)
        if self.kind not in KINDS:
            raise TooNew("kind %d is not known to this reader" % self.kind)
        if self.digest != 1:
            raise TooNew("digest %d is not known to this reader" % self.digest)
        if self.zero_a or self.zero_b:
            raise TooNew("a field that is zero in version 1 is not zero")
        for kind, _, _ in self.tlvs():
            if kind & 0x8000 and kind != TLV_NONCE:
                raise TooNew("type 0x%04x must be understood and is not known to this reader" % kind)


def parse_head(data, at):
    """The whole head at an offset of some bytes, or None: mark, limits and CRC must be right."""
    if data[at : at + 8] != RECORD_MARK or at + HEAD_BYTES > len(data):
        return None
    tlv_length, body_length = struct.unpack_from("<I8xQ", data, at + 28)
    plain_length, crc = struct.unpack_from("<Q", data, at + 48)[0], struct.unpack_from("<I", data, at + 124)[0]
    if tlv_length > TLV_BYTES_MAX or body_length > BODY_BYTES_MAX or plain_length > PLAIN_BYTES_MAX:
        return None
    end = at + HEAD_BYTES + tlv_length
    if end > len(data) or zlib.crc32(data[at + HEAD_BYTES : end], zlib.crc32(data[at : at + 124])) != crc:
        return None
    return Head(data[at:end])


class Header:
    """The first 4096 bytes of a pack (1.1). `why` says what is wrong with it, or is None."""

    def __init__(self, raw):
        self.why = None
        if raw[:8] != PACK_MARK or len(raw) != BLOCK:
            self.why = "no header of a pack"
        elif zlib.crc32(raw[:4092]) != struct.unpack_from("<I", raw, 4092)[0]:
            self.why = "the header is damaged (CRC)"
        _, self.version, self.pack_class, zero, self.pack_id, self.writer, self.archive, self.time = struct.unpack_from(
            "<8sHHI16s16s16sQ", raw.ljust(BLOCK, b"\0")
        )
        self.text = raw[3584:4092].rstrip(b"\0").decode("ascii", "replace")
        self.zeros = not zero and not any(raw[72:3584])


class Locator:
    """The last 4096 bytes of a sealed pack (7). `why` says what is wrong with it, or is None."""

    def __init__(self, raw):
        self.why = None
        self.marked = raw[:8] == LOCATOR_MARK
        if not self.marked or len(raw) != BLOCK:
            self.why = "no locator"
            return
        if zlib.crc32(raw[:4092]) != struct.unpack_from("<I", raw, 4092)[0]:
            self.why = "the locator is damaged (CRC)"
            return
        (
            self.version, self.pack_class, self.index_records, self.pack_id, self.footer_offset, self.footer_length,
            self.records, self.notes, self.pack_length, self.time, self.time_least, self.time_greatest,
            self.footer_sha256, self.root,
        ) = struct.unpack_from("<HHI16s8Q32s32s", raw, 8)  # fmt: skip
        footer_end = self.footer_offset + self.footer_length
        if self.version > FORMAT_VERSION:
            self.why = "the locator has format version %d" % self.version
        elif (
            self.index_records > INDEX_RECORDS_MAX
            or self.footer_offset % BLOCK
            or self.footer_offset < BLOCK
            or footer_end > self.pack_length - BLOCK
            or self.pack_length > PACK_BYTES_MAX
            or self.pack_length % MEBIBYTE
        ):
            self.why = "the locator contradicts itself"
        else:
            rows = [struct.unpack_from("<16s4Q", raw, 160 + 48 * i) for i in range(self.index_records)]
            self.index = rows  # (first writer, first sequence, offset, length, rows)
            self.rest = raw[160 + 48 * self.index_records : 4092]


class Row:
    """One row of an index record (7)."""

    FORM = struct.Struct("<16sQIIHHIQQIHH32s")

    def __init__(self, raw):
        (
            self.writer, self.sequence, units, self.length, self.kind, self.year, self.tenant, self.group, self.time,
            self.plain_length, self.codec, self.cipher, self.leaf,
        ) = self.FORM.unpack(raw)  # fmt: skip
        self.offset = 16 * units
        self.id = raw[:24]

    def matches(self, head):
        return (
            self.id == head.id
            and (self.length, self.kind, self.year, self.tenant) == (head.length, head.kind, head.year, head.tenant)
            and (self.group, self.time, self.plain_length) == (head.group, head.time, head.plain_length)
            and (self.codec, self.cipher, self.leaf) == (head.codec, head.cipher, head.leaf)
        )


class Commit:
    """The body of a commit record (2.3)."""

    def __init__(self, offset, head, body):
        self.offset, self.head = offset, head
        self.count, self.footer, self.group_offset, self.previous, self.records, self.leaves = struct.unpack(
            "<IIQQQ32s", body
        )


class Group:
    """What lies between two commit records. `commit` is None where that was lost, or never written."""

    def __init__(self, start):
        self.start = start
        self.end = start
        self.records = []  # (offset, head)
        self.gaps = []  # (from, to, why): where a record should be and none is whole
        self.commit = None
        self.torn = False


# Handles are shared by all packs, so a folder of a hundred thousand packs needs few of them.
_open_files = Cache(OPEN_FILES_MAX, drop=lambda file: file.close())


class Pack:
    """One .pack or .foot file: its header, its locator where it has one, and a walk over its records."""

    def __init__(self, path):
        self.path = path
        try:
            self.size = os.path.getsize(path)
            # A pack still written to may grow under us: everything is judged by the size at this moment.
            raw = self.read(0, BLOCK)
            tail = self.read(max(self.size - BLOCK, 0), BLOCK)
        except OSError as error:
            raise Failure("%s: %s" % (path, error.strerror)) from None
        self.header = Header(raw)
        if not self.header.why and self.header.version > FORMAT_VERSION:
            raise Failure("%s: format version %d; this reader knows %d" % (path, self.header.version, FORMAT_VERSION))
        self.locator = Locator(tail) if self.size >= 2 * BLOCK else Locator(b"")
        self.shift = 0  # how much nearer to the start things lie in this file than the pack says
        self.is_footer_file = False
        if not self.locator.why:
            if not self.header.why and self.locator.pack_id != self.header.pack_id:
                self.locator.why = "the locator belongs to pack %s" % self.locator.pack_id.hex()
            elif self.size == self.locator.pack_length:
                pass
            elif self.size == 2 * BLOCK + self.locator.footer_length:
                self.is_footer_file, self.shift = True, self.locator.footer_offset - BLOCK
            else:
                self.locator.why = "the pack is %d bytes long and its locator says %d" % (
                    self.size,
                    self.locator.pack_length,
                )

    @property
    def sealed(self):
        return self.locator.why is None

    @property
    def archive(self):
        return None if self.header.why else self.header.archive

    def read(self, offset, length):
        """Bytes of the file. Where the medium refuses, bytes that no check can take for good ones."""
        try:
            file = _open_files.get(self.path, lambda: open(self.path, "rb"))
            file.seek(offset)
            return file.read(length)
        except OSError:
            return self._read_around(offset, length)

    def _read_around(self, offset, length):
        """Block by block, so that one bad sector costs one block."""
        out, end = [], min(offset + length, self.size)
        try:
            with open(self.path, "rb", buffering=0) as file:
                while offset < end:
                    step = min(BLOCK - offset % BLOCK, end - offset)
                    try:
                        file.seek(offset)
                        data = file.read(step)
                    except OSError:
                        data = b""
                    out.append(data.ljust(step, b"\xff"))
                    offset += step
        except OSError:
            return b""
        return b"".join(out)

    def head_at(self, offset, end):
        offset -= self.shift
        raw = self.read(offset, min(HEAD_BYTES, end - self.shift - offset))
        if raw[:8] != RECORD_MARK or len(raw) < HEAD_BYTES:
            return None
        tlv_length = struct.unpack_from("<I", raw, 28)[0]
        if 0 < tlv_length <= TLV_BYTES_MAX:
            raw += self.read(offset + HEAD_BYTES, tlv_length)
        return parse_head(raw, 0)

    def body(self, offset, head):
        """The body of the record at an offset; its digest is checked."""
        body = self.read(offset - self.shift + len(head.raw), head.body_length)
        if len(body) != head.body_length or (head.digest == 1 and hashlib.sha256(body).digest() != head.sha256):
            raise Damaged("the body is damaged (SHA-256)")
        return body

    def zeros_until(self, offset, end):
        """The first multiple of 16 from here on that does not begin 16 zeros."""
        while offset < end:
            data = self.read(offset - self.shift, min(65536, end - offset))
            if not data:
                return end
            first = len(data) - len(data.lstrip(b"\0"))
            if first < len(data):
                return offset + first // 16 * 16
            offset += len(data)
        return end

    def head_after(self, offset, end):
        """The next multiple of 16 from here on where a head is whole, or the end."""
        while offset < end:
            window = self.read(offset - self.shift, min(MEBIBYTE + HEAD_BYTES + TLV_BYTES_MAX, end - offset))
            if len(window) < HEAD_BYTES:
                return end
            at = window.find(RECORD_MARK)
            while 0 <= at < MEBIBYTE:
                if at % 16 == 0 and parse_head(window, at):
                    return offset + at
                at = window.find(RECORD_MARK, at + 1)
            offset += MEBIBYTE
        return end

    def walk(self, start, end):
        """Yields ("record", offset, head), ("zeros", from, to) and ("rotten", from, to) from start to end."""
        offset = start
        while offset < end:
            head = self.head_at(offset, end)
            if head is not None:
                if offset + head.length > end:
                    yield "rotten", offset, end
                    return
                yield "record", offset, head
                offset = align(offset + head.length, 16)
                continue
            after = self.zeros_until(offset, end)
            if after > offset:
                yield "zeros", offset, after
            else:
                after = self.head_after(offset + 16, end)
                yield "rotten", offset, after
            offset = after

    def commit_at(self, offset, head):
        """The commit record here, or None where it is not whole or not where one may be."""
        plain = (head.codec, head.cipher, head.tlv_length, head.body_length) == (0, 0, 0, 64)
        if not plain or (offset + COMMIT_BYTES) % BLOCK:
            return None
        try:
            return Commit(offset, head, self.body(offset, head))
        except Damaged:
            return None

    def groups(self, start, end):
        """Yields the groups from start to end; the last one has no commit where bytes follow the last commit."""
        group, zeros = Group(start), None
        for what, at, value in self.walk(start, end):
            if what == "zeros":
                zeros = (at, value)
                continue
            commit = self.commit_at(at, value) if what == "record" and value.kind == COMMIT else None
            if zeros and not (commit and zeros[1] - zeros[0] < BLOCK):
                group.gaps.append((zeros[0], zeros[1], "zeros where a record should be"))
            zeros = None
            if commit:
                if group.start < commit.group_offset <= at:
                    # Everything before belongs to groups whose own commit record is gone.
                    lost = Group(group.start)
                    lost.end = commit.group_offset
                    lost.records = [r for r in group.records if r[0] < lost.end]
                    lost.gaps = [g for g in group.gaps if g[0] < lost.end]
                    group.records = [r for r in group.records if r[0] >= lost.end]
                    group.gaps = [g for g in group.gaps if g[0] >= lost.end]
                    group.start = lost.end
                    yield lost
                group.commit = commit
                group.end = at + COMMIT_BYTES
                yield group
                group = Group(group.end)
            elif what == "rotten":
                group.gaps.append((at, value, "no whole record"))
            elif value.kind == COMMIT:
                group.gaps.append((at, at + value.length, "a commit record is damaged"))
            else:
                group.records.append((at, value))
        if group.records or group.gaps:
            group.end = end
            yield group

    def group_is_whole(self, group):
        """Whether every record of a group is whole and its commit record names exactly these."""
        commit = group.commit
        if commit is None or group.gaps or commit.count != len(group.records) or commit.group_offset != group.start:
            return False
        if hashlib.sha256(b"".join(head.leaf for _, head in group.records)).digest() != commit.leaves:
            return False
        try:
            for offset, head in group.records:
                self.body(offset, head)
        except Damaged:
            return False
        return True

    def settled_groups(self):
        """The groups of a pack, the torn end of an open one marked (1.2)."""
        if self.sealed:
            yield from self.groups(self.footer_offset if self.is_footer_file else BLOCK, self.footer_end)
            return
        held = []  # the last group with a commit record, and what follows it
        for group in self.groups(BLOCK, self.size):
            if group.commit:
                yield from held
                held = []
            held.append(group)
        for group in held:
            group.torn = not self.group_is_whole(group)
            yield group

    @property
    def footer_offset(self):
        return self.locator.footer_offset

    @property
    def footer_end(self):
        return self.locator.footer_offset + self.locator.footer_length

    def footer_is_good(self):
        if not self.sealed:
            return False
        digest, at, left = hashlib.sha256(), self.footer_offset - self.shift, self.locator.footer_length
        while left:
            data = self.read(at, min(left, MEBIBYTE))
            if not data:
                return False
            digest.update(data)
            at, left = at + len(data), left - len(data)
        return digest.digest() == self.locator.footer_sha256

    def index_rows(self, engine, offset, head):
        """The raw rows of one index record."""
        head.must_know()
        if head.cipher != CIPHER_NONE:
            raise TooNew("an encrypted index record")
        plain = decode_codec(engine, head.codec, head.codec_version, self.body(offset, head), head.plain_length)
        if len(plain) % ROW_BYTES or len(plain) > ROW_BYTES * ROWS_PER_INDEX_MAX:
            raise Damaged("an index record has a strange length")
        return plain


# ---------------------------------------------------------------------------------------------------------------------
# 8. The archive: all packs together
# ---------------------------------------------------------------------------------------------------------------------


def say(text):
    print("stele_read: %s" % text, file=sys.stderr)


class Progress:
    """One line on a terminal, renewed once a second; nothing elsewhere."""

    def __init__(self):
        self.shown = sys.stderr.isatty()
        self.at = time.monotonic()

    def step(self, text):
        if self.shown and time.monotonic() - self.at > 1:
            self.at = time.monotonic()
            sys.stderr.write("\r\x1b[K" + text[:100])
            sys.stderr.flush()

    def done(self):
        if self.shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def find_packs(folders, report):
    """Every *.pack and *.foot below the folders; packs first, so that footer files only fill gaps."""
    packs, feet, seen = [], [], set()

    def take(path):
        real = os.path.realpath(path)
        if real not in seen:  # one file by two names is no second copy
            seen.add(real)
            (feet if path.lower().endswith(".foot") else packs).append(path)

    for folder in folders:
        if os.path.isfile(folder):
            take(folder)
            continue
        if not os.path.isdir(folder):
            raise Misuse("%s: no such folder" % folder)
        for where, names, files in os.walk(folder, onerror=lambda e: report("%s: %s" % (e.filename, e.strerror))):
            names.sort()
            for name in sorted(files):
                if name.lower().endswith((".pack", ".foot")):  # some media know only capital letters
                    take(os.path.join(where, name))
    if not packs and not feet:
        raise Failure("no packs found (*.pack, *.foot)")
    return packs, feet


class Locations:
    """Where each record lies, every copy of it.

    16 bytes a copy: two arrays for each writer, sorted by sequence when everything is in. A hundred million records, a
    hundred terabytes of large studies, take 1.6 GB.
    """

    UNITS_BITS = 28  # a pack is below 4 GiB and records lie at multiples of 16

    def __init__(self):
        self.writers = {}

    def add(self, writer, sequence, file, offset):
        entry = self.writers.get(writer)
        if entry is None:
            entry = self.writers[writer] = [array("Q"), array("Q"), True]
        sequences, places, _ = entry
        if sequences and sequences[-1] > sequence:
            entry[2] = False
        sequences.append(sequence)
        places.append(file << self.UNITS_BITS | offset >> 4)

    def find(self, record_id):
        """[(file, offset)]"""
        entry = self.writers.get(record_id[:16])
        if entry is None:
            return []
        sequences, places, ordered = entry
        if not ordered:
            order = sorted(range(len(sequences)), key=sequences.__getitem__)
            sequences = array("Q", (sequences[i] for i in order))
            places = array("Q", (places[i] for i in order))
            entry[:] = [sequences, places, True]
        sequence = int.from_bytes(record_id[16:], "little")
        copies = places[bisect_left(sequences, sequence) : bisect_right(sequences, sequence)]
        return [(place >> self.UNITS_BITS, (place & (1 << self.UNITS_BITS) - 1) << 4) for place in copies]


def decimal(value, what):
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 20:
        return int(value)
    raise Damaged("%s is not a string of digits: %r" % (what, value))


def dicom_file_meta(dicom):
    """What stands before a data set in a DICOM file (PS3.10 7.1); None for an object that is no DICOM instance."""
    if not isinstance(dicom, dict) or not all(isinstance(dicom.get(n), str) for n in ("class", "instance", "syntax")):
        return None

    def element(number, vr, text):
        raw = text.encode("ascii", "replace")
        raw += (b"\0" if vr == b"UI" else b" ") * (len(raw) % 2)
        return struct.pack("<HH2sH", 2, number, vr, len(raw)) + raw

    elements = struct.pack("<HH2sHI2s", 2, 1, b"OB", 0, 2, b"\0\1")
    elements += element(2, b"UI", dicom["class"]) + element(3, b"UI", dicom["instance"])
    elements += element(0x10, b"UI", dicom["syntax"])
    elements += element(0x12, b"UI", "2.25.29451886520873377716229710758735888568") + element(0x13, b"SH", "STELE_1")
    return bytes(128) + b"DICM" + struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(elements)) + elements


BUNDLE_MEMBERS_MAX = 4096


def bundle_column(columns, name, count):
    """The values of one column of a bundle (6.1), one for each member."""
    column = columns.get(name)
    if not isinstance(column, dict):
        raise Damaged("a bundle has no column %s" % name)
    if "from" in column:
        value, step = int(column["from"]), column["step"]
        steps = step if isinstance(step, list) else [step] * (count - 1)
        values = [value]
        for each in steps:
            values.append(values[-1] + int(each))
    elif "each" in column:
        values = column["each"]
    elif "of" in column:
        values = [column["of"][number] for number in column["at"] if number >= 0]
    else:
        values = [column["is"]] * count
    if len(values) != count:
        raise Damaged("column %s of a bundle has %d values instead of %d" % (name, len(values), count))
    if "prefix" in column:
        values = ["%s%s" % (column["prefix"], value) for value in values]
    return values


def bundle_entries(value):
    """(time, writer, sequence) and entry of every member of a bundle (6.1)."""
    if value.get("v") != 1:
        raise TooNew("bundle, v %r, is not known to this reader" % value.get("v"))
    try:
        count, columns = int(value["count"]), value["columns"]
        if not 1 <= count <= BUNDLE_MEMBERS_MAX:
            raise Damaged("a bundle has 1 to %d members" % BUNDLE_MEMBERS_MAX)
        study, series = value["study"], value["series"]
        blobs = {}
        for name, size in (("id", 16), ("sha256", 32)):
            data = base64.b64decode(columns[name]["base64"], validate=True)
            if len(data) != count * size:
                raise Damaged("column %s of a bundle is too short or too long" % name)
            blobs[name] = [data[at : at + size].hex() for at in range(0, len(data), size)]
        of_dicom = ("class", "syntax", "number", "frames", "shape", "rank", "source", "head", "instance")
        names = of_dicom + ("key", "size", "created", "rest", "hybridMs", "hybridCount")
        names += tuple(a + b for a in ("entry", "ref", "first") for b in ("Writer", "Sequence"))
        cells = {name: bundle_column(columns, name, count) for name in names}
        members = []
        for number in range(count):
            cell = {name: cells[name][number] for name in names}
            dicom = {**(cell["rest"].get("dicom") or {}), "study": study, "series": series}
            dicom.update((name, cell[name]) for name in of_dicom if cell[name] is not None)
            if "number" in dicom:
                dicom["number"] = str(dicom["number"])
            ref, first = ("%s.%d" % (cell[each + "Writer"], int(cell[each + "Sequence"])) for each in ("ref", "first"))
            entry = {
                "v": 1,
                "type": "object",
                **cell["rest"],
                "id": blobs["id"][number],
                "sha256": blobs["sha256"][number],
                **(cell["key"] or {"key": "%s/%s/%s" % (study, series, cell["instance"])}),
                "size": str(int(cell["size"])),
                "created": str(int(cell["created"])),
                "ref": ref,
                **({} if first == ref else {"first": first}),
                "dicom": dicom,
            }
            time = (int(cell["hybridMs"]) << 16) | int(cell["hybridCount"])
            members.append(((time, bytes.fromhex(cell["entryWriter"]), int(cell["entrySequence"])), entry))
        return members
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, binascii.Error):
        raise Damaged("a bundle is not in its form") from None


class Entry:
    """An entry `object` (6), its fields checked."""

    def __init__(self, value):
        if value.get("type") != "object" or value.get("v") != 1:
            raise TooNew("entry %r, v %r, is not known to this reader" % (value.get("type"), value.get("v")))
        self.id = value.get("id")
        if not isinstance(self.id, str) or len(self.id) != 32 or self.id.strip("0123456789abcdef"):
            raise Damaged("the id of an entry is not 32 hexadecimal digits")
        self.bucket = value.get("bucket")
        if not isinstance(self.bucket, str):
            raise Damaged("the bucket of entry %s is no text" % self.id)
        self.state = value.get("state")
        if self.state not in ("live", "marker", "deleted"):
            raise TooNew("state %r of entry %s is not known to this reader" % (self.state, self.id))
        self.created = decimal(value.get("created"), "created")
        if "key64" in value:
            try:
                self.key = base64.b64decode(value["key64"], validate=True)
            except (binascii.Error, ValueError, TypeError):
                raise Damaged("key64 of entry %s is not base64" % self.id) from None
        elif isinstance(value.get("key"), str):
            self.key = value["key"]
        else:
            raise Damaged("entry %s has no key" % self.id)
        self.size, self.sha256, self.ref = 0, None, None
        if self.state == "live":
            self.size = decimal(value.get("size"), "size")
            self.sha256 = value.get("sha256")
            if not isinstance(self.sha256, str) or len(self.sha256) != 64 or self.sha256.strip("0123456789abcdef"):
                raise Damaged("sha256 of entry %s is not 64 hexadecimal digits" % self.id)
            if self.size or "ref" in value:
                self.ref = id_parse(value.get("ref"))
        self.mode = value["mode"] if isinstance(value.get("mode"), int) else None
        self.file_meta = dicom_file_meta(value.get("dicom"))
        try:
            self.mtime = decimal(value["mtime"], "mtime") if "mtime" in value else None
        except Damaged:
            self.mtime = None

    def key_bytes(self):
        return self.key if isinstance(self.key, bytes) else self.key.encode("utf-8", "surrogatepass")

    def key_text(self):
        return self.key if isinstance(self.key, str) else self.key.decode("utf-8", "backslashreplace")

    def name_digest(self, tenant):
        """16 bytes that stand for tenant, bucket and key."""
        bucket = self.bucket.encode("utf-8", "surrogatepass")
        name = struct.pack("<QQ", tenant, len(bucket)) + bucket + self.key_bytes()
        return hashlib.sha256(name).digest()[:16]


class Archive:
    """What was found in the folders: where records lie, and what entries and events say.

    Memory: Locations, and about 600 bytes for each object and 120 for each other entry, event and site row. The texts
    themselves go to two files of JSON lines as they are read.
    """

    def __init__(self, engine, keys, entries_file, notes_file, keep_torn=False, even_shredded=False):
        self.engine, self.keys = engine, keys
        self.entries_file, self.notes_file = entries_file, notes_file
        self.keep_torn, self.even_shredded = keep_torn, even_shredded
        self.packs = []
        self.locations = Locations()
        self.seen = set()  # ids of entries, events and site rows that were read
        self.unread = {}  # id -> (tenant, kind, error) of those that could not be
        self.objects = {}  # (tenant, entry id) -> (stamp, created, live, name digest, where its line is)
        self.newer = {}  # reference -> those that replaced it, one after another (reencoded)
        self.damage = 0
        self.progress = Progress()

    def report(self, text):
        self.progress.done()
        say(text)
        self.damage += 1

    def load(self, folders):
        packs, feet = find_packs(folders, self.report)
        whole = set()  # ids of the packs whose footer was read
        for path in packs + feet:
            self.progress.step("reading %s" % path)
            try:
                pack = Pack(path)
                if self.keys.archive and pack.archive not in (None, self.keys.archive):
                    say("%s: passed over, it belongs to another archive (%s)" % (path, pack.archive.hex()))
                elif not pack.is_footer_file or pack.header.pack_id not in whole:
                    self.add(pack, whole)
            except Failure as error:
                self.report(str(error))
        self.progress.done()
        unread = [(item, *rest) for item, rest in self.unread.items() if not isinstance(rest[2], Shredded)]
        for record_id, tenant, kind, error in unread[:UNREAD_LINES_MAX]:
            say("%s %s of tenant %d: %s" % (kind, id_text(record_id), tenant, error))
        if len(unread) > UNREAD_LINES_MAX:
            say("and %d more that cannot be read" % (len(unread) - UNREAD_LINES_MAX))
        self.damage += len(unread)

    def add(self, pack, whole):
        self.packs.append(pack)
        if pack.header.why:
            self.report("%s: %s" % (pack.path, pack.header.why))
        if pack.footer_is_good():
            try:
                self.add_by_index(pack)
                whole.add(pack.locator.pack_id)
                return
            except RecordError as error:
                self.report("%s: the index cannot be used, reading everything: %s" % (pack.path, error))
        elif pack.sealed:
            self.report("%s: the footer is damaged, reading everything" % pack.path)
        elif pack.locator.marked:
            self.report("%s: %s, reading everything" % (pack.path, pack.locator.why))
        self.add_by_scan(pack)

    def add_by_index(self, pack):
        indexes, notes = [], []
        for what, offset, head in pack.walk(pack.footer_offset, pack.footer_end):
            if what == "record" and head.kind == INDEX:
                indexes.append(pack.index_rows(self.engine, offset, head))
            elif what == "record" and head.kind != COMMIT:
                notes.append((offset, head))
        if sum(map(len, indexes)) != ROW_BYTES * pack.locator.records or len(notes) != pack.locator.notes:
            raise Damaged("it does not hold as many records as the locator says")
        if not pack.is_footer_file:
            file, add = len(self.packs) - 1, self.locations.add
            for plain in indexes:
                for writer, sequence, units in struct.iter_unpack("<16sQI68x", plain):
                    add(writer, sequence, file, 16 * units)
        for offset, head in notes:
            self.note(pack, offset, head)

    def add_by_scan(self, pack):
        file = len(self.packs) - 1
        for group in pack.settled_groups():
            if group.torn:
                self.tell_torn(pack, group)
                if not self.keep_torn:
                    continue
            else:
                for start, end, why in group.gaps:
                    self.report("%s: damaged from offset %d to %d (%s)" % (pack.path, start, end, why))
                if group.commit is None:
                    self.report("%s: the commit record of the group at %d is lost" % (pack.path, group.start))
            for offset, head in group.records:
                if head.kind == INDEX:
                    continue
                if not pack.is_footer_file:
                    self.locations.add(head.writer, head.sequence, file, offset)
                if head.kind in NOTES:
                    self.note(pack, offset, head)

    def tell_torn(self, pack, group):
        what = "read all the same" if self.keep_torn else "passed over"
        say(
            "%s: torn end at offset %d, %d records %s: they were never acknowledged"
            % (pack.path, group.start, len(group.records), what)
        )

    def note(self, pack, offset, head):
        """Takes in an entry, event or site record, the first time that a good copy is met."""
        record_id = head.id
        if record_id in self.seen:
            return
        try:
            plain = self.decode(head, pack.body(offset, head))
        except RecordError as error:
            self.unread[record_id] = (head.tenant, head.kind_text(), error)
            return
        self.seen.add(record_id)
        self.unread.pop(record_id, None)
        line = {
            "record": id_text(record_id),
            "kind": head.kind_text(),
            "tenant": head.tenant,
            "year": head.year,
            "group": "%016x" % head.group,
            "time": str(head.time),
        }
        value = None
        try:
            value = json.loads(plain.decode("utf-8"))
            if not isinstance(value, dict):
                raise ValueError
            line["value"] = value
        except (ValueError, RecursionError):
            value = None
            line["bytes"] = base64.b64encode(plain).decode("ascii")
        if head.kind == BUNDLE and value is not None:
            self.note_bundle(head, line, value)
            return
        at = self.write_line(self.entries_file if head.kind == ENTRY else self.notes_file, line)
        try:
            if value is None:
                raise Damaged("it is no JSON object")
            if head.kind == ENTRY:
                self.take_entry(head, Entry(value), at)
            elif head.kind == EVENT:
                self.take_event(head, value)
        except RecordError as error:
            self.report("%s %s of tenant %d: %s" % (head.kind_text(), id_text(record_id), head.tenant, error))

    def note_bundle(self, head, line, value):
        """A bundle (6.1): each of its members is an entry once more, at the entry's own time, with the content where it is now."""
        try:
            members = bundle_entries(value)
        except RecordError as error:
            self.report("bundle %s of tenant %d: %s" % (id_text(head.id), head.tenant, error))
            return
        self.write_line(self.notes_file, {**line, "value": {name: value[name] for name in value if name != "columns"}})
        for (time, writer, sequence), entry in members:
            told = {
                **line,
                "record": "%s.%d" % (writer.hex(), sequence),
                "kind": "entry",
                "time": str(time),
                "bundle": id_text(head.id),
                "value": entry,
            }
            at = self.write_line(self.entries_file, told)
            try:
                # The same entry of a later bundle counts before that of an earlier one, and both before the entry's own record.
                self.take_entry(head, Entry(entry), at, (time, writer, sequence) + head.stamp)
            except RecordError as error:
                self.report("a member of bundle %s of tenant %d: %s" % (id_text(head.id), head.tenant, error))

    @staticmethod
    def write_line(file, line):
        at = file.tell()
        try:
            data = json.dumps(line, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:  # half of a surrogate pair
            data = json.dumps(line).encode("ascii")
        file.write(data + b"\n")
        return at

    def take_entry(self, head, entry, at, stamp=None):
        name, key = (head.tenant, bytes.fromhex(entry.id)), stamp or head.stamp
        known = self.objects.get(name)
        if known is None or known[0] < key:
            digest = entry.name_digest(head.tenant)
            self.objects[name] = (key, entry.created, entry.state, digest, at)

    def take_event(self, head, value):
        try:
            if value.get("v") != 1:
                return
            if value.get("type") == "reencoded":
                for old, new, _ in value["pairs"]:
                    old, new = id_parse(old), id_parse(new)
                    self.newer[old] = self.newer.get(old, b"") + new
            elif value.get("type") == "shredded" and not self.even_shredded:
                self.keys.shredded.add((head.tenant, int(value["year"]), int(value["group"], 16)))
        except (KeyError, TypeError, ValueError):
            raise Damaged("a field of the event is missing or wrong") from None

    def decode(self, head, body):
        """Body -> plain bytes."""
        head.must_know()
        if head.cipher and (head.tenant, head.year, head.group) in self.keys.shredded:
            raise Shredded("an event says that its group was shredded")
        packed = self.keys.open_body(head, body)
        return decode_codec(self.engine, head.codec, head.codec_version, packed, head.plain_length)

    def record(self, record_id):
        """(head, plain bytes) of a record, from the first good copy."""
        copies, last = self.locations.find(record_id), None
        for file, offset in copies:
            pack = self.packs[file]
            try:
                head = pack.head_at(offset, pack.size)
                if head is None or head.id != record_id:
                    raise Damaged("the head is damaged")
                return head, self.decode(head, pack.body(offset, head))
            except Damaged as error:
                last = error
        if not copies:
            raise Lost("%s is in none of these packs" % id_text(record_id))
        raise Lost(
            "%s: %s%s" % (id_text(record_id), last, "" if len(copies) == 1 else ", in all %d copies" % len(copies))
        )

    # What bucket and key name: the newest entry by (created, stamp) among live ones and deletion markers; where that is
    # a marker, nothing.

    def current(self):
        """The (tenant, entry id) of every object that bucket and key name."""
        newest = {}
        for name, (stamp, created, state, digest, _) in self.objects.items():
            if state != "deleted":
                order = (created, stamp)
                if digest not in newest or newest[digest][0] < order:
                    newest[digest] = (order, name)
        return {name for _, name in newest.values() if self.objects[name][2] == "live"}

    def entry(self, name):
        self.entries_file.flush()
        self.entries_file.seek(self.objects[name][4])
        entry = Entry(json.loads(self.entries_file.readline().decode("utf-8"))["value"])
        self.entries_file.seek(0, os.SEEK_END)
        return entry

    def references(self, ref):
        """A reference and all that replaced it."""
        out, at = [ref], 0
        while at < len(out):
            newer = self.newer.get(out[at], b"")
            for i in range(0, len(newer), 24):
                if newer[i : i + 24] not in out:
                    out.append(newer[i : i + 24])
            at += 1
        return out


# ---------------------------------------------------------------------------------------------------------------------
# 9. Content (5)
# ---------------------------------------------------------------------------------------------------------------------


def parse_list(plain):
    """A chunk list: (level, total, sha256, [(record id, length)])"""
    if len(plain) < 48:
        raise Damaged("a chunk list is cut off")
    version, level, count, total = struct.unpack_from("<HHIQ", plain)
    if version != 1:
        raise TooNew("chunk list version %d is not known to this reader" % version)
    if count > LIST_CHILDREN_MAX or len(plain) != 48 + 32 * count or not 1 <= level <= LIST_LEVEL_MAX:
        raise Damaged("a chunk list contradicts itself")
    children = [
        (plain[at : at + 24], int.from_bytes(plain[at + 24 : at + 32], "little")) for at in range(48, len(plain), 32)
    ]
    # A child of no bytes is refused: lists of nothing but such children could keep a reader busy for ever.
    if sum(length for _, length in children) != total or not all(length for _, length in children):
        raise Damaged("the children of a chunk list do not add up")
    return level, total, plain[16:48], children


def content(archive, ref, length, level=None):
    """Yields the content below a reference in pieces: (bytes, length, None), or (None, length, error) for what is lost.

    `level` is 0 where a chunk must be, more where a list of that level must be, None at the top.
    """
    try:
        head, plain = archive.record(ref)
        if head.kind == CHUNK and not level:
            if len(plain) != length:
                raise Damaged("%s holds %d bytes instead of %d" % (id_text(ref), len(plain), length))
            yield plain, length, None
            return
        if head.kind != LIST or level == 0:
            raise Damaged("%s is a %s where none belongs" % (id_text(ref), head.kind_text()))
        found, total, _, children = parse_list(plain)
        if total != length or level not in (None, found):
            raise Damaged("%s is not the chunk list that was named" % id_text(ref))
    except RecordError as error:
        yield None, length, error
        return
    for child, child_length in children:
        yield from content(archive, child, child_length, found - 1)


class Attempt:
    """Reads an object's content into a file and says what is missing; with `leave_holes`, zeros stand for that."""

    def __init__(self, archive, entry, ref, file, leave_holes=False):
        self.gaps = []  # (offset, length, error)
        digest, at = hashlib.sha256(), 0
        for data, length, error in content(archive, ref, entry.size) if ref else ():
            if data is None:
                self.gaps.append((at, length, error))
                if leave_holes:
                    file.seek(length, os.SEEK_CUR)
            else:
                digest.update(data)
                file.write(data)
            at += length
        if leave_holes:
            file.truncate(at)
        self.lost = sum(length for _, length, _ in self.gaps)
        self.error = None
        if self.gaps:
            self.error = self.gaps[0][2]
        elif at != entry.size or digest.hexdigest() != entry.sha256:
            self.error = Damaged("the content does not have the SHA-256 of its entry")
            self.lost = entry.size

    def text(self):
        if not self.gaps:
            return str(self.error)
        return "; ".join("bytes %d-%d: %s" % (at, at + length - 1, error) for at, length, error in self.gaps)


# ---------------------------------------------------------------------------------------------------------------------
# 10. Extraction
# ---------------------------------------------------------------------------------------------------------------------

NAME_BYTES_MAX = 255
NAME_PARTS_MAX = 200
WINDOWS_RESERVED = {"con", "prn", "aux", "nul"} | {"%s%d" % (word, i) for word in ("com", "lpt") for i in range(1, 10)}
# What a file system may answer to a name that it cannot hold, or where another file is in the way.
NAME_ERRORS = {
    errno.ENAMETOOLONG,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.EINVAL,
    errno.EILSEQ,
    errno.ENOTEMPTY,
}


def safe_part(part):
    """Whether one part of a key can be a file name."""
    if part in ("", ".", "..") or "/" in part or any(ord(c) < 32 or ord(c) == 127 for c in part):
        return False
    try:
        if len(os.fsencode(part)) > NAME_BYTES_MAX:
            return False
    except UnicodeEncodeError:
        return False
    if os.name == "nt":
        stem = part.split(".")[0].rstrip(" ").lower()
        return not (set(part) & set('<>:"\\|?*') or part[-1] in " ." or stem in WINDOWS_RESERVED)
    return True


class Destination:
    """The folder that is extracted to. It begins empty, so nothing in it was put there by anyone else."""

    def __init__(self, root):
        self.root = root
        try:
            os.makedirs(root, exist_ok=True)
            if os.listdir(root):
                raise Misuse("%s: not empty; extract to a new folder" % root)
        except OSError as error:
            raise Failure("%s: %s" % (root, error.strerror)) from None
        self.temporary = os.path.join(root, "~unfinished")

    def open(self):
        return open(self.temporary, "w+b")

    def prepend(self, head):
        """Puts bytes before what the temporary file holds."""
        whole = self.temporary + ".whole"
        with open(self.temporary, "rb") as content, open(whole, "wb") as file:
            file.write(head)
            shutil.copyfileobj(content, file, MEBIBYTE)
        os.replace(whole, self.temporary)

    def place(self, tenant, entry, current):
        """Gives the finished temporary file its name: (path below the root, whether it had to be another name)."""
        key = entry.key if isinstance(entry.key, str) else os.fsdecode(entry.key)
        parts = [entry.bucket] + (key + ".dcm" if entry.file_meta else key).split("/")
        if not current:
            parts = ["~versions"] + parts + ["%d-%s" % (entry.created, entry.id)]
        if len(parts) <= NAME_PARTS_MAX and all(map(safe_part, parts)) and not entry.bucket.startswith("~"):
            try:
                return self._move([str(tenant)] + parts), False
            except OSError as error:
                if error.errno not in NAME_ERRORS:
                    raise
        return self._move([str(tenant), "~mapped", entry.id]), True

    def _move(self, parts):
        path = os.path.join(self.root, *parts)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, "is there already", path)
        os.rename(self.temporary, path)
        return "/".join(parts)

    def place_partial(self, tenant, entry):
        return self._move([str(tenant), "~partial", entry.id])

    def finish(self):
        if os.path.lexists(self.temporary):
            os.unlink(self.temporary)

    def set_times(self, path, entry):
        path = os.path.join(self.root, *path.split("/"))
        try:
            if entry.mode is not None:
                os.chmod(path, stat.S_IMODE(entry.mode) & 0o777)
            if entry.mtime is not None:
                os.utime(path, ns=(entry.mtime * 1_000_000, entry.mtime * 1_000_000))
        except (OSError, OverflowError):
            pass  # a file system without such a time or mode; both are in entries.jsonl


def field(text):
    """Text as one field of a line: tabs, line ends and other control characters are escaped."""
    text = text.replace("\\", "\\\\")
    return "".join(c if " " <= c != "\x7f" and not "\x80" <= c <= "\x9f" else "\\x%02x" % ord(c) for c in text)


class Extraction:
    COLUMNS = ("status", "tenant", "bucket", "key", "entry", "created", "size", "path", "note")

    def __init__(self, archive, destination, table, keep_partial):
        self.archive, self.destination, self.table = archive, destination, table
        self.keep_partial = keep_partial
        self.counts, self.bytes = {}, 0
        table.write("\t".join(self.COLUMNS) + "\n")

    def row(self, status, *fields):
        self.counts[status] = self.counts.get(status, 0) + 1
        self.table.write("\t".join([status] + [field(str(f)) for f in fields]) + "\n")

    def run(self, bucket, all_versions, part, parts):
        archive = self.archive
        current = archive.current()
        wanted = []
        for name, (_, _, state, _, _) in archive.objects.items():
            if state != "live" or not (all_versions or name in current) or name[1][-1] % parts != part - 1:
                continue
            entry = archive.entry(name)
            if bucket is None or entry.bucket == bucket:
                wanted.append((self.position(entry), name))
        wanted.sort()  # as the content lies on the medium
        for number, (_, name) in enumerate(wanted):
            archive.progress.step("%d of %d objects, %d MB" % (number, len(wanted), self.bytes // 1_000_000))
            self.extract(name, archive.entry(name), name in current)
        archive.progress.done()
        for record_id, (tenant, kind, error) in archive.unread.items():
            self.row(
                error.status, tenant, "", "", "", "", "", "", "%s record %s: %s" % (kind, id_text(record_id), error)
            )
        self.destination.finish()

    def position(self, entry):
        for ref in self.archive.references(entry.ref) if entry.ref else ():
            places = self.archive.locations.find(ref)
            if places:
                return places[0]
        return (0, 0)

    def extract(self, name, entry, current):
        tenant, best = name[0], None
        fields = [tenant, entry.bucket, entry.key_text(), entry.id, ms_text(entry.created), entry.size]
        for ref in self.archive.references(entry.ref):
            with self.destination.open() as file:
                attempt = Attempt(self.archive, entry, ref, file)
            if attempt.error is None:
                if entry.file_meta:
                    self.destination.prepend(entry.file_meta)
                path, mapped = self.destination.place(tenant, entry, current)
                self.destination.set_times(path, entry)
                self.bytes += entry.size
                self.row("mapped" if mapped else "extracted", *fields, path, "")
                return
            if best is None or attempt.lost < best[0].lost:
                best = (attempt, ref)
        attempt, ref = best
        path = ""
        if self.keep_partial and attempt.gaps and attempt.lost < entry.size:
            try:
                with self.destination.open() as file:
                    Attempt(self.archive, entry, ref, file, leave_holes=True)
                path = self.destination.place_partial(tenant, entry)
            except (OSError, OverflowError, ValueError) as error:
                if isinstance(error, OSError) and error.errno not in (errno.EFBIG, errno.EINVAL):
                    raise
                path = ""  # a hole larger than a file can be
        self.row(attempt.error.status, *fields, path, attempt.text())


# ---------------------------------------------------------------------------------------------------------------------
# 11. Verification
# ---------------------------------------------------------------------------------------------------------------------


class MerkleRoot:
    """The RFC 6962 root (2.4), leaf by leaf, keeping one node for each power of two."""

    def __init__(self):
        self.stack = []  # (leaves below, digest)

    def add(self, leaf):
        size = 1
        while self.stack and self.stack[-1][0] == size:
            leaf = hashlib.sha256(b"\1" + self.stack.pop()[1] + leaf).digest()
            size *= 2
        self.stack.append((size, leaf))

    def root(self):
        if not self.stack:
            return hashlib.sha256(b"").digest()
        right = self.stack[-1][1]
        for _, left in reversed(self.stack[:-1]):
            right = hashlib.sha256(b"\1" + left + right).digest()
        return right


class PackCheck:
    """Checks everything that one file promises. Findings are damage; remarks are worth a line and are not."""

    def __init__(self, pack, engine):
        self.pack, self.engine = pack, engine
        self.findings, self.remarks = [], []
        self.bad = []  # ids of records that are damaged or lost here, where they are known
        self.good = []  # (writer, sequence, offset) of records that are whole here
        self.records = self.groups = 0
        self.unknown = 0
        self.rows = None  # offset -> row, from a good footer
        self.root = MerkleRoot()
        self.times = []  # least, greatest
        self.notes, self.copies = hashlib.sha256(), hashlib.sha256()  # of the leaves of entry, event and site records
        self.notes_count = self.copies_count = 0
        self.complete = True  # no gaps so far
        self.previous, self.number, self.total = ALL_ONES, 0, 0
        self.index_heads = []

    def find(self, offset, text):
        self.findings.append((offset, text))

    def run(self):
        pack = self.pack
        if pack.header.why:
            self.find(0, pack.header.why)
        elif not pack.header.zeros:
            self.remarks.append("the header has bytes that version 1 does not know")
        if pack.sealed:
            self.check_footer()
        elif pack.locator.marked:
            self.find(pack.size - BLOCK, pack.locator.why)
        if pack.is_footer_file:
            self.previous = self.number = self.total = None
        saw_footer = False
        for group in pack.settled_groups():
            if group.torn:
                self.check_torn(group)
                continue
            self.groups += 1
            in_footer = bool(group.commit and group.commit.footer) or (
                pack.sealed and group.start >= pack.footer_offset
            )
            saw_footer = saw_footer or in_footer
            self.check_group(group, in_footer)
        if pack.sealed:
            self.check_seal()
        elif saw_footer and pack.size % MEBIBYTE == 0 and not pack.locator.marked:
            self.find(pack.size - BLOCK, "the pack was sealed and its locator is gone")
        return self

    def check_torn(self, group):
        if group.records or any(why != "zeros where a record should be" for _, _, why in group.gaps):
            self.remarks.append(
                "torn end from offset %d: %d records passed over, they were never acknowledged"
                % (group.start, len(group.records))
            )

    def check_group(self, group, in_footer):
        for start, end, why in group.gaps:
            self.complete = False
            self.find(start, "damaged to offset %d: %s" % (end, why))
        leaves = hashlib.sha256()
        for offset, head in group.records:
            leaf = head.leaf
            leaves.update(leaf)
            self.check_record(offset, head, leaf, in_footer)
        if group.commit:
            self.check_commit(group, leaves.digest(), in_footer)
        else:
            self.complete = False
            self.find(group.start, "the commit record of the group that begins here is lost")
            self.previous = self.number = self.total = None

    def check_record(self, offset, head, leaf, in_footer):
        pack, whole = self.pack, True
        try:
            pack.body(offset, head)
        except Damaged as error:
            whole = False
            self.find(offset, "%s: %s" % (head.text(), error))
            if head.kind != INDEX:
                self.bad.append(head.id)
        end = offset + head.length
        if any(pack.read(end - pack.shift, -end % 16)):
            self.find(end, "bytes after %s are not zero" % head.text())
        try:
            head.must_know()
        except TooNew:
            self.unknown += 1
        except Damaged as error:
            self.find(offset, "%s: %s" % (head.text(), error))
        if in_footer:
            if head.kind == INDEX:
                self.index_heads.append((offset, head))
            else:
                self.copies.update(leaf)
                self.copies_count += 1
            return
        self.records += 1
        self.root.add(leaf)
        if head.kind in NOTES:
            self.notes.update(leaf)
            self.notes_count += 1
        self.times = [min(self.times[:1] + [head.time]), max(self.times[1:] + [head.time])]
        if whole:
            self.good.append((head.writer, head.sequence, offset))
        if self.rows is not None:
            row = self.rows.pop(offset, None)
            if row is None:
                self.find(offset, "%s is not in the index" % head.text())
            elif not Row(row).matches(head):
                self.find(offset, "%s is not what the index says" % head.text())

    def check_commit(self, group, leaves, in_footer):
        commit, at = group.commit, group.commit.offset
        if self.number is not None and commit.head.sequence != self.number:
            self.find(at, "the commit record has number %d instead of %d" % (commit.head.sequence, self.number))
        if commit.group_offset != group.start:
            self.find(at, "the commit record says its group begins at %d, not %d" % (commit.group_offset, group.start))
        if self.previous is not None and commit.previous != self.previous:
            self.find(at, "the commit record names another one before it than there is")
        if commit.footer != int(in_footer):
            self.find(at, "the commit record does not say rightly whether it is in the footer")
        if not group.gaps:
            if commit.count != len(group.records):
                self.find(at, "the group holds %d records and should hold %d" % (len(group.records), commit.count))
            if commit.leaves != leaves:
                self.find(at, "the group's records are not those that were committed (leaves)")
        elif len(group.records) < commit.count:
            self.find(at, "%d of the group's %d records are lost" % (commit.count - len(group.records), commit.count))
        if self.total is not None:
            # FORMAT.md does not say whether records of the footer are counted here; both are taken for right.
            right = [self.total + commit.count] + ([self.total] if in_footer else [])
            if commit.records not in right:
                self.find(at, "the commit record counts %d records so far, not %d" % (commit.records, right[0]))
        self.previous, self.number, self.total = at, commit.head.sequence + 1, commit.records

    def check_footer(self):
        """Before the walk: the footer's digest, and the index, by which lost records can be named."""
        pack, locator = self.pack, self.pack.locator
        if not pack.footer_is_good():
            self.find(locator.footer_offset, "the footer is damaged (SHA-256)")
            return
        try:
            plains = []
            for what, offset, head in pack.walk(locator.footer_offset, pack.footer_end):
                if what == "record" and head.kind == INDEX:
                    plains.append((offset, head, pack.index_rows(self.engine, offset, head)))
        except RecordError as error:
            self.find(locator.footer_offset, "the index cannot be read: %s" % error)
            return
        rows, last = {}, b""
        for _, _, plain in plains:
            for at in range(0, len(plain), ROW_BYTES):
                raw = plain[at : at + ROW_BYTES]
                row_id = raw[:16] + raw[16:24][::-1]  # the sequence most significant first, to compare
                if row_id <= last:
                    self.find(locator.footer_offset, "the index is not in order")
                last = row_id
                rows[16 * int.from_bytes(raw[24:28], "little")] = raw
        said = [(raw[0:16], int.from_bytes(raw[16:24], "little"), offset, head.length, len(plain) // ROW_BYTES)
                for offset, head, plain in plains for raw in [plain[:24]]]  # fmt: skip
        if [tuple(row) for row in locator.index] != said:
            self.find(pack.size - BLOCK, "the locator does not describe the index records as they are")
        if sum(len(plain) for _, _, plain in plains) != ROW_BYTES * locator.records or len(rows) != locator.records:
            self.find(locator.footer_offset, "the index does not have one row for each of %d records" % locator.records)
        root = MerkleRoot()
        for offset in sorted(rows):
            root.add(rows[offset][64:])
        if root.root() != locator.root:
            self.find(pack.size - BLOCK, "the root does not follow from the index")
        if not pack.is_footer_file:
            self.rows = rows

    def check_seal(self):
        """After the walk: what the locator says about the whole."""
        pack, locator = self.pack, self.pack.locator
        end = pack.size - BLOCK
        for offset in sorted(self.rows or ()):
            row = Row(self.rows[offset])
            self.find(offset, "%s %s is lost" % (KINDS.get(row.kind, "kind %d" % row.kind), id_text(row.id)))
            self.bad.append(row.id)
        if not pack.header.why and locator.pack_class != pack.header.pack_class:
            self.find(end, "header and locator name different classes")
        if any(locator.rest):
            self.remarks.append("the locator has bytes that version 1 does not know")
        last = locator.pack_length - BLOCK
        if not pack.is_footer_file and pack.zeros_until(pack.footer_end, last) < last:
            self.find(pack.footer_end, "bytes between footer and locator are not zero")
        if self.copies_count != locator.notes:
            self.find(
                locator.footer_offset,
                "the footer repeats %d records instead of %d" % (self.copies_count, locator.notes),
            )
        if pack.is_footer_file or not self.complete:
            return
        if self.records != locator.records:
            self.find(end, "the pack holds %d records and its locator says %d" % (self.records, locator.records))
        if self.root.root() != locator.root:
            self.find(end, "the root does not follow from the records")
        if (self.notes_count, self.notes.digest()) != (self.copies_count, self.copies.digest()):
            self.find(locator.footer_offset, "the footer does not repeat the entry, event and site records as they are")
        if self.times and self.times != [locator.time_least, locator.time_greatest]:
            self.find(end, "the locator's least and greatest times are not those of the records")

    def count(self):
        return self.pack.locator.records if self.pack.is_footer_file else self.records

    def state(self):
        if self.pack.is_footer_file:
            return "footer file"
        return "sealed" if self.pack.sealed else "open"


# ---------------------------------------------------------------------------------------------------------------------
# 12. Commands
# ---------------------------------------------------------------------------------------------------------------------


def passphrase_source(path):
    def ask():
        if path:
            try:
                with open(path, "rb") as file:
                    words = file.read().decode("utf-8-sig")
            except OSError as error:
                raise Failure("%s: %s" % (path, error.strerror)) from None
            except UnicodeDecodeError:
                raise Failure("%s: not UTF-8" % path) from None
            return words[:-2] if words.endswith("\r\n") else words[:-1] if words.endswith("\n") else words
        if "STELE_PASSPHRASE" in os.environ:
            return os.environ["STELE_PASSPHRASE"]
        if not sys.stdin.isatty():
            raise Misuse("these keys need a passphrase: --passphrase-file, STELE_PASSPHRASE or a terminal")
        return getpass.getpass("Passphrase of the export: ")

    return ask


def load_keys(args, engine):
    if not args.keys:
        return NoKeyring(engine)
    return read_keyring(args.keys, engine, passphrase_source(args.passphrase_file))


def command_list(args):
    engine = Engine(args.plain)
    if not args.keys:
        return list_packs(args)
    keys = load_keys(args, engine)
    with tempfile.TemporaryFile() as entries, open(os.devnull, "wb") as notes:
        archive = Archive(engine, keys, entries, notes, args.keep_torn, args.even_shredded)
        archive.load(args.folders)
        current = archive.current()
        print("tenant\tbucket\tkey\tsize\tcreated\tstate\tentry")
        for name in sorted(archive.objects):
            if not args.all_versions and name not in current:
                continue
            entry = archive.entry(name)
            if args.bucket is not None and entry.bucket != args.bucket:
                continue
            state = entry.state if name in current or entry.state != "live" else "older"
            row = (name[0], entry.bucket, entry.key_text(), entry.size, ms_text(entry.created), state, entry.id)
            print("\t".join(field(str(value)) for value in row))
        tell_shredded(archive)
        return 1 if archive.damage else 0


def tell_shredded(archive):
    gone = sum(isinstance(error, Shredded) for _, _, error in archive.unread.values())
    if gone:
        say("%d entries and events belong to shredded groups and cannot be read" % gone)


def list_packs(args):
    """Without keys: which packs are here."""
    damage = []
    packs, feet = find_packs(args.folders, lambda text: (say(text), damage.append(text)))
    print("pack\tclass\tstate\tbytes\trecords\tcreated\tpath")
    for path in packs + feet:
        try:
            pack = Pack(path)
        except Failure as error:
            say(str(error))
            damage.append(path)
            continue
        if pack.header.why:
            say("%s: %s" % (path, pack.header.why))
            damage.append(path)
        state = "footer file" if pack.is_footer_file else "sealed" if pack.sealed else "open"
        row = (
            pack.header.pack_id.hex(),
            CLASSES.get(pack.header.pack_class, str(pack.header.pack_class)),
            state,
            pack.size,
            pack.locator.records if pack.sealed else "-",
            time_text(pack.header.time),
            path,
        )
        print("\t".join(field(str(value)) for value in row))
    return 1 if damage else 0


def command_extract(args):
    engine = Engine(args.plain)
    keys = load_keys(args, engine)
    destination = Destination(args.out)
    say(engine.text())

    def create(name, mode="w+b", **options):
        return open(os.path.join(args.out, name), mode, **options)

    with (
        create("entries.jsonl") as entries,
        create("events.jsonl") as notes,
        create("extracted.tsv", "w", encoding="utf-8", errors="backslashreplace", newline="\n") as table,
    ):
        archive = Archive(engine, keys, entries, notes, args.keep_torn, args.even_shredded)
        archive.load(args.folders)
        extraction = Extraction(archive, destination, table, args.partial)
        extraction.run(args.bucket, args.all_versions, *args.part)
    counts = extraction.counts
    done = counts.get("extracted", 0) + counts.get("mapped", 0)
    print("extracted: %d objects, %d bytes" % (done, extraction.bytes))
    if counts.get("mapped"):
        print("of these under another name: %d (extracted.tsv says which)" % counts["mapped"])
    for status in sorted(set(counts) - {"extracted", "mapped"}):
        print("not extracted, %s: %d (extracted.tsv says which)" % (status, counts[status]))
    print("entries, events and site rows read: %d" % len(archive.seen))
    tell_shredded(archive)
    if archive.damage:
        print("damage met on the way: %d" % archive.damage)
    failed = set(counts) - {"extracted", "mapped", "shredded"}
    return 1 if failed or archive.damage else 0


def command_verify(args):
    engine, progress = Engine(args.plain), Progress()
    unread = []
    packs, feet = find_packs(args.folders, lambda text: (print(text), unread.append(text)))
    good, bad, findings, records, size = Locations(), {}, len(unread), 0, 0
    sealed, unsealed = set(), {}  # pack ids; of those without a locator, where
    for number, path in enumerate(packs + feet):
        progress.step("%d of %d: %s" % (number + 1, len(packs) + len(feet), path))
        try:
            check = PackCheck(Pack(path), engine).run()
        except Failure as error:
            progress.done()
            print(error)
            findings += 1
            continue
        progress.done()
        for offset, text in sorted(check.findings):
            print("%s: offset %d: %s" % (field(path), offset, text))
        for text in check.remarks:
            print("%s: note: %s" % (field(path), text))
        if check.unknown:
            print("%s: note: %d records of a newer kind, checked but not known" % (field(path), check.unknown))
        for writer, sequence, offset in check.good:
            good.add(writer, sequence, number, offset)
        for record_id in check.bad:
            bad.setdefault(record_id, path)
        if check.pack.sealed:
            sealed.add(check.pack.locator.pack_id)
        elif not check.pack.header.why:
            unsealed[path] = check.pack.header.pack_id
        verdict = "ok" if not check.findings else "DAMAGED, %d findings" % len(check.findings)
        print("%s: %s, %s, %d records" % (field(path), verdict, check.state(), check.count()))
        findings += len(check.findings)
        records += check.records
        size += check.pack.size
    for path, pack_id in unsealed.items():
        if pack_id in sealed:
            print("%s: this pack was sealed, as another file here shows, and this copy has no end" % field(path))
            findings += 1
    lost = 0
    for record_id, path in bad.items():
        if good.find(record_id):
            other = (packs + feet)[good.find(record_id)[0][0]]
            print("%s: has a good copy in %s" % (id_text(record_id), field(other)))
        else:
            lost += 1
            print("%s: no good copy in these folders" % id_text(record_id))
    print(
        "%d files, %d records, %d bytes: %s"
        % (len(packs) + len(feet), records, size, "all good" if not findings else "%d findings" % findings)
    )
    if bad:
        print("%d records are damaged somewhere, %d of them have no good copy here" % (len(bad), lost))
    return 1 if findings else 0


def command_info(args):
    damage = False
    for path in args.folders:
        pack = Pack(path)
        header, locator = pack.header, pack.locator
        print("%s: %d bytes" % (field(path), pack.size))
        if header.why:
            damage = True
            print("  %s" % header.why)
        else:
            print("  pack %s, class %s, format version %d" % (
                header.pack_id.hex(), CLASSES.get(header.pack_class, header.pack_class), header.version))  # fmt: skip
            print("  archive %s" % header.archive.hex())
            print("  opened %s by writer %s" % (time_text(header.time), header.writer.hex()))
        kinds, torn, gaps, groups = {}, 0, 0, 0
        if pack.sealed:
            print("  %s %s, %d records of %s to %s" % (
                "footer file of a pack sealed" if pack.is_footer_file else "sealed", time_text(locator.time),
                locator.records, time_text(locator.time_least), time_text(locator.time_greatest)))  # fmt: skip
            print("  footer %d bytes at %d, repeating %d entries, events and site rows" % (
                locator.footer_length, locator.footer_offset, locator.notes))  # fmt: skip
            print("  root %s" % locator.root.hex())
        else:
            print("  open (%s)" % locator.why if locator.marked else "  open")
            damage = damage or locator.marked
        for group in pack.settled_groups():
            torn += len(group.records) if group.torn else 0
            gaps += 0 if group.torn else len(group.gaps)
            groups += 0 if group.torn else 1
            for _, head in () if group.torn else group.records:
                kinds[head.kind_text()] = kinds.get(head.kind_text(), 0) + 1
        print(
            "  %d groups: %s" % (groups, ", ".join("%d %s" % (n, k) for k, n in sorted(kinds.items())) or "no records")
        )
        if torn:
            print("  %d records in a torn end" % torn)
        if gaps:
            damage = True
            print("  %d damaged places (verify says where)" % gaps)
        for line in header.text.splitlines():
            print("  | %s" % field(line))
    return 1 if damage else 0


def share(text):
    part, _, parts = text.partition("/")
    if not (part.isdigit() and parts.isdigit() and 1 <= int(part) <= int(parts) <= PARTS_MAX):
        raise argparse.ArgumentTypeError("a share is written 1/8, 2/8 to 8/8; at most %d" % PARTS_MAX)
    return int(part), int(parts)


class Parser(argparse.ArgumentParser):
    def error(self, message):
        raise Misuse("%s (see --help)" % message)


def arguments(argv):
    parser = Parser(prog="stele_read.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)

    def command(name, run, help, what="FOLDER", keys=False):
        sub = commands.add_parser(name, help=help, description=help)
        sub.set_defaults(run=run)
        sub.add_argument("folders", nargs="+", metavar=what)
        sub.add_argument("--plain", action="store_true", default=os.environ.get("STELE_PLAIN") == "1",
                         help="use no native library")  # fmt: skip
        if keys:
            sub.add_argument("--keys", metavar="EXPORT.json", help="an export of the keyring, or a keyring file")
            sub.add_argument("--passphrase-file", metavar="F", help="a file with the export's passphrase")
            sub.add_argument("--bucket", metavar="B", help="only this bucket")
            sub.add_argument("--all-versions", action="store_true", help="older versions too")
            sub.add_argument("--keep-torn", action="store_true",
                             help="also use the whole records of a torn end, which were never acknowledged")  # fmt: skip
            sub.add_argument("--even-shredded", action="store_true",
                             help="do not heed shredding events where an old export can still open the group")  # fmt: skip
        return sub

    command("list", command_list, "list the objects, or without --keys the packs", keys=True)
    extract = command("extract", command_extract, "bring all objects back", keys=True)
    extract.add_argument("--part", metavar="I/N", type=share, default=(1, 1), help="only the I-th of N shares")
    extract.add_argument("--out", metavar="DIR", required=True, help="a new or empty folder")
    extract.add_argument("--partial", action="store_true",
                         help="keep what is left of damaged objects, zeros for what is lost, in DIR/<tenant>/~partial")  # fmt: skip
    command("verify", command_verify, "check every byte; needs no keys")
    command("info", command_info, "what packs say about themselves", what="PACK")
    args = parser.parse_args(argv)
    if not args.command:
        raise Misuse("no command given (see --help)")
    return args


def main(argv=None):
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        args = arguments(argv)
        return args.run(args)
    except Misuse as error:
        say(error)
        return 2
    except Failure as error:
        say(error)
        return 1
    except KeyboardInterrupt:
        say("stopped")
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader of our output is gone; say nothing more to it
        return 1
    except OSError as error:
        say("%s%s" % ("%s: " % error.filename if error.filename else "", error.strerror or error))
        return 1
    except MemoryError:
        say("out of memory")
        return 1
    except Exception as error:
        # A mistake of this program. Say so in a line; STELE_TRACE=1 shows where.
        if os.environ.get("STELE_TRACE") == "1":
            raise
        say("a mistake of this reader: %s: %s (STELE_TRACE=1 shows where)" % (type(error).__name__, error))
        return 1
    finally:
        _open_files.clear()


if __name__ == "__main__":
    sys.exit(main())
