"""Writes small packs, keyrings and exports as FORMAT.md says, for the tests of tools/stele_read.py.

It shares no code with the reader, nor with the archive that writes packs in earnest: its ciphers are the plainest possible
forms of the standards, one block at a time, so that a mistake must be made three times to go unseen. Slow; for kilobytes.
"""

import base64
import hashlib
import hmac
import json
import os
import struct
import zlib

BLOCK = 4096
MEBIBYTE = 1 << 20
PACK_MARK = b"\x89STELE\r\n"
RECORD_MARK = b"\x89STR\r\n\x1a\n"
LOCATOR_MARK = b"\x89STL\r\n\x1a\n"
CHUNK, LIST, ENTRY, EVENT, SITE, COMMIT, INDEX = 1, 2, 3, 4, 6, 16, 17


# --- ciphers ---------------------------------------------------------------------------------------------------------


def _gf_multiply(a, b):
    product = 0
    while b:
        if b & 1:
            product ^= a
        a = (a << 1) ^ (0x11B if a & 0x80 else 0)
        b >>= 1
    return product


def _aes_box():
    box = []
    for value in range(256):
        inverse = next((other for other in range(256) if _gf_multiply(value, other) == 1), 0)
        bits = [(inverse >> i) & 1 for i in range(8)]
        out = 0
        for i in range(8):
            bit = bits[i] ^ bits[(i + 4) % 8] ^ bits[(i + 5) % 8] ^ bits[(i + 6) % 8] ^ bits[(i + 7) % 8]
            out |= (bit ^ (0x63 >> i & 1)) << i
        box.append(out)
    return box


_BOX = _aes_box()
_TWO = [_gf_multiply(value, 2) for value in range(256)]
_THREE = [_gf_multiply(value, 3) for value in range(256)]


def _aes_schedule(key):
    w, rcon = [list(key[i : i + 4]) for i in range(0, 32, 4)], 1
    for i in range(8, 60):
        t = list(w[i - 1])
        if i % 8 == 0:
            t = [_BOX[t[1]] ^ rcon, _BOX[t[2]], _BOX[t[3]], _BOX[t[0]]]
            rcon = _gf_multiply(rcon, 2)
        elif i % 8 == 4:
            t = [_BOX[b] for b in t]
        w.append([a ^ b for a, b in zip(w[i - 8], t)])
    return [sum(w[4 * r : 4 * r + 4], []) for r in range(15)]


def _aes_block(schedule, block):
    s = [a ^ b for a, b in zip(block, schedule[0])]
    for step in range(1, 15):
        s = [_BOX[b] for b in s]
        s = [s[(i + 4 * (i % 4)) % 16] for i in range(16)]
        if step < 14:
            m = []
            for c in range(0, 16, 4):
                a, b, d, e = s[c : c + 4]
                m += [
                    _TWO[a] ^ _THREE[b] ^ d ^ e,
                    a ^ _TWO[b] ^ _THREE[d] ^ e,
                    a ^ b ^ _TWO[d] ^ _THREE[e],
                    _THREE[a] ^ b ^ d ^ _TWO[e],
                ]
            s = m
        s = [a ^ b for a, b in zip(s, schedule[step])]
    return bytes(s)


def _ghash(h, data):
    y, h = 0, int.from_bytes(h, "big")
    for at in range(0, len(data), 16):
        y ^= int.from_bytes(data[at : at + 16], "big")
        z, v = 0, h
        for i in range(127, -1, -1):
            if y >> i & 1:
                z ^= v
            v = (v >> 1) ^ (0xE1 << 120 if v & 1 else 0)
        y = z
    return y.to_bytes(16, "big")


def aes_gcm_seal(key, nonce, aad, plain):
    schedule = _aes_schedule(key)
    out = bytearray()
    for i, at in enumerate(range(0, len(plain), 16)):
        stream = _aes_block(schedule, nonce + struct.pack(">I", 2 + i))
        out += bytes(a ^ b for a, b in zip(plain[at : at + 16], stream))
    hashed = aad + bytes(-len(aad) % 16) + bytes(out) + bytes(-len(out) % 16)
    hashed += struct.pack(">QQ", 8 * len(aad), 8 * len(out))
    tag = _ghash(_aes_block(schedule, bytes(16)), hashed)
    mask = _aes_block(schedule, nonce + b"\0\0\0\1")
    return bytes(out) + bytes(a ^ b for a, b in zip(tag, mask))


