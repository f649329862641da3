// What only a real file system shows: the lock across processes, rights, a full disk, a root that vanishes, modes of
// files.

import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { isArchiveError, SeededRandom, utf8Bytes, utf8Text } from '../base/index.ts';
import { fails } from './disk-conformance.ts';
import { openRealDisk, type RealDisk } from './real-disk.ts';

async function makeFolder(t: TestContext): Promise<string> {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'stele-disk-'));
  t.after(() => fs.rm(folder, { recursive: true, force: true }));
  return folder;
}

const open = (folder: string): Promise<RealDisk> => openRealDisk({ folder, label: 'test' });

/** A process that takes the folder's lock and keeps it until it dies. */
async function spawnHolder(t: TestContext, folder: string): Promise<ChildProcess> {
  const door = new URL('./index.ts', import.meta.url).href;
  // The holder drops what lock() gave it and collects its garbage: the lock must hold all the same.
  const program = `
    const { setFlagsFromString } = await import('node:v8');
    const { runInNewContext } = await import('node:vm');
    setFlagsFromString('--expose-gc');
    const { openRealDisk } = await import(${JSON.stringify(door)});
    const disk = await openRealDisk({ folder: ${JSON.stringify(folder)} });
    const said = await disk.lock().then(() => 'held', (error) => error.code);
    await new Promise((resolve) => setImmediate(resolve));
    runInNewContext('gc')();
    process.stdout.write(said);
    if (said === 'held') process.stdin.resume();
  `;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  const [said] = (await Promise.race([
    once(child.stdout ?? assert.fail('the holder has an output'), 'data'),
    once(child, 'exit').then(() => ['it died']),
  ])) as [Buffer | string];
  assert.equal(String(said), 'held');
  return child;
}

test('another process that holds the lock is named, and a SIGKILL releases it', async (t) => {
  const folder = await makeFolder(t);
  const disk = await open(folder);
  const holder = await spawnHolder(t, folder);
  await fails(() => disk.lock(), 'DATA_LOCKED', new RegExp(`process ${holder.pid} on .*, started \\d{4}-`));
  await fails(() => disk.lock(), 'DATA_LOCKED');
  const gone = once(holder, 'exit');
  holder.kill('SIGKILL');
  await gone;
  const lock = await disk.lock();
  await lock.release();
});

test('a lock we hold keeps another process out, also after our own files came and went', async (t) => {
  const folder = await makeFolder(t);
  const disk = await open(folder);
  const lock = await disk.lock();
  // Closing any descriptor of the lock file would drop the lock: nothing we do may touch it.
  await disk.writeWhole('a', utf8Bytes('x'));
  await disk.list('');
  await disk.readWhole('a', 10);
  await fails(() => disk.lock(), 'DATA_LOCKED');
  await assert.rejects(spawnHolder(t, folder), /DATA_LOCKED/);
  await lock.release();
  await spawnHolder(t, folder);
});

test('two disks on one folder conflict within a process, also through a symbolic link', async (t) => {
  const folder = await makeFolder(t);
  await fs.mkdir(path.join(folder, 'data'));
  await fs.symlink(path.join(folder, 'data'), path.join(folder, 'link'));
  const one = await open(path.join(folder, 'data'));
  const other = await open(path.join(folder, 'link'));
  const lock = await one.lock();
  await fails(() => other.lock(), 'DATA_LOCKED', new RegExp(`process ${process.pid}\\b`));
  await lock.release();
  await (await other.lock()).release();
});

test('a lock takes no room, so that a full disk can be locked and read', async (t) => {
  const folder = await makeFolder(t);
  const disk = await open(folder);
  const lock = await disk.lock();
  assert.deepEqual((await fs.readdir(folder)).sort(), ['stele.lock', 'stele.lock.json']);
  assert.equal((await fs.stat(path.join(folder, 'stele.lock'))).size, 0);
  await lock.release();
});

test('what the holder wrote about itself may be torn: the lock alone decides', async (t) => {
  const folder = await makeFolder(t);
  const disk = await open(folder);
  await fs.writeFile(path.join(folder, 'stele.lock.json'), '{"pid": 1');
  await (await disk.lock()).release();
  await spawnHolder(t, folder);
  await fs.writeFile(path.join(folder, 'stele.lock.json'), 'null');
  await fails(() => disk.lock(), 'DATA_LOCKED', /another process/);
});

