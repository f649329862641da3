"""What tools/stele_read.py promises, tried on packs written by pack_maker.py. Run: python3 -m unittest discover tests/python"""

import base64
import contextlib
import hashlib
import io
import json
import os
import random
import stat
import struct
import subprocess
import sys
import tempfile
import unittest
import unittest.mock
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
READER = os.path.join(HERE, "..", "..", "tools", "stele_read.py")
sys.path[:0] = [HERE, os.path.dirname(READER)]

import pack_maker as maker  # noqa: E402
import stele_read as reader  # noqa: E402
from pack_maker import CHUNK, ENTRY, EVENT, SITE, PackMaker, Tree, Writer  # noqa: E402

ARCHIVE = bytes(range(16))
PASSPHRASE = "corr\u00e9ct 马 battery"
SEED = int(os.environ.get("STELE_SEED", "8812"))


def noise(size, seed=SEED):
    return random.Random(seed).randbytes(size)


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = folder.name
        self.tree = Tree(1)
        self.zero = Tree(0)
        self.writer = Writer([self.zero, self.tree])

    def path(self, *parts):
        return os.path.join(self.root, *parts)

    def write(self, name, data):
        path = self.path(*name.split("/"))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data if isinstance(data, (bytes, bytearray)) else json.dumps(data).encode())
        return path

    def keys(self, trees=None):
        return self.write("export.json", maker.keyring(ARCHIVE, 1, trees or [self.zero, self.tree]))

    def run_main(self, *args):
        """(exit code, output, errors); an exception here is a traceback that a user would see."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            with unittest.mock.patch.dict(os.environ, {"STELE_TRACE": "1"}):
                code = reader.main(list(args))
        return code, out.getvalue(), err.getvalue()

    def extract(self, *extra, folders=None, keys=None, out="out"):
        """Runs an extraction; returns (exit code, {path below the tenant: bytes}, rows of the table, output)."""
        where = self.path(out)
        arguments = [
            "extract",
            *(folders or [self.path("packs")]),
            "--keys",
            keys or self.keys(),
            "--out",
            where,
            *extra,
        ]
        code, stdout, stderr = self.run_main(*arguments)
        files = {}
        for folder, _, names in os.walk(where):
            for name in names:
                full = os.path.join(folder, name)
                relative = os.path.relpath(full, where).replace(os.sep, "/")
                if "/" in relative:
                    with open(full, "rb") as file:
                        files[relative] = file.read()
        with open(os.path.join(where, "extracted.tsv"), encoding="utf-8") as file:
            lines = [line.rstrip("\n").split("\t") for line in file]
        rows = [dict(zip(lines[0], line)) for line in lines[1:]]
        return code, files, rows, stdout + stderr

    def pack(self, *groups, seal=True, **options):
        pack = PackMaker(ARCHIVE, **options)
        for group in groups:
            pack.group(group)
        return pack.seal() if seal else pack

    def verify(self, *folders):
        code, out, err = self.run_main("verify", *(folders or [self.path("packs")]))
        return code, out + err


# --- ciphers, digests, Zstandard -------------------------------------------------------------------------------------


class CipherTest(unittest.TestCase):
    engines = [("plain", reader.Engine(True)), ("native", reader.Engine(False))]

    def test_aes_256_gcm_known_answers(self):
        empty = [bytes(32), bytes(12), b"", b"", bytes.fromhex("530f8afbc74536b9a963b4f1c4cb738b")]
        zeros = [bytes(32), bytes(12), b"", bytes.fromhex("cea7403d4d606b6e074ec5d3baf39d18"),
                 bytes.fromhex("d0d1c8a799996bf0265b98b5d48ab919")]  # fmt: skip
        for name, engine in self.engines:
            with self.subTest(name):
                self.assertEqual(engine.aes_gcm_open(*empty), b"")
                self.assertEqual(engine.aes_gcm_open(*zeros), bytes(16))
                self.assertEqual(engine.aes_gcm_open(*reader._GCM_CASE), reader._GCM_PLAIN)
                for part in range(2, 5):
                    forged = list(reader._GCM_CASE)
                    forged[part] = bytes([forged[part][0] ^ 1]) + forged[part][1:]
                    self.assertIsNone(engine.aes_gcm_open(*forged))

    def test_sm4_known_answer(self):
        schedule = reader.sm4_round_keys(reader._SM4_CASE)
        self.assertEqual(reader._sm4_blocks(schedule, reader._SM4_CASE * 3), reader._SM4_STREAM * 3)
        for name, engine in self.engines:
            with self.subTest(name):
                self.assertEqual(engine.sm4_ctr(reader._SM4_CASE, reader._SM4_CASE, bytes(16)), reader._SM4_STREAM)

    def test_sm3_known_answers(self):
        long = bytes.fromhex("debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732")
        for name, engine in self.engines:
            with self.subTest(name):
                self.assertEqual(engine.sm3(b"abc"), reader._SM3_ABC)
                self.assertEqual(engine.sm3(b"abcd" * 16), long)

    def test_scrypt_known_answer(self):
        vector = "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"  # noqa: E501
        self.assertEqual(reader.scrypt_plain(b"password", b"NaCl", 16, 8, 16, 64).hex()[:16],
                         hashlib.scrypt(b"password", salt=b"NaCl", n=16, r=8, p=16, dklen=64).hex()[:16])  # fmt: skip
        self.assertEqual(reader.scrypt(b"password", b"NaCl", 1024, 8, 16, 64).hex(), vector)

    def test_every_length_agrees_with_the_textbook_ciphers(self):
        for name, engine in self.engines:
            for size in [0, 1, 15, 16, 17, 31, 33, 255, 257]:
                with self.subTest(name, size=size):
                    data, key, nonce = noise(size), noise(32, 1), noise(12, 2)
                    sealed = maker.aes_gcm_seal(key, nonce, data[:20], data)
                    self.assertEqual(engine.aes_gcm_open(key, nonce, data[:20], sealed[:-16], sealed[-16:]), data)
                    counter = b"\xff" * 15 + b"\xfe"  # the counter wraps in all 128 bits
                    self.assertEqual(engine.sm4_ctr(key[:16], counter, data), maker.sm4_ctr(key[:16], counter, data))
                    self.assertEqual(reader.hmac_sm3(engine.sm3, key + data, data), maker.hmac_sm3(key + data, data))

    def test_batches_join_where_they_meet(self):
        size = 16 * reader.BATCH_BLOCKS + 40
        plain, native = self.engines[0][1], self.engines[1][1]
        whole = plain.sm4_ctr(bytes(16), bytes(16), bytes(size))
        at = 16 * reader.BATCH_BLOCKS - 16
        first = (at // 16).to_bytes(16, "big")
        self.assertEqual(whole[at:], maker.sm4_ctr(bytes(16), first, bytes(56)))
        if "AES" in native.native:
            tag = bytes(16)
            with unittest.mock.patch.object(reader.hmac, "compare_digest", lambda a, b: True):
                opened = plain.aes_gcm_open(bytes(32), bytes(12), b"", bytes(size), tag)
            sealed = maker.aes_gcm_seal(bytes(32), bytes(12), b"", opened[:48])
            self.assertEqual(sealed[:48], bytes(48))


# Frames of node:zlib (Zstandard 1.5.7) over these texts.
ZSTD_TEXT = {
    "empty": b"",
    "letters": b"".join(b"%d bottles of beer, take one down; " % i for i in range(99, 0, -1)),
    "zeros": bytes(200_000),
}
ZSTD_FRAMES = {
    ("empty", 3): "KLUv/SAAAQAA",
    (
        "letters",
        1,
    ): "KLUv/WCADLUEAFKIFxagJ20AGiHa2WXfrer8SZHd3Vv5+l+B5LLD1L3JZYep+yKXHabujVx2mLo/ctlh6h7JZYep+ySXHabulVx2mLpfctlh6n4CRqIMhhhlSEFwDOBASDGEMghiOI5SzB9iqGHk7v8Z0BvVARL4/1+Gf4UAyJLVSrZ2uTJdu17J1y4YcyQiZ0EBIiGkkQEeUTG/a56kCg==",
    (
        "letters",
        19,
    ): "KLUv/WCADFUEANJIGBWQKQ+AWcHCh+dnxv8jS4qQKPZ/jgGHqcv9ssPU5b6VHaYu96/sMHW5j2WHqcv9LDtMXe5r2WHqcn/LDlOX+1x2mLrc77LD1OU+BUiTEHSQhI4hMAQo5wxUJLScg2GSgf5iqCHo7v8Z8DXWEfz/L/MDWIDtBRdFs2TvQBKatAtKcFK1qdlkFQ==",
    ("zeros", 3): "KLUv/aBADQMAVAAAEAAAAQD7/znAAgNqCAA=",
}


class ZstdTest(unittest.TestCase):
    def test_frames_that_came_with_this_test(self):
        for (name, level), text in ZSTD_FRAMES.items():
            with self.subTest(name, level=level):
                data = ZSTD_TEXT[name]
                frame = base64.b64decode(text)
                self.assertEqual(reader.zstd_decompress_plain(frame, len(data)), data)
                with self.assertRaises(reader.ZstdError):
                    reader.zstd_decompress_plain(frame, len(data) + 1)

    @unittest.skipUnless(
        "STELE_ZSTD_CASES" in os.environ, "frames of all levels are made by tests/python-reader.test.ts"
    )
    def test_every_level_of_the_reference_encoder(self):
        """The folder holds <name>.plain and <name>.<anything>.zst."""
        folder = os.environ["STELE_ZSTD_CASES"]
        frames = [name for name in os.listdir(folder) if name.endswith(".zst")]
        self.assertGreater(len(frames), 100)
        plains = {}
        for name in sorted(frames):
            stem = name.split(".")[0]
            if stem not in plains:
                with open(os.path.join(folder, stem + ".plain"), "rb") as file:
                    plains[stem] = file.read()
            with self.subTest(name), open(os.path.join(folder, name), "rb") as file:
                self.assertTrue(reader.zstd_decompress_plain(file.read(), len(plains[stem])) == plains[stem])

    def test_blocks_stored_and_repeated(self):
        for data in (b"", b"a", bytes(5000), noise(200_000)):
            self.assertEqual(reader.zstd_decompress_plain(maker.zstd_stored(data), len(data)), data)

    def test_a_mutilated_frame_is_refused_and_never_believed_larger(self):
        rng = random.Random(SEED)
        frame = base64.b64decode(ZSTD_FRAMES["letters", 19])
        data = ZSTD_TEXT["letters"]
        for _ in range(1500):
            bad = bytearray(frame)
            for _ in range(rng.choice((1, 1, 3))):
                bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
            if rng.random() < 0.2:
                del bad[rng.randrange(len(bad)) :]
            try:
                out = reader.zstd_decompress_plain(bytes(bad), len(data))
            except reader.ZstdError:
                continue
            self.assertEqual(len(out), len(data), "seed %d" % SEED)


# --- pixels ----------------------------------------------------------------------------------------------------------


class PixelTest(unittest.TestCase):
    @unittest.skipUnless("STELE_PIXEL_CASES" in os.environ, "pixels are encoded by tests/python-reader.test.ts")
    def test_what_the_encoders_of_the_archive_wrote(self):
        """The folder holds <name>.plain and <name>.<codec>.<version>.px."""
        folder, modes, rng = os.environ["STELE_PIXEL_CASES"], set(), random.Random(SEED)
        for name in sorted(os.listdir(folder)):
            if not name.endswith(".px"):
                continue
            stem, codec, version = name.split(".")[:3]
            codec, version = int(codec), int(version)
            with open(os.path.join(folder, stem + ".plain"), "rb") as file:
                plain = file.read()
            with open(os.path.join(folder, name), "rb") as file:
                payload = file.read()
            modes.add((codec, version, payload[0]))
            with self.subTest(name):
                engine = reader.Engine(True)
                self.assertTrue(reader.decode_codec(engine, codec, version, payload, len(plain)) == plain)
                for _ in range(2):  # damage ends in an error or in as many bytes
                    bad = bytearray(payload)
                    bad[rng.randrange(min(len(bad), 60))] ^= 1 << rng.randrange(8)
                    bad = bytes(bad[: rng.choice((len(bad), rng.randrange(len(bad) + 1)))])
                    with contextlib.suppress(reader.Damaged):
                        self.assertEqual(len(reader.decode_codec(engine, codec, version, bad, len(plain))), len(plain))
        self.assertLessEqual({(3, 2, 2), (3, 2, 3), (4, 2, 2)}, modes)

    def test_payloads_that_hold_no_pixels(self):
        engine = reader.Engine(True)
        for codec, version in ((3, 1), (3, 2), (4, 1), (4, 2)):
            self.assertEqual(reader.decode_codec(engine, codec, version, b"\0abc", 3), b"abc")
            squeezed = b"\1" + maker.zstd_stored(b"abc")
            if version == 1:
                self.assertEqual(reader.decode_codec(engine, codec, 1, squeezed, 3), b"abc")
            for bad in (
                *((squeezed,) if version == 2 else ()),
                b"",
                b"\3",
                b"\0ab",
                b"\1abc",
                b"\2",
                b"\2" + bytes(10),
                b"\2" + b"\xff" * 40,
                b"\2" + bytes(90),
                b"\3" + bytes(10),
                b"\3\1\1\1\0\0\0\1\0\0\0" + b"\xff" * 4 + bytes(9),
            ):
                with self.assertRaises(reader.Damaged):
                    reader.decode_codec(engine, codec, version, bad, 3)


# --- keys ------------------------------------------------------------------------------------------------------------


class KeyTest(Case):
    def keyring(self, trees, engine=None):
        value = maker.keyring(ARCHIVE, 1, trees)
        return reader.Keyring(engine or reader.Engine(True), ARCHIVE, 1, value["tenants"])

    def test_a_key_is_80_steps_below_the_root(self):
        key = bytes(32)
        tree = Tree(1, key)
        for bit in format(2026, "016b") + format(0x8000000000000001, "064b"):
            key = maker.hmac_sha256(key, b"stele/1/node" + bytes([int(bit)]))
        self.assertEqual(self.keyring([tree]).group_key(1, 2026, 0x8000000000000001), key)

    def test_shredding_takes_one_group_and_leaves_its_neighbours(self):
        before = {group: self.tree.key(2026, group) for group in (6, 7, 8, 2**64 - 1)}
        self.tree.shred(2026, 7)
        keyring = self.keyring([self.tree])
        with self.assertRaises(reader.Shredded):
            keyring.group_key(1, 2026, 7)
        for group in (6, 8, 2**64 - 1):
            self.assertEqual(keyring.group_key(1, 2026, group), before[group])
        with self.assertRaises(reader.NoKey):
            keyring.group_key(2, 2026, 8)

    def test_an_export_opens_with_its_passphrase_in_any_normal_form(self):
        path = self.write("e.json", maker.export(ARCHIVE, 5, 2, [self.tree], PASSPHRASE))
        for engine in (reader.Engine(True), reader.Engine(False)):
            keyring = reader.read_keyring(path, engine, lambda: "corre\u0301ct 马 battery")
            self.assertEqual(keyring.group_key(1, 2026, 7), self.tree.key(2026, 7))
            self.assertEqual((keyring.archive, keyring.generation), (ARCHIVE, 5))

    def test_a_wrong_passphrase_and_an_altered_export_are_refused(self):
        value = maker.export(ARCHIVE, 5, 2, [self.tree], PASSPHRASE)
        path = self.write("e.json", value)
        with self.assertRaisesRegex(reader.Failure, "passphrase"):
            reader.read_keyring(path, reader.Engine(True), lambda: "wrong")
        for change in ({"generation": "6"}, {"export": "3"}, {"archive": "00" * 16}):
            path = self.write("e.json", {**value, **change})
            with self.assertRaises(reader.Failure):
                reader.read_keyring(path, reader.Engine(True), lambda: PASSPHRASE)

    def test_a_digest_in_a_keyring_file_tells_damage_from_a_wrong_passphrase(self):
        text = json.dumps(maker.keyring(ARCHIVE, 5, [self.tree]), separators=(",", ":"))[:-1].encode()
        whole = text + b',"sha256":"' + hashlib.sha256(text).hexdigest().encode() + b'"}\n'
        for data, told in ((whole, 0), (whole.replace(b'"cipher":1', b'"cipher":2'), 1)):
            err = io.StringIO()
            with contextlib.redirect_stderr(err):
                keyring = reader.read_keyring(self.write("k.json", data), reader.Engine(True), None)
            self.assertEqual(keyring.group_key(1, 2026, 7), self.tree.key(2026, 7))
            self.assertEqual(err.getvalue().count("damaged"), told)

    def test_what_is_no_keyring_is_refused_in_one_line(self):
        good = maker.export(ARCHIVE, 5, 2, [self.tree], PASSPHRASE)
        huge = {**good, "kdf": {**good["kdf"], "n": 1 << 40}}
        for value in (b"\xff", b"[]", b"{}", {**good, "version": 2}, {**good, "kdf": 1}, {**good, "sealed": "?"}, huge):
            path = self.write("e.json", value)
            self.write("packs/a.pack", self.pack().bytes())
            with unittest.mock.patch.dict(os.environ, {"STELE_PASSPHRASE": PASSPHRASE}):
                code, _, err = self.run_main("list", self.path("packs"), "--keys", path)
            self.assertEqual((code, err.count("\n")), (1, 1), err)


# --- reading what is whole -------------------------------------------------------------------------------------------


class ExtractTest(Case):
    def test_sealed_open_and_footerless_packs_give_the_same(self):
        objects = {"a.txt": b"hello", "empty": b"", "sub/long": noise(70_000), "汉字/名.dcm": bytes(3000)}
        for how in ("sealed", "sealed, two indexes", "sealed, zstd index", "open", "in many groups"):
            with self.subTest(how):
                writer = Writer([self.zero, self.tree])
                groups = [writer.object("b", key, data, piece=20_000, codec=1) for key, data in objects.items()]
                if how != "in many groups":
                    groups = [sum(groups, [])]
                pack = self.pack(*groups, seal=False)
                if "sealed" in how:
                    pack.seal(rows_per_record=3 if "two" in how else 8192, codec=1 if "zstd" in how else 0)
                self.write("packs/x/y/a.pack", pack.bytes())
                code, files, rows, text = self.extract(out=how)
                self.assertEqual(code, 0, text)
                self.assertEqual(files, {"1/b/" + key: data for key, data in objects.items()})
                self.assertEqual({row["status"] for row in rows}, {"extracted"})
                code, text = self.verify()
                self.assertEqual(code, 0, text)

    def test_both_ciphers_natively_and_in_plain_python(self):
        data = noise(3000)
        records = self.writer.object("b", "aes", data, piece=1000, cipher=1)
        records += self.writer.object("b", "sm4", data, cipher=2, codec=1)
        records += self.writer.object("b", "clear", data)
        self.write("packs/a.pack", self.pack(records).bytes())
        for plain in ([], ["--plain"]):
            code, files, _, text = self.extract(*plain, out="out%d" % len(plain))
            self.assertEqual(code, 0, text)
            self.assertEqual(files, {"1/b/" + key: data for key in ("aes", "sm4", "clear")})

    def test_type_length_values_that_may_be_unknown_are_authenticated(self):
        extra = struct.pack("<HH", 0x0042, 3) + b"abc"
        records = [self.writer.record(CHUNK, b"x" * 99, cipher=1, tlvs=extra)]
        entry = {"ref": records[0].id, "size": "99", "sha256": hashlib.sha256(b"x" * 99).hexdigest()}
        records += self.writer.object("b", "k", b"", entry=entry, cipher=2)
        self.write("packs/a.pack", self.pack(records).bytes())
        self.assertEqual(self.extract()[1], {"1/b/k": b"x" * 99})

    def test_trees_of_lists_over_several_packs(self):
        data = noise(9000)
        records = self.writer.object("b", "k", data, piece=100, per_list=7)  # levels 1, 2 and 3
        for i in range(3):
            self.write("disk%d/%d.pack" % (i, i), self.pack(records[i::3]).bytes())
        folders = [self.path("disk%d" % i) for i in range(3)]
        code, files, _, _ = self.extract(folders=folders)
        self.assertEqual((code, files), (0, {"1/b/k": data}))
        code, files, rows, _ = self.extract("--partial", folders=folders[:2], out="less")
        self.assertEqual(code, 1)
        self.assertEqual([row["status"] for row in rows], ["lost"])

    def test_an_export_and_its_passphrase_bring_a_pack_back_through_the_command_line(self):
        self.write("packs/a.pack", self.pack(self.writer.object("b", "k", b"data", cipher=1)).bytes())
        keys = self.write("e.json", maker.export(ARCHIVE, 1, 1, [self.tree], PASSPHRASE, n=131072))
        words = self.write("words", PASSPHRASE.encode() + b"\n")
        base = [sys.executable, READER]
        done = subprocess.run(
            [*base, "extract", self.path("packs"), "--keys", keys, "--out", self.path("o"), "--passphrase-file", words],
            capture_output=True, text=True, encoding="utf-8", stdin=subprocess.DEVNULL,
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(self.path("o", "1", "b", "k"), "rb") as file:
            self.assertEqual(file.read(), b"data")
        environment = {**os.environ, "STELE_PASSPHRASE": PASSPHRASE}
        done = subprocess.run([*base, "list", self.path("packs"), "--keys", keys], capture_output=True, text=True,
                              encoding="utf-8", env=environment)  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("1\tb\tk\t4\t", done.stdout)
        environment.pop("STELE_PASSPHRASE")
        done = subprocess.run([*base, "list", self.path("packs"), "--keys", keys], capture_output=True, text=True,
                              env=environment, stdin=subprocess.DEVNULL)  # fmt: skip
        self.assertEqual((done.returncode, done.stderr.count("\n")), (2, 1), done.stderr)

    def test_versions_markers_and_deletions(self):
        w = self.writer
        first = w.object("b", "k", b"first", entry={"created": "1000"})
        second = w.object("b", "k", b"second", entry={"created": "2000"})
        gone = w.object("b", "gone", b"hidden", entry={"created": "1000"})
        marker = w.object("b", "gone", b"", entry={"created": "3000", "state": "marker"})
        dead = w.object("b", "dead", b"dead", entry={"id": "d" * 32})
        deleted = w.object("b", "dead", b"", entry={"id": "d" * 32, "state": "deleted"})
        # The greatest (time, writer, sequence) counts, in whatever order packs turn up.
        self.write("packs/1.pack", self.pack(deleted, second, marker).bytes())
        self.write("packs/2.pack", self.pack(first, gone, dead).bytes())
        code, files, _, _ = self.extract()
        self.assertEqual((code, files), (0, {"1/b/k": b"second"}))
        code, files, rows, _ = self.extract("--all-versions", out="all")
        self.assertEqual(sorted(files.values()), [b"first", b"hidden", b"second"])
        self.assertEqual(files["1/b/k"], b"second")
        self.assertTrue(all(path == "1/b/k" or path.startswith("1/~versions/b/") for path in files))
        code, out, _ = self.run_main("list", self.path("packs"), "--keys", self.keys(), "--all-versions")
        states = sorted(line.split("\t")[5] for line in out.splitlines()[1:])
        self.assertEqual(states, ["deleted", "live", "marker", "older", "older"])

    def test_reencoded_content_is_found_by_its_new_reference(self):
        data = noise(5000)
        old = self.writer.object("b", "k", data, piece=1000)
        new = [record for record in self.writer.object("b", "k", data, piece=2000) if record.kind != ENTRY]
        middle = self.writer.writer.hex() + ".999999"
        digest = hashlib.sha256(data).hexdigest()
        pairs = [[old[-2].id, middle, digest], [middle, new[-1].id, digest]]
        event = self.writer.json(EVENT, {"v": 1, "type": "reencoded", "pairs": pairs}, cipher=1)
        self.write("packs/1.pack", self.pack([old[-1]], [event]).bytes())
        self.write("packs/2.pack", self.pack(new).bytes())
        code, files, _, text = self.extract()
        self.assertEqual((code, files), (0, {"1/b/k": data}), text)

    def test_everything_noted_is_exported_once(self):
        w = self.writer
        records = w.object("b", "k", b"x")
        records.append(
            w.json(EVENT, {"v": 1, "type": "exported", "number": "1", "later": [1]}, tenant=0, group=0, year=0)
        )
        records.append(w.json(SITE, {"v": 1, "type": "site", "table": "users", "key": "a", "row": None}, tenant=0))
        records.append(w.record(EVENT, b"not json"))
        data = self.pack(records).bytes()
        self.write("packs/1.pack", data)
        self.write("packs/2.pack", data)
        code, _, _, text = self.extract()
        self.assertEqual(code, 1, "an event that is no JSON is damage")
        with open(self.path("out", "events.jsonl"), encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        self.assertEqual([line["kind"] for line in lines], ["event", "site", "event"])
        self.assertEqual(lines[0]["value"]["later"], [1])
        self.assertEqual(base64.b64decode(lines[2]["bytes"]), b"not json")
        with open(self.path("out", "entries.jsonl"), encoding="utf-8") as file:
            self.assertEqual([json.loads(line)["record"] for line in file], [records[1].id])

    @unittest.skipIf(os.name == "nt", "modes and names of another kind")
    def test_modes_times_and_names_that_cannot_be(self):
        w, groups = self.writer, []
        groups.append(w.object("b", "script", b"1", entry={"mode": 0o104750, "mtime": "1500000000123"}))
        for key in ("../../evil", "/abs", "a\0b", "x" * 300, "a//b", "", ".", "d/../e", "trailing/", "half\ud800",
                    "deep/" * 1500 + "x", "new\nline"):  # fmt: skip
            groups.append(w.object("b", key, key.encode("utf-8", "surrogatepass")))
        groups.append(w.object("../up", "k", b"bucket"))
        groups.append(w.object("/etc", "k", b"bucket"))
        groups.append(w.object("~mapped", "k", b"bucket"))
        groups.append(w.object("b", "file", b"file"))
        groups.append(w.object("b", "file/below", b"below"))
        groups.append(w.object("b", b"raw\xff\xfe", b"raw"))
        self.write("packs/a.pack", self.pack(*groups).bytes())
        code, files, rows, text = self.extract()
        self.assertEqual(code, 0, text)
        self.assertEqual(sorted(os.listdir(self.root)), ["export.json", "out", "packs"])
        self.assertEqual(sorted(os.listdir(self.path("out"))), ["1", "entries.jsonl", "events.jsonl", "extracted.tsv"])
        mapped = {row["path"]: row for row in rows if row["status"] == "mapped"}
        self.assertEqual(len(mapped), 16)
        for path in mapped:
            self.assertRegex(path, "^1/~mapped/[0-9a-f]{32}$")
        self.assertEqual({files["1/b/script"], files["1/b/file"]}, {b"1", b"file"})
        self.assertEqual(len(files), len(groups))
        self.assertIn(b"raw", files.values())
        about = os.stat(self.path("out", "1", "b", "script"))
        self.assertEqual(stat.S_IMODE(about.st_mode), 0o750)
        self.assertEqual(about.st_mtime_ns, 1500000000123 * 10**6)
        self.assertIn("new\\x0aline", [row["key"] for row in rows])

    def test_only_one_bucket(self):
        self.write(
            "packs/a.pack", self.pack(self.writer.object("a", "k", b"a"), self.writer.object("b", "k", b"b")).bytes()
        )
        self.assertEqual(self.extract("--bucket", "b")[1], {"1/b/k": b"b"})

    def test_shares_are_the_whole_and_do_not_overlap(self):
        self.write(
            "packs/a.pack", self.pack(sum((self.writer.object("b", "k%d" % i, b"x") for i in range(9)), [])).bytes()
        )
        shares = [self.extract("--part", "%d/3" % i, out="out%d" % i)[1] for i in (1, 2, 3)]
        self.assertEqual(sorted(sum(map(list, shares), [])), ["1/b/k%d" % i for i in range(9)])
        code, _, err = self.run_main("extract", self.path("packs"), "--out", self.path("o"), "--part", "4/3")
        self.assertEqual((code, err.count("\n")), (2, 1), err)

    def test_footer_files_alone_list_the_objects(self):
        pack = self.pack(self.writer.object("b", "k", b"data" * 999, cipher=1))
        self.write("feet/a.foot", pack.foot)
        code, out, _ = self.run_main("list", self.path("feet"), "--keys", self.keys())
        self.assertEqual(code, 0)
        self.assertIn("1\tb\tk\t3996\t", out)
        self.assertEqual(self.verify(self.path("feet"))[0], 0)
        code, files, rows, _ = self.extract(folders=[self.path("feet")])
        self.assertEqual((code, files, rows[0]["status"]), (1, {}, "lost"))
        self.write("feet/a.pack", pack.bytes())
        self.assertEqual(self.extract(folders=[self.path("feet")], out="both")[:2], (0, {"1/b/k": b"data" * 999}))

    def test_packs_of_another_archive_are_passed_over(self):
        pack = self.pack(self.writer.object("b", "k", b"mine"))
        self.write("packs/a.pack", pack.bytes())
        other = PackMaker(b"\xee" * 16)
        other.group(Writer([Tree(1)]).object("b", "k", b"theirs", cipher=1))
        self.write("packs/b.pack", other.seal().bytes())
        code, files, _, text = self.extract()
        self.assertEqual((code, files), (0, {"1/b/k": b"mine"}))
        self.assertIn("another archive", text)

    def test_a_table_of_what_packs_say(self):
        pack = self.pack(self.writer.object("b", "k", b"data"), text="Hello, stranger.")
        path = self.write("packs/a.pack", pack.bytes())
        code, out, _ = self.run_main("info", path)
        self.assertEqual(code, 0)
        for part in (pack.pack_id.hex(), "ingest", "1 chunk, ", "| Hello, stranger."):
            self.assertIn(part, out)
        code, out, _ = self.run_main("list", self.path("packs"))
        self.assertEqual(code, 0)
        self.assertIn("sealed\t1048576\t2\t", out)


# --- what cannot be read ---------------------------------------------------------------------------------------------


class UnknownTest(Case):
    def refs(self, record, size):
        entry = {"ref": record.id, "size": str(size), "sha256": hashlib.sha256(b"x" * min(size, 99)).hexdigest()}
        return self.writer.object("b", "odd" + record.id, b"", entry=entry)

    def test_what_must_be_understood_and_is_not_costs_that_record_alone(self):
        must = struct.pack("<HH", 0x8077, 2) + b"zz"
        odd = {
            "head version 2": {"version": 2}, "kind 99": {"kind": 99}, "codec 77": {"codec": 77}, "codec version": {"codec_version": 9},
            "cipher 9": {"cipher": 9}, "digest 2": {"digest": 2}, "zero_a": {"zero": 1}, "zero_b": {"zero_b": 1},
            "type": {"tlvs": must}, "cut-off types": {"tlvs": b"\1\0\xff"}, "next kind": {"kind": 7},
        }  # fmt: skip
        for name, fields in odd.items():
            with self.subTest(name):
                kind = fields.pop("kind", CHUNK)
                record = self.writer.record(kind, b"x" * 50, **fields)
                pack = self.pack([record] + self.refs(record, 50) + self.writer.object("b", "good", b"good"))
                self.write("packs/a.pack", pack.bytes())
                code, files, rows, text = self.extract(out=name)
                self.assertEqual((code, files), (1, {"1/b/good": b"good"}), text)
                statuses = sorted(row["status"] for row in rows)
                self.assertIn(statuses, (["extracted", "too-new"], ["extracted", "lost"]))
                code, text = self.verify()
                self.assertEqual(code, 1 if name == "cut-off types" else 0, text)

    def test_pixels_come_back_and_damaged_ones_are_named(self):
        good = self.writer.record(CHUNK, b"x" * 50, codec=3, packed=b"\0" + b"x" * 50)
        bad = self.writer.record(CHUNK, b"x" * 50, codec=4, packed=b"\2" + b"x" * 50)
        self.write("packs/a.pack", self.pack([good, bad] + self.refs(good, 50) + self.refs(bad, 50)).bytes())
        code, files, rows, _ = self.extract()
        self.assertEqual((code, list(files.values())), (1, [b"x" * 50]))
        self.assertIn("pixel-best", " ".join(row["note"] for row in rows))

    def test_a_newer_pack_is_refused_and_others_are_read(self):
        self.write("packs/new.pack", self.pack(self.writer.object("b", "new", b"new"), version=2).bytes())
        self.write("packs/old.pack", self.pack(self.writer.object("b", "old", b"old")).bytes())
        code, files, _, text = self.extract()
        self.assertEqual((code, files), (1, {"1/b/old": b"old"}))
        self.assertIn("format version 2", text)

    def test_shredded_groups_are_listed_and_the_rest_is_extracted(self):
        w = self.writer
        gone = w.object("b", "gone", b"gone", group=5, cipher=1)
        half = w.object("b", "half", b"half", group=5, cipher=1)[:1]
        digest = hashlib.sha256(b"half").hexdigest()
        half += w.object("b", "half", b"", group=6, cipher=1, entry={"ref": half[0].id, "size": "4", "sha256": digest})
        kept = w.object("b", "kept", b"kept", group=6, cipher=2)
        self.write("packs/a.pack", self.pack(gone, half, kept).bytes())
        before = self.keys()
        self.assertEqual(self.extract(keys=before, out="before")[1].keys(), {"1/b/gone", "1/b/half", "1/b/kept"})
        self.tree.shred(2026, 5)
        code, files, rows, text = self.extract()
        self.assertEqual((code, files), (0, {"1/b/kept": b"kept"}), text)
        self.assertEqual(sorted(row["status"] for row in rows), ["extracted", "shredded", "shredded"])
        self.assertIn(gone[1].id, " ".join(row["note"] for row in rows))

    def test_an_old_export_does_not_open_what_an_event_says_was_shredded(self):
        gone = self.writer.object("b", "gone", b"gone", group=5, cipher=1)
        value = {"v": 1, "type": "shredded", "year": 2026, "group": "%016x" % 5, "generation": "2"}
        event = self.writer.json(EVENT, value, year=0, group=0, cipher=1)
        self.write("packs/a.pack", self.pack(gone, [event]).bytes())
        code, files, rows, _ = self.extract()
        self.assertEqual((code, files, rows[0]["status"]), (0, {}, "shredded"))
        self.assertEqual(self.extract("--even-shredded", out="even")[1], {"1/b/gone": b"gone"})

    def test_without_keys_the_unencrypted_is_extracted(self):
        pack = self.pack(self.writer.object("b", "clear", b"clear"), self.writer.object("b", "secret", b"s", cipher=1))
        self.write("packs/a.pack", pack.bytes())
        code, _, err = self.run_main("extract", self.path("packs"), "--out", self.path("out"))
        self.assertEqual(code, 1)
        self.assertIn("no keys were given", err)
        self.assertTrue(os.path.exists(self.path("out", "1", "b", "clear")))

    def test_hostile_lists_end_in_an_error(self):
        w = self.writer
        chunk = w.record(CHUNK, b"x" * 10)
        wrong_sum = w.chunk_list([(chunk, 11)])
        level2 = w.chunk_list([(chunk, 10)], level=2)
        itself = w.chunk_list([(chunk, 10)])
        w.sequence = itself.sequence - 1  # a list that names itself
        itself = w.chunk_list([(itself, 10)], level=2)
        records = [chunk, wrong_sum, level2, itself]
        for top in (wrong_sum, level2, itself):
            records += self.refs(top, 10)
        records += self.refs(chunk, 11)
        self.write("packs/a.pack", self.pack(records).bytes())
        code, files, rows, _ = self.extract()
        self.assertEqual((code, files), (1, {}))
        self.assertEqual([row["status"] for row in rows], ["damaged"] * 4)

    def test_numbers_no_file_can_hold_are_refused(self):
        w = self.writer
        chunk = w.record(CHUNK, b"x" * 10)
        nothing = w.chunk_list([(chunk, 0)] * 8192)  # lists of nothing would take for ever
        huge = w.chunk_list([(chunk, 10), (nothing, 2**63)])
        records = [chunk, nothing, huge] + self.refs(huge, 2**63 + 10) + self.refs(nothing, 0)
        for entry in ({"size": "9" * 5000}, {"size": 1}, {"ref": "f" * 32 + "." + "9" * 5000}, {"created": "-1"}, {"id": "../x"},
                      {"mode": 1 << 80, "mtime": "9" * 20, "created": "9" * 20}, {"mode": "x", "mtime": 5}):  # fmt: skip
            records += w.object("b", "k%d" % w.sequence, b"data", entry=entry)
        self.write("packs/a.pack", self.pack(records).bytes())
        code, files, rows, _ = self.extract("--partial")
        self.assertEqual((code, sorted(files.values())), (1, [b"data", b"data"]))
        self.assertEqual(len(rows), 4)

    def test_misuse_is_told_in_one_line(self):
        self.write("packs/a.pack", self.pack(self.writer.object("b", "k", b"x")).bytes())
        self.write("full/file", b"")
        os.makedirs(self.path("none"))
        packs = self.path("packs")
        for code, arguments in (
            (2, []), (2, ["frobnicate"]), (2, ["extract", packs]), (2, ["verify"]), (2, ["verify", self.path("nowhere")]),
            (2, ["extract", packs, "--out", self.path("full")]), (1, ["verify", self.path("none")]),
            (1, ["list", packs, "--keys", self.path("nowhere")]), (1, ["info", self.path("nowhere")]),
        ):  # fmt: skip
            done = self.run_main(*arguments)
            self.assertEqual((done[0], done[2].count("\n")), (code, 1), (arguments, done))


# --- damage ----------------------------------------------------------------------------------------------------------


class DamageTest(Case):
    def setUp(self):
        super().setUp()
        self.objects = {"k%d" % i: noise(1500 + 700 * i, i) for i in range(5)}
        self.groups = [self.writer.object("b", key, data, piece=1000) for key, data in self.objects.items()]
        self.expected = {"1/b/" + key: data for key, data in self.objects.items()}

    @staticmethod
    def flip(data, at, mask=1):
        data = bytearray(data)
        data[at] ^= mask
        return bytes(data)

    def test_a_rotten_body_costs_its_object_and_is_named(self):
        for seal in (True, False):
            pack = self.pack(*self.groups, seal=seal)
            record = self.groups[1][1]
            at = pack.offsets[record.id] + len(record.head) + 5
            self.write("packs/a.pack", self.flip(pack.bytes(), at))
            code, files, rows, _ = self.extract("--partial", out="out%d" % seal)
            self.assertEqual(code, 1)
            partial = files.pop([path for path in files if "~partial" in path][0])
            data = self.objects["k1"]
            self.assertEqual(partial, data[:1000] + bytes(1000) + data[2000:])
            self.assertEqual(files, {k: v for k, v in self.expected.items() if k != "1/b/k1"})
            bad = [row for row in rows if row["status"] == "lost"]
            self.assertEqual([row["key"] for row in bad], ["k1"])
            self.assertIn("bytes 1000-1999", bad[0]["note"])
            code, text = self.verify()
            self.assertEqual(code, 1)
            self.assertIn("chunk %s: the body is damaged" % record.id, text)
            self.assertIn("%s: no good copy in these folders" % record.id, text)

    def test_a_rotten_head_is_stepped_over(self):
        for seal in (True, False):
            pack = self.pack(*self.groups, seal=seal)
            record = self.groups[1][1]
            self.write("packs/a.pack", self.flip(pack.bytes(), pack.offsets[record.id] + 60))
            _, files, rows, _ = self.extract(out="out%d" % seal)
            self.assertEqual(files, {k: v for k, v in self.expected.items() if k != "1/b/k1"})
            code, text = self.verify()
            self.assertEqual(code, 1)
            self.assertIn(
                "damaged from" if not seal else "chunk %s is lost" % record.id,
                text.replace("damaged to", "damaged from"),
            )

    def test_a_whole_block_of_zeros_is_damage_not_padding(self):
        big = [self.writer.record(CHUNK, noise(3000, i)) for i in range(6)]
        pack = self.pack(big, self.groups[0], seal=False)
        data = bytearray(pack.bytes())
        data[4096 * 2 : 4096 * 3] = bytes(4096)
        self.write("packs/a.pack", data)
        code, text = self.verify()
        self.assertEqual(code, 1, text)
        self.assertIn("of the group's 6 records are lost", text)

    def test_mirrors_answer_for_each_other(self):
        pack = self.pack(*self.groups)
        for i in range(2):
            data = pack.bytes()
            for record in self.groups[i + 1][i : i + 2] + self.groups[i + 3][-1:]:
                data = self.flip(data, pack.offsets[record.id] + len(record.head) + 3)
            self.write("packs/mirror%d/a.pack" % i, data)
        code, files, _, text = self.extract()
        self.assertEqual((code, files), (0, self.expected), text)
        code, text = self.verify()
        self.assertEqual(code, 1)
        self.assertIn("6 records are damaged somewhere, 0 of them have no good copy here", text)
        os.symlink(self.path("packs", "mirror0"), self.path("packs", "again"))
        code, text = self.verify(self.path("packs", "mirror0"), self.path("packs", "again"))
        self.assertIn("3 records are damaged somewhere, 3 of them have no good copy here", text)

    def test_mirrors_of_an_open_pack_are_united(self):
        first = self.pack(*self.groups[:3], seal=False)
        a, b = bytearray(first.bytes()), bytearray(first.bytes())
        first.group(self.groups[3])
        b = bytearray(first.bytes())
        record = self.groups[0][0]
        b[first.offsets[record.id] + 20] ^= 1  # an early record is lost in the longer mirror
        self.write("packs/1/a.pack", a)
        self.write("packs/2/a.pack", b)
        _, files, _, text = self.extract()
        self.assertEqual(set(files), {"1/b/k%d" % i for i in range(4)}, text)

    def test_the_torn_end_of_an_open_pack_is_passed_over(self):
        pack = self.pack(*self.groups[:4], seal=False)
        whole = len(pack.bytes())
        commit = pack.group(self.groups[4])
        full = pack.bytes()
        record = self.groups[4][0]
        torn = {
            "cut in a record": full[: whole + 700],
            "cut before the commit record": full[:commit],
            "a block is zeros": full[:whole] + bytes(4096) + full[whole + 4096 :],
            "a body is wrong": self.flip(full, pack.offsets[record.id] + 300),
            "the commit record is wrong": self.flip(full, commit + 130),
            "zeros follow": full[:whole] + bytes(100_000),
            "noise follows": full[:whole] + noise(10_000),
        }
        for name, data in torn.items():
            with self.subTest(name):
                self.write("packs/a.pack", data)
                code, files, _, text = self.extract(out=name)
                self.assertEqual(code, 0, text)
                self.assertEqual(files, {k: v for k, v in self.expected.items() if k != "1/b/k4"})
                code, text = self.verify()
                self.assertEqual(code, 0, text)
                if name not in ("zeros follow",):
                    self.assertIn("torn end", text)
        code, files, _, _ = self.extract("--keep-torn", out="kept")
        self.write("packs/a.pack", torn["cut before the commit record"])
        self.assertEqual(self.extract("--keep-torn", out="kept2")[1], self.expected)

    def test_damage_before_the_last_commit_record_is_loss_not_a_torn_end(self):
        pack = self.pack(*self.groups, seal=False)
        record = self.groups[3][0]
        for at in (pack.offsets[record.id] + 300, pack.offsets[record.id] + 30):
            self.write("packs/a.pack", self.flip(pack.bytes(), at))
            code, text = self.verify()
            self.assertEqual(code, 1)
            self.assertNotIn("torn", text)

    def test_a_lost_commit_record_in_the_middle_costs_no_record(self):
        pack = PackMaker(ARCHIVE)
        commits = [pack.group(group) for group in self.groups]
        self.write("packs/a.pack", self.flip(pack.bytes(), commits[2] + 50))
        code, files, _, text = self.extract()
        self.assertEqual((code, files), (1, self.expected), text)
        code, text = self.verify()
        self.assertIn("commit record of the group that begins here is lost", text)

    def test_header_footer_and_locator_may_each_be_lost(self):
        pack = self.pack(*self.groups)
        size = len(pack.bytes())
        for name, at in {
            "header": 20, "header mark": 0, "footer": pack.footer_offset + 300, "locator": size - 4096 + 40,
            "locator mark": size - 4096,
        }.items():  # fmt: skip
            with self.subTest(name):
                self.write("packs/a.pack", self.flip(pack.bytes(), at))
                code, files, _, text = self.extract(out=name)
                self.assertEqual(files, self.expected, text)
                code, text = self.verify()
                self.assertEqual(code, 1, text)

    def test_a_sealed_pack_cut_short_keeps_what_is_left_and_its_footer_file_tells(self):
        pack = self.pack(*self.groups)
        at = pack.offsets[self.groups[3][0].id]
        self.write("packs/a.pack", pack.bytes()[:at])
        _, files, _, _ = self.extract()
        self.assertEqual(set(files), {"1/b/k0", "1/b/k1", "1/b/k2"})
        self.write("packs/a.foot", pack.foot)
        code, text = self.verify()
        self.assertEqual(code, 1)
        self.assertIn("this pack was sealed", text)

    def test_sectors_that_cannot_be_read_are_damage(self):
        pack = self.pack(*self.groups, seal=False)
        record = self.groups[1][1]
        bad = (pack.offsets[record.id] + 400) // 4096 * 4096
        path = self.write("packs/a.pack", pack.bytes())
        real = open

        class Sick:
            def __init__(self, file):
                self.file = file

            def __enter__(self):
                return self

            def __exit__(self, *_):
                self.file.close()

            def seek(self, at):
                self.at = at
                return self.file.seek(at)

            def read(self, size):
                if self.at < bad + 4096 and self.at + size > bad:
                    raise OSError(5, "Input/output error")
                return self.file.read(size)

            def close(self):
                self.file.close()

        def sick_open(name, *args, **kwargs):
            file = real(name, *args, **kwargs)
            return Sick(file) if name == path else file

        with unittest.mock.patch("builtins.open", sick_open):
            code, files, _, text = self.extract()
            verdict = self.verify()
        self.assertEqual((code, verdict[0]), (1, 1))
        self.assertGreaterEqual(len(files), 3)

    def test_random_bytes_are_no_pack_and_no_traceback(self):
        self.write("packs/a.pack", noise(100_000))
        self.write("packs/b.pack", b"")
        self.write("packs/c.pack", maker.PACK_MARK)
        code, files, _, _ = self.extract()
        self.assertEqual((code, files), (1, {}))
        self.assertEqual(self.verify()[0], 1)
        self.assertEqual(self.run_main("info", self.path("packs", "a.pack"))[0], 1)

    def test_every_flipped_bit_is_found_and_costs_only_what_it_touches(self):
        pack = self.pack(*self.groups)
        data, engine, rng = pack.bytes(), reader.Engine(False), random.Random(SEED)
        used = [at for at in range(len(data)) if data[at]]
        places = rng.sample(used, 90) + [rng.randrange(len(data)) for _ in range(10)]
        places += [at + d for at, _ in pack.records[:8] for d in (0, 8, 22, 30, 45, 70, 119, 121, 125)]
        path = self.path("packs", "a.pack")
        os.makedirs(self.path("packs"))
        keys = reader.NoKeyring(engine)
        for at in places:
            with self.subTest(at=at, seed=SEED):
                self.write("packs/a.pack", self.flip(data, at, 1 << rng.randrange(8)))
                check = reader.PackCheck(reader.Pack(path), engine).run()
                self.assertTrue(check.findings, "offset %d" % at)
                entries, notes = io.BytesIO(), io.BytesIO()
                with contextlib.redirect_stderr(io.StringIO()):
                    archive = reader.Archive(engine, keys, entries, notes)
                    archive.load([path])
                    good = 0
                    for name in archive.current():
                        entry = archive.entry(name)
                        good += reader.Attempt(archive, entry, entry.ref, io.BytesIO()).error is None
                self.assertGreaterEqual(good, len(self.objects) - 1)
                reader._open_files.clear()

    def test_random_damage_never_ends_in_a_traceback(self):
        rng = random.Random(SEED)
        data = self.pack(*self.groups, seal=False).bytes()
        sealed = self.pack(*self.groups).bytes()
        for turn in range(40):
            bad = bytearray(rng.choice((data, sealed)))
            for _ in range(rng.randrange(1, 30)):
                at, size = rng.randrange(4096, 60_000), rng.choice((1, 16, 4096))
                what = rng.choice((bytes(size), rng.randbytes(size), bytes(bad[4096 : 4096 + size])))
                bad[at : at + size] = what[: max(0, len(bad) - at)]
            if rng.random() < 0.3:
                del bad[rng.randrange(len(bad)) :]
            self.write("packs/a.pack", bad)
            _, files, _, _ = self.extract(out="turn%d" % turn)
            for path, content in files.items():
                self.assertEqual(content, self.expected[path], "seed %d" % SEED)
            self.verify()


if __name__ == "__main__":
    unittest.main()