def _affine_sm4(x):
    row, out = 0xD3, 0  # the first row of a circulant matrix, for the highest bit
    for _ in range(8):
        out = out << 1 | (bin(row & x).count("1") & 1)
        row = row >> 1 | (row & 1) << 7
    return out


def _rotl(x, n):
    n %= 32
    return ((x << n) | (x >> (32 - n))) & 0xFFFFFFFF


def _sm4_box():
    """The S-box from algebra: affine map, inverse in GF(2^8) by x^8+x^7+x^6+x^5+x^4+x^2+1, affine map."""

    def multiply(a, b):
        product = 0
        while b:
            product ^= a if b & 1 else 0
            a = (a << 1) ^ (0x1F5 if a & 0x80 else 0)
            b >>= 1
        return product

    def inverse(a):
        result = 1
        for _ in range(254):
            result = multiply(result, a)
        return result if a else 0

    return [_affine_sm4(inverse(_affine_sm4(x) ^ 0xD3)) ^ 0xD3 for x in range(256)]


_SM4_BOX = _sm4_box()


def _sm4_tau(word):
    return int.from_bytes(bytes(_SM4_BOX[b] for b in word.to_bytes(4, "big")), "big")


def sm4_ctr(key, first, data):
    k = [a ^ b for a, b in zip(struct.unpack(">4I", key), (0xA3B1BAC6, 0x56AA3350, 0x677D9197, 0xB27022DC))]
    for i in range(32):
        ck = int.from_bytes(bytes((4 * i + j) * 7 % 256 for j in range(4)), "big")
        b = _sm4_tau(k[-3] ^ k[-2] ^ k[-1] ^ ck)
        k.append(k[-4] ^ b ^ _rotl(b, 13) ^ _rotl(b, 23))
    out, counter = bytearray(), int.from_bytes(first, "big")
    for at in range(0, len(data), 16):
        x = list(struct.unpack(">4I", counter.to_bytes(16, "big")))
        for rk in k[4:]:
            b = _sm4_tau(x[1] ^ x[2] ^ x[3] ^ rk)
            x = x[1:] + [x[0] ^ b ^ _rotl(b, 2) ^ _rotl(b, 10) ^ _rotl(b, 18) ^ _rotl(b, 24)]
        stream = struct.pack(">4I", *reversed(x))
        out += bytes(a ^ b for a, b in zip(data[at : at + 16], stream))
        counter = (counter + 1) % (1 << 128)
    return bytes(out)


def sm3(data):
    v = [0x7380166F, 0x4914B2B9, 0x172442D7, 0xDA8A0600, 0xA96F30BC, 0x163138AA, 0xE38DEE4D, 0xB0FB0E4E]
    message = data + b"\x80" + bytes((55 - len(data)) % 64) + struct.pack(">Q", 8 * len(data))
    for at in range(0, len(message), 64):
        w = list(struct.unpack_from(">16I", message, at))
        for j in range(16, 68):
            x = w[j - 16] ^ w[j - 9] ^ _rotl(w[j - 3], 15)
            w.append(x ^ _rotl(x, 15) ^ _rotl(x, 23) ^ _rotl(w[j - 13], 7) ^ w[j - 6])
        a, b, c, d, e, f, g, h = v
        for j in range(64):
            t = 0x79CC4519 if j < 16 else 0x7A879D8A
            ss1 = _rotl((_rotl(a, 12) + e + _rotl(t, j)) & 0xFFFFFFFF, 7)
            ss2 = ss1 ^ _rotl(a, 12)
            ff = a ^ b ^ c if j < 16 else (a & b) | (a & c) | (b & c)
            gg = e ^ f ^ g if j < 16 else (e & f) | ((e ^ 0xFFFFFFFF) & g)
            tt1 = (ff + d + ss2 + (w[j] ^ w[j + 4])) & 0xFFFFFFFF
            tt2 = (gg + h + ss1 + w[j]) & 0xFFFFFFFF
            d, c, b, a = c, _rotl(b, 9), a, tt1
            h, g, f, e = g, _rotl(f, 19), e, tt2 ^ _rotl(tt2, 9) ^ _rotl(tt2, 17)
        v = [p ^ q for p, q in zip(v, (a, b, c, d, e, f, g, h))]
    return struct.pack(">8I", *v)


