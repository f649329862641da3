/*
 * The command line and the names it is given: of files that cannot be, of objects that are not there, and words that are empty. Each is one line with
 * its code, nothing is changed by it, and nothing that is no file is ever replaced.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { after, test } from 'node:test';
import { noise, type Ran, Stele } from './support/stele.ts';

const archives: Stele[] = [];
after(() => {
  for (const each of archives) each.remove();
});

function newArchive(): Stele {
  const stele = new Stele();
  archives.push(stele);
  return stele;
}

function checkOneLine(ran: Ran, code: number, line: RegExp, what: string): void {
  assert.equal(ran.code, code, `${what}: ${ran.err}`);
  assert.match(ran.err, line, what);
  assert.equal(ran.err.split('\n').length, 2, `one line: ${ran.err}`);
}

const longName = 'y'.repeat(300);

test('a path that cannot be is said in one line with its code', async () => {
  const stele = newArchive();
  stele.file('f', 'content');
  fs.mkdirSync(stele.path('folder'));
  fs.symlinkSync('loop', stele.path('loop'));
  await stele.done('put', 'f');
  const cases: [string[], number, RegExp][] = [
    [['put', 'f/x'], 1, /FILE_MISSING/],
    [['put', longName], 1, /FILE_MISSING: .*ENAMETOOLONG/],
    [['put', 'loop'], 1, /FILE_MISSING: .*ELOOP/],
    [['get', 'files/f', '-o', 'f/x'], 1, /FILE_MISSING: .*ENOTDIR/],
    [['get', 'files/f', '-o', 'missing/x'], 1, /FILE_MISSING: .*ENOENT/],
    [['get', 'files/f', '-o', longName], 1, /FILE_MISSING: .*ENAMETOOLONG/],
    [['get', 'files/f', '-o', 'f/'], 2, /ARGUMENT_INVALID: f\/ is no folder/],
    [['keys', 'import', 'folder'], 2, /ARGUMENT_INVALID: .* is no file/],
    [['keys', 'import', 'f/x'], 1, /FILE_MISSING/],
    [['keys', 'import', longName], 1, /FILE_MISSING/],
    [['keys', 'export', 'f/x'], 1, /FILE_MISSING/],
    [['keys', 'export', '-f', 'folder'], 2, /ARGUMENT_INVALID: .* is no file/],
    [['keys', 'export', 'e', '--passphrase-file', 'folder'], 2, /ARGUMENT_INVALID: folder is no file/],
    [['keys', 'export', 'e', '--passphrase-file', 'none'], 1, /FILE_MISSING: none is not there/],
    [['keys', 'export', 'e', '--passphrase-file', '/dev/zero'], 2, /ARGUMENT_INVALID/],
    [['disk', 'add', longName], 1, /FILE_MISSING/],
    [['disk', 'add', 'f/x'], 1, /FILE_MISSING/],
  ];
  for (const [argv, code, line] of cases) checkOneLine(await stele.run(...argv), code, line, argv.join(' '));
  assert.deepEqual(fs.readdirSync(stele.folder).sort(), ['data', 'f', 'folder', 'loop'], 'nothing was left behind');
  checkOneLine(
    await stele.run('get', 'files/', '-o', 'f'),
    2,
    /ARGUMENT_INVALID: .* is no folder/,
    'a folder onto a file',
  );
});

test('an empty word is a mistake, and never the working folder', async () => {
  const stele = newArchive();
  stele.file('f', 'content');
  for (const argv of [
    ['put', ''],
    ['put', 'f', '--to', ''],
    ['put', 'f', '--data', ''],
    ['ls', ''],
    ['get', 'x', '-o', ''],
  ])
    checkOneLine(await stele.run(...argv), 2, /ARGUMENT_INVALID: .* empty/, argv.join(' '));
  assert.deepEqual(fs.readdirSync(stele.folder), ['f']);
});

test('a user who cannot be begins no archive', async () => {
  const stele = newArchive();
  checkOneLine(await stele.run('user', 'add', 'Bad Name'), 2, /ARGUMENT_INVALID: a user name/, 'name');
  checkOneLine(await stele.run('user', 'add', 'me', '--role', 'king'), 2, /ARGUMENT_INVALID: a role/, 'role');
  stele.env['STELE_PASSPHRASE'] = 'short';
  checkOneLine(await stele.run('user', 'add', 'me'), 2, /ARGUMENT_INVALID: a password/, 'password');
  assert.deepEqual(fs.readdirSync(stele.folder), []);
});

test('get writes into a pipe, and leaves it a pipe', async () => {
  const stele = newArchive();
  const content = noise(3_000_000);
  stele.file('f', content);
  await stele.done('put', 'f');
  assert.equal(spawnSync('mkfifo', [stele.path('pipe')]).status, 0);
  const reader = spawn('cat', [stele.path('pipe')], { stdio: ['ignore', 'pipe', 'ignore'] });
  const pieces: Buffer[] = [];
  reader.stdout.on('data', (data: Buffer) => pieces.push(data));
  const ended = new Promise((resolve) => reader.on('close', resolve));
  await stele.done('get', 'files/f', '-o', 'pipe', '--force');
  await ended;
  assert.ok(Buffer.concat(pieces).equals(content));
  assert.ok(fs.lstatSync(stele.path('pipe')).isFIFO());
  // By its folder it would have to replace it: it does not.
  fs.mkdirSync(stele.path('into'));
  assert.equal(spawnSync('mkfifo', [stele.path('into/f')]).status, 0);
  assert.match((await stele.run('get', 'files/', '-o', 'into', '--force')).err, /FILE_EXISTS: .* is no file/);
  assert.ok(fs.lstatSync(stele.path('into/f')).isFIFO());
});

test('names as long as names may be come back, and -o FOLDER/ makes the folder', async () => {
  const stele = newArchive();
  const longest = 'x'.repeat(255);
  stele.file(`in/${longest}`, 'long');
  await stele.done('put', 'in');
  await stele.done('get', 'files/in/', '-o', 'back');
  assert.equal(fs.readFileSync(stele.path('back', longest), 'utf8'), 'long');
  await stele.done('get', `files/in/${longest}`, '-o', 'new/');
  assert.deepEqual(fs.readdirSync(stele.path('new')), [longest]);
});

test('a folder of somebody else is no disk, and nothing is written into it', async () => {
  const stele = newArchive();
  stele.file('a', 'x');
  stele.file('theirs/letter', 'x');
  stele.file('other.yaml', 'disks:\n  - path: theirs\n');
  const begun = await stele.run('put', 'a', '--config', 'other.yaml', '--data', 'new');
  assert.match(begun.err, /DATA_FOREIGN: disk theirs is not empty/);
  await stele.done('put', 'a');
  checkOneLine(await stele.run('disk', 'add', 'theirs'), 1, /DATA_FOREIGN: disk theirs is not empty/, 'add');
  assert.deepEqual(fs.readdirSync(stele.path('theirs')), ['letter']);
  fs.rmSync(stele.path('theirs/letter'));
  await stele.done('disk', 'add', 'theirs');
});

test('files of one name in one command would hide each other: refused', async () => {
  const stele = newArchive();
  stele.file('a/report', '1');
  stele.file('b/report', '2');
  checkOneLine(await stele.run('put', 'a/report', 'b/report'), 2, /ARGUMENT_INVALID: .*both named "report"/, 'two');
  await stele.done('put', 'a/report', 'a/report', 'b');
});

test('a folder that cannot be listed has failed, and is not merely left out', async () => {
  const stele = newArchive();
  // Deeper than a path may be long: made, and cleared away, step by step.
  const dig = `for (let depth = 0; depth < 22; depth += 1) {
    fs.mkdirSync('d'.repeat(200));
    process.chdir('d'.repeat(200));
  }
  fs.writeFileSync('x', 'x');`;
  fs.mkdirSync(stele.path('in'));
  assert.equal(spawnSync(process.execPath, ['-e', dig], { cwd: stele.path('in') }).status, 0);
  stele.file('in/y', 'y');
  try {
    const ran = await stele.run('put', 'in');
    assert.equal(ran.code, 1);
    assert.match(ran.err, /FILE_MISSING: a (folder|file) cannot be (listed|read) \(ENAMETOOLONG\)/);
    assert.match(ran.out, /1 stored, .*, 1 failed/);
  } finally {
    spawnSync('rm', ['-rf', stele.path('in')]);
  }
});

test('what is looked for without a bucket is looked for where put stores it; what is hidden or destroyed is named whole', async () => {
  const stele = newArchive();
  stele.file('src/a/x', 'x');
  stele.file('report', 'r');
  await stele.done('put', 'src', 'report');
  await stele.done('put', 'report', '--to', 'other');
  assert.equal((await stele.content('src/a/x')).toString(), 'x');
  assert.equal((await stele.content('report')).toString(), 'r');
  assert.match((await stele.done('ls', 'src/a/')).out, /files\/src\/a\/x/);
  assert.match((await stele.done('where', 'src/a/x')).out, /^files\/src\/a\/x {2}version/);
  await stele.done('get', 'src/', '-o', 'back');
  assert.equal(fs.readFileSync(stele.path('back/a/x'), 'utf8'), 'x');
  for (const argv of [
    ['get', 'other/src/a/x'],
    ['get', 'none/x'],
    ['rm', 'src/a/x'],
    ['keys', 'shred', 'src/a/x', '--yes'],
  ])
    checkOneLine(await stele.run(...argv), 1, /NOT_FOUND/, argv.join(' '));
});

test('a version is a version of its own name alone', async () => {
  const stele = newArchive();
  stele.file('a', 'of a');
  stele.file('b', 'of b');
  const stored = (await stele.done('put', 'a', 'b', '--json')).out.split('\n');
  const { version } = JSON.parse(stored.find((line) => line.includes('files/b"')) ?? '{}') as { version: string };
  assert.equal((await stele.done('get', 'files/b', '--version', version)).bytes.toString(), 'of b');
  checkOneLine(await stele.run('get', 'files/a', '--version', version), 1, /NOT_FOUND/, 'another name');
  const folder = await stele.run('get', 'files/', '--version', version);
  checkOneLine(folder, 2, /ARGUMENT_INVALID: --version is for one object/, 'a folder');
});

test('a name that would move the cursor or turn the writing about is shown escaped, and found again', async () => {
  const stele = newArchive();
  const names = ['\u009b31mred', '\u202ertl', 'space ', '\u001b[2J', 'line\nbreak', 'zero\u200bwidth', 'a\\x41'];
  for (const name of names) stele.file(`in/${name}`, name);
  const longAgo = new Date(-1e12);
  fs.utimesSync(stele.path('in/space '), longAgo, longAgo);
  await stele.done('put', 'in');
  const listed = (await stele.done('ls', '-r', 'files/')).out.trimEnd().split('\n');
  assert.equal(listed.length, names.length);
  const found = new Set<string>();
  for (const line of listed) {
    assert.match(line, /^[\x20-\x7e]*[\x21-\x7e]$/);
    found.add((await stele.content(/files\/.*$/.exec(line)?.[0] ?? '')).toString());
  }
  assert.deepEqual([...found].sort(), [...names].sort());
  assert.match(listed.join('\n'), /^1938-04-24 22:13:20Z .*files\/in\/space\\x20$/m);
  await stele.done('get', 'files/', '-o', 'back');
  assert.equal(fs.statSync(stele.path('back/in/space ')).mtimeMs, longAgo.getTime());
  const again = await stele.run('get', 'files/', '-o', 'back');
  assert.doesNotMatch(again.err, /[^\x0a\x20-\x7e]/);
});

test('help is found by both roads, and a large file says how far it has come', async () => {
  const stele = newArchive();
  assert.equal((await stele.done('help', 'keys', 'export')).out, (await stele.done('keys', 'export', '--help')).out);
  stele.file('large', noise(3_000_000));
  const { progress } = await stele.done('put', 'large');
  assert.ok(progress.includes('0 files, 1.00 MiB'), progress.join(', '));
});