test('files are for their owner only', async (t) => {
  const folder = await makeFolder(t);
  const disk = await open(folder);
  await disk.makeFolder('x');
  await disk.writeWhole('x/a', utf8Bytes('x'));
  await (await disk.open('x/b', 'create')).close();
  const lock = await disk.lock();
  for (const name of ['x/a', 'x/b', 'stele.lock', 'stele.lock.json']) {
    assert.equal((await fs.stat(path.join(folder, name))).mode & 0o777, 0o600, name);
  }
  assert.equal((await fs.stat(path.join(folder, 'x'))).mode & 0o777, 0o700);
  await lock.release();
});

test('a left-over of a replacement that was cut short is taken over, not followed', async (t) => {
  const folder = await makeFolder(t);
  const disk = await open(folder);
  await fs.writeFile(path.join(folder, 'a.writing'), 'much longer than what comes');
  await disk.writeWhole('a', utf8Bytes('new'));
  assert.equal(await fs.readFile(path.join(folder, 'a'), 'utf8'), 'new');
  assert.deepEqual(await fs.readdir(folder), ['a']);
  await fs.writeFile(path.join(folder, 'elsewhere'), 'untouched');
  await fs.symlink(path.join(folder, 'elsewhere'), path.join(folder, 'a.writing'));
  await fails(() => disk.writeWhole('a', utf8Bytes('x')), 'DISK_IO');
  assert.equal(await fs.readFile(path.join(folder, 'elsewhere'), 'utf8'), 'untouched');
});

test('a folder that is not there is no disk', async (t) => {
  const folder = await makeFolder(t);
  await fails(() => open(path.join(folder, 'absent')), 'DISK_MISSING');
  await fs.writeFile(path.join(folder, 'file'), '');
  await fails(() => open(path.join(folder, 'file')), 'DISK_MISSING');
});

test('when the root is gone, or another folder lies in its place, nothing is made there', async (t) => {
  const folder = await makeFolder(t);
  const root = path.join(folder, 'root');
  await fs.mkdir(root);
  const disk = await open(root);
  await disk.writeWhole('a', utf8Bytes('here'));
  await fs.rename(root, path.join(folder, 'aside'));
  for (const place of ['nothing', 'an empty folder'] as const) {
    if (place === 'an empty folder') await fs.mkdir(root);
    await fails(() => disk.open('a', 'read'), 'DISK_MISSING');
    await fails(() => disk.open('b', 'create'), 'DISK_MISSING');
    await fails(() => disk.writeWhole('b', utf8Bytes('x')), 'DISK_MISSING');
    await fails(() => disk.makeFolder('x'), 'DISK_MISSING');
    await fails(() => disk.readWhole('a', 10), 'DISK_MISSING');
    await fails(() => disk.stat('a'), 'DISK_MISSING');
    await fails(() => disk.remove('a'), 'DISK_MISSING');
    await fails(() => disk.rename('a', 'b'), 'DISK_MISSING');
    await fails(() => disk.space(), 'DISK_MISSING');
    await fails(() => disk.lock(), 'DISK_MISSING');
  }
  assert.deepEqual(await fs.readdir(root), []);
  await fs.rmdir(root);
  await fs.rename(path.join(folder, 'aside'), root);
  assert.equal(utf8Text((await disk.readWhole('a', 10)) ?? new Uint8Array(0)), 'here');
});

test('an error names the disk and our path, and no absolute one', async (t) => {
  const folder = await makeFolder(t);
  const disk = await open(folder);
  const error: unknown = await disk.open('packs-absent', 'read').catch((each: unknown) => each);
  assert.ok(isArchiveError(error, 'FILE_MISSING'));
  assert.match(error.message, /^disk test: .*packs-absent/);
  assert.ok(!error.message.includes(folder));
});

test('a read-only folder refuses changes and lets us read', async (t) => {
  if (process.getuid?.() === 0) return t.skip('root may write to any folder');
  const folder = await makeFolder(t);
  const disk = await open(folder);
  await disk.writeWhole('a', utf8Bytes('here'));
  await fs.chmod(folder, 0o500);
  try {
    await fails(() => disk.open('b', 'create'), 'DISK_READ_ONLY');
    await fails(() => disk.writeWhole('a', utf8Bytes('x')), 'DISK_READ_ONLY');
    assert.equal(utf8Text((await disk.readWhole('a', 10)) ?? new Uint8Array(0)), 'here');
  } finally {
    // Before the folder is cleaned away, which its own rights would forbid.
    await fs.chmod(folder, 0o700);
  }
});

