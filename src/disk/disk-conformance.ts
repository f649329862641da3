// What every Disk must do, as tests: each implementation runs all of them, so that a test on the simulated disk speaks
// for the real one.
//
// Left out: durability itself, which only the simulated disk can lose, and whatever needs a fault (sim-disk.test.ts,
// real-disk.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AssertionFault, type ErrorCode, isArchiveError, SeededRandom, utf8Bytes, utf8Text } from '../base/index.ts';
import { type Disk, readSizeBytesMax } from './disk.ts';

/** An empty disk; `done` clears it away. */
export type MadeDisk = { readonly disk: Disk; readonly done: () => Promise<void> };

export function checkDisk(name: string, makeDisk: (options: { filesOpenMax?: number }) => Promise<MadeDisk>): void {
  const check = (what: string, work: (disk: Disk) => Promise<void>, options: { filesOpenMax?: number } = {}): void => {
    test(`${name}: ${what}`, async () => {
      const { disk, done } = await makeDisk(options);
      try {
        await work(disk);
      } finally {
        await done();
      }
    });
  };

  check('a written file reads back, by any open of it', async (disk) => {
    const file = await disk.open('a', 'create');
    await file.write(0, [utf8Bytes('stone'), utf8Bytes(''), utf8Bytes(' keeps')]);
    await file.sync();
    assert.equal(utf8Text(await file.read(0, 11)), 'stone keeps');
    const again = await disk.open('a', 'read');
    assert.equal(utf8Text(await again.read(6, 5)), 'keeps');
    assert.equal(await again.sizeBytes(), 11);
    assert.equal(again.path, 'a');
    await again.close();
    await file.close();
  });

  check('a read is short only at the end of the file, and its buffer is the caller’s', async (disk) => {
    const file = await disk.open('a', 'create');
    await file.write(0, [utf8Bytes('abcdef')]);
    assert.equal((await file.read(4, 100)).byteLength, 2);
    assert.equal((await file.read(6, 1)).byteLength, 0);
    assert.equal((await file.read(1000, 1)).byteLength, 0);
    assert.equal((await file.read(0, 0)).byteLength, 0);
    const bytes = await file.read(0, 6);
    bytes.fill(0);
    assert.equal(bytes.buffer.byteLength, 6);
    assert.equal(utf8Text(await file.read(0, 6)), 'abcdef');
    await fails(() => file.read(0, readSizeBytesMax + 1), 'LIMIT_EXCEEDED');
    await assert.rejects(file.read(-1, 1), AssertionFault, 'a mistake of ours is no failure of the disk');
    await file.close();
  });

  check('a gap before a write reads as zeros', async (disk) => {
    const file = await disk.open('a', 'create');
    await file.write(10_000, [utf8Bytes('x')]);
    const bytes = await file.read(0, 20_000);
    assert.equal(bytes.byteLength, 10_001);
    assert.ok(bytes.subarray(0, 10_000).every((byte) => byte === 0));
    await file.close();
  });

  check('thousands of parts of any size arrive whole and in order', async (disk) => {
    const random = new SeededRandom(1);
    const file = await disk.open('a', 'create');
    for (const { count, sizeMax } of [
      { count: 3000, sizeMax: 40 },
      { count: 2500, sizeMax: 9000 },
      { count: 5, sizeMax: 700_000 },
    ]) {
      const parts = Array.from({ length: count }, () => random.bytes(random.below(sizeMax)));
      await file.write(4096, parts);
      const whole = Buffer.concat(parts);
      assert.ok(whole.equals(await file.read(4096, whole.byteLength)), `${count} parts`);
    }
    await file.close();
  });

  check('a large aligned group arrives whole, also beside small writes of the same pages', async (disk) => {
    const random = new SeededRandom(2);
    const file = await disk.open('a', 'create');
    const model = Buffer.alloc(12 * 1024 * 1024);
    const write = async (offset: number, parts: Uint8Array[]): Promise<void> => {
      await file.write(offset, parts);
      Buffer.concat(parts).copy(model, offset);
    };
    await write(0, [random.bytes(4096)]);
    await write(4096, [random.bytes(3_000_000), random.bytes(2_000_000), random.bytes(5 * 1024 * 1024 - 5_000_000)]);
    await write(5000, [random.bytes(10)]);
    await write(1024 * 1024, [random.bytes(2 * 1024 * 1024)]);
    await file.sync();
    const sizeBytes = await file.sizeBytes();
    assert.equal(sizeBytes, 4096 + 5 * 1024 * 1024);
    assert.ok(model.subarray(0, sizeBytes).equals(await file.read(0, sizeBytes)));
    assert.ok(model.subarray(0, sizeBytes).equals((await file.readUncached(0, sizeBytes + 1)).bytes));
    await file.close();
  });

  check('bytes from aligned memory, whole blocks or not, arrive and are left as they were', async (disk) => {
    const random = new SeededRandom(8);
    const file = await disk.open('f', 'create');
    const memory = new Uint8Array(new SharedArrayBuffer(6 * 1024 * 1024));
    memory.set(random.bytes(memory.byteLength));
    const before = Buffer.from(memory);
    let offset = 0;
    for (const sizeBytes of [4096, 128 * 1024, 5 * 1024 * 1024, 100_000]) {
      for (const from of [0, 4096, 4100]) {
        await file.write(offset, [memory.subarray(from, from + sizeBytes)]);
        assert.ok(before.subarray(from, from + sizeBytes).equals(await file.read(offset, sizeBytes)));
        offset += sizeBytes;
      }
    }
    await file.sync();
    assert.equal(await file.sizeBytes(), offset);
    assert.ok(before.equals(memory));
    await file.close();
  });

  check('what was written durably needs no sync, whatever memory it lies in', async (disk) => {
    const random = new SeededRandom(10);
    const file = await disk.open('f', 'create');
    const memory = new Uint8Array(new SharedArrayBuffer(4 * 1024 * 1024));
    memory.set(random.bytes(memory.byteLength));
    let offset = 0;
    for (const sizeBytes of [4096, 64 * 1024, 1024 * 1024, 4 * 1024 * 1024, 10_000]) {
      await file.writeDurably(offset, [memory.subarray(0, sizeBytes)]);
      assert.deepEqual(Buffer.from(await file.read(offset, sizeBytes)), Buffer.from(memory.subarray(0, sizeBytes)));
      offset += sizeBytes;
      const parts = [random.bytes(100), random.bytes(5000)];
      await file.writeDurably(offset, parts);
      assert.deepEqual(Buffer.from(await file.read(offset, 5100)), Buffer.concat(parts));
      offset = Math.ceil((offset + 5100) / 4096) * 4096;
    }
    await file.close();
    await fails(() => file.writeDurably(0, [memory.subarray(0, 65_536)]), 'CLOSED');
  });

  check('a read fills the memory that is given, and only as far as asked', async (disk) => {
    const file = await disk.open('f', 'create');
    const bytes = new SeededRandom(9).bytes(100_000);
    await file.write(0, [bytes]);
    const memory = new Uint8Array(new SharedArrayBuffer(150_000)).fill(7);
    const read = await file.read(50, 80_000, memory.subarray(10));
    assert.equal(read.buffer, memory.buffer);
    assert.deepEqual(Buffer.from(read), Buffer.from(bytes.subarray(50, 80_050)));
    assert.ok(
      memory.subarray(80_010).every((byte) => byte === 7) && memory.subarray(0, 10).every((byte) => byte === 7),
    );
    const end = await file.read(99_990, 80_000, memory);
    assert.deepEqual(Buffer.from(end), Buffer.from(bytes.subarray(99_990)));
    const longer = await file.read(0, 90_000, memory.subarray(0, 1000));
    assert.notEqual(longer.buffer, memory.buffer);
    assert.deepEqual(Buffer.from(longer), Buffer.from(bytes.subarray(0, 90_000)));
    await file.close();
  });

  check('writes side by side that do not overlap all arrive', async (disk) => {
    const random = new SeededRandom(3);
    const file = await disk.open('a', 'create');
    const pieces = Array.from({ length: 8 }, () => random.bytes(1024 * 1024 + 4096));
    await Promise.all(pieces.map((piece, index) => file.write(index * piece.byteLength, [piece])));
    await Promise.all([file.sync(), file.sync(), file.sync()]);
    const whole = Buffer.concat(pieces);
    assert.ok(whole.equals(await file.read(0, whole.byteLength)));
    await file.close();
  });

  check('an uncached read returns the same bytes at any offset and length', async (disk) => {
    const random = new SeededRandom(4);
    const file = await disk.open('a', 'create');
    const whole = Buffer.from(random.bytes(5 * 1024 * 1024 + 123));
    await file.write(0, [whole]);
    await file.sync();
    const reads = [
      { offset: 0, length: whole.byteLength },
      { offset: 1, length: whole.byteLength + 5000 },
      { offset: 4095, length: 2 },
      { offset: 2 * 1024 * 1024 - 1, length: 2 * 1024 * 1024 + 2 },
      { offset: whole.byteLength - 1, length: 10 },
      { offset: whole.byteLength, length: 1 },
      { offset: whole.byteLength + 9000, length: 1 },
      { offset: 77, length: 0 },
    ];
    for (const { offset, length } of reads) {
      const { bytes } = await file.readUncached(offset, length);
      assert.ok(whole.subarray(offset, offset + length).equals(bytes), `${length} bytes at ${offset}`);
    }
    await file.close();
  });

  check('truncate shortens, lengthens with zeros, and forgets what was beyond', async (disk) => {
    const file = await disk.open('a', 'create');
    await file.write(0, [new Uint8Array(10_000).fill(7)]);
    await file.truncate(5000);
    assert.equal(await file.sizeBytes(), 5000);
    await file.truncate(10_000);
    const bytes = await file.read(0, 10_000);
    assert.ok(bytes.subarray(0, 5000).every((byte) => byte === 7));
    assert.ok(bytes.subarray(5000).every((byte) => byte === 0));
    await file.close();
  });

  check('create is exclusive, and the other modes want a file that is there', async (disk) => {
    await fails(() => disk.open('a', 'read'), 'FILE_MISSING');
    await fails(() => disk.open('a', 'write'), 'FILE_MISSING');
    await fails(() => disk.open('no/folder', 'create'), 'FILE_MISSING');
    await (await disk.open('a', 'create')).close();
    await fails(() => disk.open('a', 'create'), 'FILE_EXISTS');
    await fails(() => disk.open('a/b', 'create'), 'FILE_MISSING');
    await disk.makeFolder('folder');
    await fails(() => disk.open('folder', 'create'), 'FILE_EXISTS');
    await fails(() => disk.open('folder', 'read'), 'DISK_IO');
  });

  check('write mode keeps what is there', async (disk) => {
    await disk.writeWhole('a', utf8Bytes('abcdef'));
    const file = await disk.open('a', 'write');
    await file.write(2, [utf8Bytes('X')]);
    await file.sync();
    await file.close();
    assert.equal(utf8Text((await disk.readWhole('a', 100)) ?? new Uint8Array(0)), 'abXdef');
  });

  check('a file opened for reading cannot be written', async (disk) => {
    await disk.writeWhole('a', utf8Bytes('abc'));
    const file = await disk.open('a', 'read');
    await assert.rejects(file.write(0, [utf8Bytes('x')]));
    await assert.rejects(file.truncate(0));
    await file.close();
  });

  check('close waits for what is under way, can be repeated, and ends the file', async (disk) => {
    const file = await disk.open('a', 'create');
    const write = file.write(0, [new Uint8Array(3 * 1024 * 1024).fill(1)]);
    const read = file.read(0, 10);
    await Promise.all([file.close(), file.close()]);
    await write;
    await read;
    await file.close();
    await fails(() => file.read(0, 1), 'CLOSED');
    await fails(() => file.write(0, [utf8Bytes('x')]), 'CLOSED');
    await fails(() => file.sync(), 'CLOSED');
    assert.equal((await disk.stat('a'))?.sizeBytes, 3 * 1024 * 1024);
  });

  check('stat tells files from what is absent', async (disk) => {
    await disk.makeFolder('folder');
    await disk.writeWhole('folder/a', new Uint8Array(123));
    const facts = await disk.stat('folder/a');
    assert.equal(facts?.sizeBytes, 123);
    assert.ok(Number.isFinite(facts?.modifiedMs));
    assert.equal(await disk.stat('folder'), undefined);
    assert.equal(await disk.stat('folder/b'), undefined);
    assert.equal(await disk.stat('no/such'), undefined);
    assert.equal(await disk.stat('folder/a/b'), undefined);
  });

  check('list names files and folders in order, and leaves out what the disk keeps for itself', async (disk) => {
    await disk.makeFolder('packs/00');
    for (const name of ['b', 'a', 'C', 'a.b']) await disk.writeWhole(`packs/${name}`, utf8Bytes(name));
    const lock = await disk.lock();
    assert.deepEqual(await disk.list('packs'), ['00', 'C', 'a', 'a.b', 'b']);
    assert.deepEqual(await disk.list(''), ['packs']);
    assert.deepEqual(await disk.list('packs/00'), []);
    assert.deepEqual(await disk.list('absent'), []);
    assert.deepEqual(await disk.list('packs/a'), []);
    await lock.release();
  });

  check('makeFolder makes parents and can be repeated', async (disk) => {
    await disk.makeFolder('a/b/c');
    await disk.makeFolder('a/b/c');
    await disk.makeFolder('a/b/d');
    assert.deepEqual(await disk.list('a/b'), ['c', 'd']);
    await disk.writeWhole('file', utf8Bytes('x'));
    await fails(() => disk.makeFolder('file'), 'FILE_EXISTS');
    await fails(() => disk.makeFolder('file/below'), 'FILE_EXISTS');
  });

  check('rename moves between folders, replaces, and keeps open files readable', async (disk) => {
    await disk.makeFolder('x');
    await disk.makeFolder('y');
    await disk.writeWhole('x/a', utf8Bytes('new'));
    await disk.writeWhole('y/b', utf8Bytes('old'));
    const moved = await disk.open('x/a', 'read');
    const replaced = await disk.open('y/b', 'read');
    await disk.rename('x/a', 'y/b');
    assert.deepEqual(await disk.list('x'), []);
    assert.deepEqual(await disk.list('y'), ['b']);
    assert.equal(utf8Text(await moved.read(0, 10)), 'new');
    assert.equal(utf8Text((await moved.readUncached(0, 10)).bytes), 'new');
    assert.equal(utf8Text(await replaced.read(0, 10)), 'old');
    await moved.close();
    await replaced.close();
    await fails(() => disk.rename('x/a', 'y/b'), 'FILE_MISSING');
    await fails(() => disk.rename('y/b', 'no/such'), 'FILE_MISSING');
    await fails(() => disk.rename('y', 'z'), 'FILE_MISSING');
    await disk.rename('y/b', 'y/b');
    assert.deepEqual(await disk.list('y'), ['b']);
  });

  check('remove can be repeated, and the name can be used again', async (disk) => {
    await disk.makeFolder('x');
    await disk.writeWhole('x/a', utf8Bytes('abc'));
    const file = await disk.open('x/a', 'read');
    await disk.remove('x/a');
    await disk.remove('x/a');
    await disk.remove('no/such');
    assert.equal(utf8Text(await file.read(0, 3)), 'abc');
    await file.close();
    assert.equal(await disk.stat('x/a'), undefined);
    await (await disk.open('x/a', 'create')).close();
    await fails(() => disk.remove('x'), 'DISK_IO');
  });

  check('writeWhole replaces, readWhole keeps to its limit', async (disk) => {
    assert.equal(await disk.readWhole('a', 10), undefined);
    await disk.writeWhole('a', utf8Bytes('first'));
    await disk.writeWhole('a', utf8Bytes('2nd'));
    assert.equal(utf8Text((await disk.readWhole('a', 3)) ?? new Uint8Array(0)), '2nd');
    await fails(() => disk.readWhole('a', 2), 'LIMIT_EXCEEDED');
    await disk.writeWhole('empty', new Uint8Array(0));
    assert.equal((await disk.readWhole('empty', 0))?.byteLength, 0);
    await fails(() => disk.writeWhole('no/folder', utf8Bytes('x')), 'FILE_MISSING');
  });

  check('writeWhole calls for one path take effect in the order they were made', async (disk) => {
    await Promise.all(Array.from({ length: 20 }, (_, index) => disk.writeWhole('a', utf8Bytes(`${index}`))));
    assert.equal(utf8Text((await disk.readWhole('a', 10)) ?? new Uint8Array(0)), '19');
    assert.deepEqual(await disk.list(''), ['a']);
  });

  check('a path that could leave the disk, or is kept by it, is refused', async (disk) => {
    const paths = ['', '.', '..', '/a', 'a/', 'a//b', '../a', 'a/../b', 'a/.', '.hidden', 'a\\b', 'a\0b', 'a b', 'é'];
    const reserved = ['stele.lock', 'stele.lock.json', 'x/stele.lock', 'a.writing', 'stele.lock-journal'];
    for (const path of [...paths, ...reserved, 'x'.repeat(201), 'x/'.repeat(600)]) {
      await fails(() => disk.open(path, 'create'), 'ARGUMENT_INVALID');
      await fails(() => disk.writeWhole(path, new Uint8Array(1)), 'ARGUMENT_INVALID');
      await fails(() => disk.stat(path), 'ARGUMENT_INVALID');
      await fails(() => disk.makeFolder(path), 'ARGUMENT_INVALID');
      await fails(() => disk.rename('a', path), 'ARGUMENT_INVALID');
      await fails(() => disk.remove(path), 'ARGUMENT_INVALID');
      if (path !== '') await fails(() => disk.list(path), 'ARGUMENT_INVALID');
    }
  });

  check('space is told, and no more is free than there is', async (disk) => {
    const { freeBytes, totalBytes } = await disk.space();
    assert.ok(freeBytes > 0 && freeBytes <= totalBytes);
  });

  check('one holder has the lock, and whoever comes second is told who', async (disk) => {
    const lock = await disk.lock();
    await fails(() => disk.lock(), 'DATA_LOCKED', new RegExp(`process ${process.pid}\\b`));
    await lock.release();
    await lock.release();
    const next = await disk.lock();
    await lock.release();
    await fails(() => disk.lock(), 'DATA_LOCKED');
    await next.release();
  });

  check(
    'open files are limited, and closing one makes room',
    async (disk) => {
      await disk.writeWhole('a', utf8Bytes('x'));
      const first = await disk.open('a', 'read');
      const second = await disk.open('a', 'read');
      await fails(() => disk.open('a', 'read'), 'BUSY');
      await first.close();
      const third = await disk.open('a', 'read');
      await second.close();
      await third.close();
      await fails(() => disk.open('absent', 'read'), 'FILE_MISSING');
      await fails(() => disk.open('absent', 'read'), 'FILE_MISSING');
      await fails(() => disk.open('absent', 'read'), 'FILE_MISSING');
    },
    { filesOpenMax: 2 },
  );

  check('random operations agree with a naive model', async (disk) => {
    const seed = 20_260_101;
    const random = new SeededRandom(seed);
    const model = new Map<string, Buffer>();
    const names = ['a', 'b', 'x/a', 'x/b'];
    await disk.makeFolder('x');
    for (let round = 0; round < 150; round += 1) {
      const name = names[random.below(names.length)] ?? 'a';
      const other = names[random.below(names.length)] ?? 'a';
      const before = model.get(name);
      switch (random.below(6)) {
        case 0: {
          const bytes = random.bytes(random.below(20_000));
          await disk.writeWhole(name, bytes);
          model.set(name, Buffer.from(bytes));
          break;
        }
        case 1: {
          await disk.remove(name);
          model.delete(name);
          break;
        }
        case 2: {
          if (before === undefined) break;
          await disk.rename(name, other);
          model.delete(name);
          model.set(other, before);
          break;
        }
        case 3: {
          if (before === undefined) break;
          const file = await disk.open(name, 'write');
          const sizeBytes = random.below(30_000);
          await file.truncate(sizeBytes);
          await file.close();
          model.set(name, Buffer.concat([before.subarray(0, sizeBytes)], sizeBytes));
          break;
        }
        default: {
          const file = await disk.open(name, before === undefined ? 'create' : 'write');
          const offset = random.below(30_000);
          const bytes = random.bytes(random.below(10_000));
          await file.write(offset, [bytes.subarray(0, 100), bytes.subarray(100)]);
          if (random.below(2) === 0) await file.sync();
          await file.close();
          const held = before ?? Buffer.alloc(0);
          const end = bytes.byteLength === 0 ? held.byteLength : Math.max(held.byteLength, offset + bytes.byteLength);
          const after = Buffer.concat([held], end);
          after.set(bytes, bytes.byteLength === 0 ? 0 : offset);
          model.set(name, after);
        }
      }
      for (const each of names) {
        const found = await disk.readWhole(each, 100_000);
        const expected = model.get(each);
        assert.equal(found?.byteLength, expected?.byteLength, `seed ${seed}, round ${round}: size of ${each}`);
        assert.ok(found === undefined || expected?.equals(found), `seed ${seed}, round ${round}: bytes of ${each}`);
      }
    }
  });
}

/** The call fails with this code (and, where given, a message like this). */
export async function fails(call: () => Promise<unknown>, code: ErrorCode, message?: RegExp): Promise<void> {
  const outcome: unknown = await call().then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(isArchiveError(outcome), `expected ${code}, got ${String(outcome)}`);
  assert.equal(outcome.code, code, outcome.message);
  if (message !== undefined) assert.match(outcome.message, message);
}