def hmac_sm3(key, message):
    key = (sm3(key) if len(key) > 64 else key).ljust(64, b"\0")
    return sm3(bytes(b ^ 0x5C for b in key) + sm3(bytes(b ^ 0x36 for b in key) + message))


def hmac_sha256(key, message):
    return hmac.new(key, message, hashlib.sha256).digest()


def zstd_stored(data):
    """A Zstandard frame of raw blocks, or one RLE block where that does."""
    out = b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", len(data))
    if data and len(data) < 131072 and len(set(data)) == 1:
        return out + struct.pack("<I", len(data) << 3 | 1 << 1 | 1)[:3] + data[:1]
    pieces = [data[i : i + 131072] for i in range(0, len(data), 131072)] or [b""]
    for i, piece in enumerate(pieces):
        out += struct.pack("<I", len(piece) << 3 | (i == len(pieces) - 1))[:3] + piece
    return out


# --- keys ------------------------------------------------------------------------------------------------------------


class Tree:
    """The key tree of one tenant and the cover that is left of it."""

    def __init__(self, tenant, root=None):
        self.tenant = tenant
        self.nodes = {"": root or os.urandom(32)}  # path as a text of 0 and 1 -> key

    @staticmethod
    def path(year, group):
        return format(year, "016b") + format(group, "064b")

    @staticmethod
    def child(key, bit):
        return hmac_sha256(key, b"stele/1/node" + bytes([int(bit)]))

    def key(self, year, group):
        path = self.path(year, group)
        prefix = next(node for node in self.nodes if path.startswith(node))
        key = self.nodes[prefix]
        for bit in path[len(prefix) :]:
            key = self.child(key, bit)
        return key

    def shred(self, year, group):
        path = self.path(year, group)
        prefix = next(node for node in self.nodes if path.startswith(node))
        key = self.nodes.pop(prefix)
        for depth in range(len(prefix), 80):
            other = "1" if path[depth] == "0" else "0"
            self.nodes[path[:depth] + other] = self.child(key, other)
            key = self.child(key, path[depth])

    def json(self):
        nodes = [{"depth": len(p), "path": p, "key": b64(k)} for p, k in self.nodes.items()]
        return {"tenant": self.tenant, "cipher": 1, "nodes": nodes}


def b64(data):
    return base64.b64encode(data).decode()


def keyring(archive, generation, trees):
    """A keyring file in the clear."""
    value = {"format": "stele-keyring", "version": 1, "archive": archive.hex(), "generation": str(generation)}
    return {**value, "tenants": [tree.json() for tree in trees]}


def export(archive, generation, number, trees, passphrase, n=1024):
    """An export under a passphrase (in NFC already)."""
    salt, nonce = os.urandom(16), os.urandom(12)
    key = hashlib.scrypt(passphrase.encode(), salt=salt, n=n, r=8, p=1, dklen=32, maxmem=1 << 28)
    aad = "stele-keyring/1/%s/%d/%d" % (archive.hex(), generation, number)
    plain = json.dumps([tree.json() for tree in trees]).encode()
    return {
        "format": "stele-keyring", "version": 1, "archive": archive.hex(), "generation": str(generation),
        "export": str(number), "created": "2026-01-02T03:04:05Z",
        "kdf": {"name": "scrypt", "n": n, "r": 8, "p": 1, "salt": b64(salt)},
        "nonce": b64(nonce), "sealed": b64(aes_gcm_seal(key, nonce, aad.encode(), plain)),
    }  # fmt: skip


# --- records ---------------------------------------------------------------------------------------------------------


class Record:
    """A record's bytes and what an index says of it."""

    def __init__(self, head, body, fields):
        self.head, self.body = head, body
        self.__dict__.update(fields)

    @property
    def bytes(self):
        data = self.head + self.body
        return data + bytes(-len(data) % 16)

    @property
    def leaf(self):
        return hashlib.sha256(b"\0" + self.head).digest()

    @property
    def id(self):
        return "%s.%d" % (self.writer.hex(), self.sequence)

    @property
    def id_bytes(self):
        return self.writer + struct.pack("<Q", self.sequence)