/** A small memory file system, or undefined where we may not mount one. */
async function mountSmall(t: TestContext, mode: 'rw' | 'ro'): Promise<string | undefined> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return undefined;
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'stele-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=1m,${mode}`, 'stele-test', folder], { stdio: 'ignore' });
  } catch {
    await fs.rmdir(folder);
    return undefined;
  }
  t.after(async () => {
    execFileSync('umount', [folder], { stdio: 'ignore' });
    await fs.rmdir(folder);
  });
  return folder;
}

test('a full disk says so, keeps what it had, and works again when there is room', async (t) => {
  const folder = await mountSmall(t, 'rw');
  if (folder === undefined) return t.skip('mounting a small file system needs root');
  const disk = await open(folder);
  await disk.writeWhole('a', utf8Bytes('old'));
  const file = await disk.open('big', 'create');
  await fails(() => file.write(0, [new Uint8Array(4 * 1024 * 1024)]), 'DISK_FULL');
  await fails(() => disk.writeWhole('a', new Uint8Array(100_000)), 'DISK_FULL');
  assert.deepEqual(await disk.list(''), ['a', 'big']);
  assert.equal(utf8Text((await disk.readWhole('a', 10)) ?? new Uint8Array(0)), 'old');
  assert.equal((await disk.space()).freeBytes, 0);
  await file.truncate(0);
  await disk.writeWhole('a', new Uint8Array(100_000));
  await file.close();
});

test('a file system mounted read-only is told as such', async (t) => {
  const folder = await mountSmall(t, 'ro');
  if (folder === undefined) return t.skip('mounting a small file system needs root');
  const disk = await open(folder);
  await fails(() => disk.open('a', 'create'), 'DISK_READ_ONLY');
  await fails(() => disk.makeFolder('x'), 'DISK_READ_ONLY');
  await fails(() => disk.writeWhole('a', utf8Bytes('x')), 'DISK_READ_ONLY');
  await fails(() => disk.lock(), 'DISK_READ_ONLY');
});

test('a disk that is unmounted under us is missing, and its mount point stays empty', async (t) => {
  const folder = await mountSmall(t, 'rw');
  if (folder === undefined) return t.skip('mounting a small file system needs root');
  const disk = await open(folder);
  await disk.writeWhole('a', utf8Bytes('x'));
  execFileSync('umount', [folder]);
  try {
    await fails(() => disk.open('b', 'create'), 'DISK_MISSING');
    await fails(() => disk.readWhole('a', 10), 'DISK_MISSING');
    assert.deepEqual(await fs.readdir(folder), []);
  } finally {
    execFileSync('mount', ['-t', 'tmpfs', 'stele-test', folder]);
  }
});

test('a memory file system owns up that its reads come from the cache', async (t) => {
  const folder = await mountSmall(t, 'rw');
  if (folder === undefined) return t.skip('mounting a small file system needs root');
  const disk = await open(folder);
  const file = await disk.open('a', 'create');
  await file.write(0, [utf8Bytes('text')]);
  const { bytes, cached } = await file.readUncached(1, 2);
  assert.deepEqual([utf8Text(bytes), cached], ['ex', true]);
  await file.close();
});

test('many files share the direct buffers without waiting for ever', async (t) => {
  const disk = await open(await makeFolder(t));
  const random = new SeededRandom(9);
  const group = random.bytes(5 * 1024 * 1024 + 4096);
  const files = await Promise.all(Array.from({ length: 6 }, (_, index) => disk.open(`f${index}`, 'create')));
  await Promise.all(
    files.map(async (file) => {
      await file.write(0, [group]);
      await file.sync();
    }),
  );
  const reads = await Promise.all(files.map((file) => file.readUncached(0, group.byteLength)));
  for (const { bytes } of reads) assert.ok(Buffer.from(group).equals(bytes));
  await Promise.all(files.map((file) => file.close()));
});

test('descriptors are given back', {
  skip: process.platform === 'linux' ? false : 'counts them in /proc',
}, async (t) => {
  const disk = await open(await makeFolder(t));
  const count = async (): Promise<number> => (await fs.readdir('/proc/self/fd')).length;
  const before = await count();
  for (let round = 0; round < 20; round += 1) {
    const file = await disk.open(`f${round}`, 'create');
    await file.write(0, [new Uint8Array(1024 * 1024)]);
    await file.readUncached(0, 10);
    await file.sync();
    await file.close();
    await disk.writeWhole('w', utf8Bytes('x'));
    await disk.readWhole('w', 10);
    await disk.open('absent', 'read').catch(() => undefined);
    await (await disk.lock()).release();
  }
  assert.ok((await count()) <= before + 1);
});