class Writer:
    """One run of a program that writes: its id, its sequence, its clock."""

    def __init__(self, trees=(), writer=None, time_ms=1_700_000_000_000):
        self.trees = {tree.tenant: tree for tree in trees}
        self.writer = writer or os.urandom(16)
        self.sequence = 0
        self.time = time_ms << 16

    def record(self, kind, plain, tenant=1, year=2026, group=7, codec=0, cipher=0, **odd):
        """`odd` overrides fields of the head, adds raw type-length-values (tlvs) or replaces packed bytes (packed)."""
        self.sequence += 1
        self.time += 1 << 16
        packed = odd.get("packed", zstd_stored(plain) if codec == 1 else plain)
        nonce = os.urandom({0: 0, 1: 12, 2: 16}.get(cipher, 0))
        rest = odd.get("tlvs", b"")
        tlvs = rest + (struct.pack("<HH", 0x8001, len(nonce)) + nonce if nonce else b"")
        length = len(packed) + {0: 0, 1: 16, 2: 32}.get(cipher, 0)
        fields = {
            "version": 1, "kind": kind, "codec": codec, "codec_version": 1 if codec else 0, "cipher": cipher, "digest": 1,
            "year": year, "zero": 0, "tenant": tenant, "tlv_length": len(tlvs), "group": group, "length": length,
            "plain_length": len(plain), "sequence": self.sequence, "time": self.time, "writer": self.writer,
        }  # fmt: skip
        fields.update({key: value for key, value in odd.items() if key in fields})
        first = RECORD_MARK + struct.pack("<8H2I5Q16s", *fields.values())
        aad = first + rest
        if cipher == 1:
            key = hmac_sha256(self.trees[tenant].key(year, group), b"stele/1/aes-256-gcm")
            body = aes_gcm_seal(key, nonce, aad, packed)
        elif cipher == 2:
            top = self.trees[tenant].key(year, group)
            text = sm4_ctr(hmac_sha256(top, b"stele/1/sm4-ctr")[:16], nonce, packed)
            message = nonce + struct.pack("<Q", len(aad)) + aad + text
            body = text + hmac_sm3(hmac_sha256(top, b"stele/1/hmac-sm3"), message)
        else:
            body = packed
        fixed = first + hashlib.sha256(body).digest() + struct.pack("<I", odd.get("zero_b", 0))
        head = fixed + struct.pack("<I", zlib.crc32(fixed + tlvs)) + tlvs
        return Record(head, body, fields)

    def json(self, kind, value, **options):
        text = json.dumps(value, ensure_ascii=False)
        if any("\ud800" <= c <= "\udfff" for c in text):  # half of a surrogate pair can only be written as an escape
            text = json.dumps(value)
        return self.record(kind, text.encode(), **options)

    def chunk_list(self, children, level=1, sha256=bytes(32), **options):
        """children: [(record, plain length below)]"""
        plain = struct.pack("<HHIQ", 1, level, len(children), sum(n for _, n in children)) + sha256
        plain += b"".join(child.id_bytes + struct.pack("<Q", n) for child, n in children)
        return self.record(LIST, plain, **options)

    def object(self, bucket, key, data, piece=MEBIBYTE, per_list=8192, entry=None, codec=0, **options):
        """Chunks, their lists and the entry of one object, in the order they are written."""
        records, ref = [], None
        pieces = [data[i : i + piece] for i in range(0, len(data), piece)]
        for part in pieces:
            records.append(self.record(CHUNK, part, codec=codec, **options))
        below = [(record, len(part)) for record, part in zip(records, pieces)]
        level = 0
        while len(below) > 1:
            level += 1
            above = []
            for i in range(0, len(below), per_list):
                children = below[i : i + per_list]
                top = len(below) <= per_list
                digest = hashlib.sha256(data).digest() if top else bytes(32)
                above.append((self.chunk_list(children, level, digest, **options), sum(n for _, n in children)))
            records += [record for record, _ in above]
            below = above
        if below:
            ref = below[0][0].id
        value = {
            "v": 1, "type": "object", "id": os.urandom(16).hex(), "bucket": bucket, "size": str(len(data)),
            "sha256": hashlib.sha256(data).hexdigest(), "created": str(self.time >> 16), "state": "live",
        }  # fmt: skip
        value.update({"key64": b64(key)} if isinstance(key, bytes) else {"key": key})
        if ref:
            value["ref"] = ref
        value.update(entry or {})
        records.append(self.json(ENTRY, value, **options))
        return records


# --- packs -----------------------------------------------------------------------------------------------------------


def merkle_root(leaves):
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\1" + merkle_root(leaves[:split]) + merkle_root(leaves[split:])).digest()


class PackMaker:
    def __init__(
        self, archive, pack_class=1, pack_id=None, text="A pack of a Stele archive; see FORMAT.md.", version=1
    ):
        self.archive, self.pack_class = archive, pack_class
        self.pack_id = pack_id or os.urandom(16)
        self.writer = os.urandom(16)
        self.time = 1_700_000_000_000 << 16
        header = PACK_MARK + struct.pack("<HHI", version, pack_class, 0) + self.pack_id + self.writer + archive
        header = (header + struct.pack("<Q", self.time)).ljust(3584, b"\0") + text.encode("ascii").ljust(508, b"\0")
        self.header = header + struct.pack("<I", zlib.crc32(header))
        self.data = bytearray(self.header)
        self.records = []  # (offset, record)
        self.offsets = {}  # record id -> offset
        self.groups = 0
        self.previous = (1 << 64) - 1
        self.footer_offset = None

    def _frame(self, kind, body, sequence, plain=None, codec=0):
        first = RECORD_MARK + struct.pack(
            "<8H2I5Q16s", 1, kind, codec, 1 if codec else 0, 0, 1, 0, 0, 0, 0, 0, len(body),
            len(body if plain is None else plain), sequence, self.time, self.writer,
        )  # fmt: skip
        fixed = first + hashlib.sha256(body).digest() + bytes(4)
        return Record(fixed + struct.pack("<I", zlib.crc32(fixed)), body, {})

    def group(self, records, footer=False):
        """Appends a group; returns the offset of its commit record."""
        start, leaves = len(self.data), b""
        placed = []
        for record in records:
            placed.append(len(self.data))
            if not footer:
                self.offsets[record.id] = len(self.data)
                self.records.append((len(self.data), record))
            self.data += record.bytes
            leaves += record.leaf
        self.data += bytes(-(len(self.data) + 192) % BLOCK)
        commit = len(self.data)
        body = struct.pack("<IIQQQ", len(records), int(footer), start, self.previous, len(self.records))
        self.data += self._frame(COMMIT, body + hashlib.sha256(leaves).digest(), self.groups).bytes
        self.previous, self.groups = commit, self.groups + 1
        return placed if footer else commit

    def seal(self, rows_per_record=8192, codec=0):
        """Adds the footer and the locator."""
        rows = []
        for offset, r in self.records:
            rows.append(
                (r.writer, r.sequence, struct.pack(
                    "<16sQIIHHIQQIHH", r.writer, r.sequence, offset // 16, len(r.head) + len(r.body), r.kind, r.year,
                    r.tenant, r.group, r.time, r.plain_length, r.codec, r.cipher) + r.leaf)
            )  # fmt: skip
        rows.sort(key=lambda row: row[:2])
        indexes, table = [], []
        for i in range(0, len(rows), rows_per_record):
            plain = b"".join(row[2] for row in rows[i : i + rows_per_record])
            body = zstd_stored(plain) if codec else plain
            indexes.append(self._frame(INDEX, body, len(indexes), plain, codec))
            table.append((rows[i][0], rows[i][1], len(indexes[-1].head + body), len(plain) // 96))
        copies = [r for _, r in self.records if r.kind in (ENTRY, EVENT, SITE)]
        self.footer_offset = len(self.data)
        placed = self.group(indexes, footer=True)
        if copies:
            self.group(copies, footer=True)
        footer = bytes(self.data[self.footer_offset :])
        total = -(-(len(self.data) + BLOCK) // MEBIBYTE) * MEBIBYTE
        times = [r.time for _, r in self.records] or [0]
        locator = LOCATOR_MARK + struct.pack("<HHI", 1, self.pack_class, len(indexes)) + self.pack_id
        locator += struct.pack("<8Q", self.footer_offset, len(footer), len(self.records), len(copies), total, self.time + 1,
                               min(times), max(times))  # fmt: skip
        locator += hashlib.sha256(footer).digest() + merkle_root([r.leaf for _, r in self.records])
        for (writer, sequence, length, count), offset in zip(table, placed):
            locator += struct.pack("<16s4Q", writer, sequence, offset, length, count)
        locator = locator.ljust(4092, b"\0")
        locator += struct.pack("<I", zlib.crc32(locator))
        self.data += bytes(total - BLOCK - len(self.data)) + locator
        self.foot = self.header + footer + locator
        return self

    def bytes(self):
        return bytes(self.data)
