/*
 * The command line from outside, on an archive of its own in each test: what goes in comes out, and what is misused says so in one line.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { noise, Stele } from './support/stele.ts';

const archives: Stele[] = [];
after(() => {
  for (const each of archives) each.remove();
});

function newArchive(env: Record<string, string> = {}): Stele {
  const stele = new Stele(env);
  archives.push(stele);
  return stele;
}

type Line = Record<string, unknown>;
const lines = (out: string): Line[] =>
  out
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);

test('files come back byte for byte, whatever their size and name', async () => {
  const stele = newArchive();
  const contents: Record<string, Buffer> = {
    empty: Buffer.alloc(0),
    one: Buffer.from('x'),
    chunk: noise(1024 * 1024),
    'more than a chunk': noise(1024 * 1024 + 1, 2),
    large: noise(5_000_000, 3),
    '影像 检查 é ñ': Buffer.from('name'),
  };
  const names = Object.entries(contents).map(([name, content]) => stele.file(name, content));
  const ran = await stele.done('put', ...names, '--json');
  assert.equal(lines(ran.out).filter((line) => line['result'] === 'stored').length, names.length);
  for (const [name, content] of Object.entries(contents))
    assert.ok((await stele.content(`files/${name}`)).equals(content), name);
  await stele.done('get', 'files/large', '-o', 'out');
  assert.ok(fs.readFileSync(stele.path('out')).equals(contents['large'] as Buffer));
  const ranges: [string, number, number][] = [
    ['0-0', 0, 1],
    ['1048575-1048576', 1048575, 1048577],
    ['4999990-', 4999990, 5_000_000],
    ['-10', 4999990, 5_000_000],
  ];
  for (const [range, from, to] of ranges) {
    const { bytes } = await stele.done('get', 'files/large', `--range=${range}`);
    assert.ok(bytes.equals((contents['large'] as Buffer).subarray(from, to)), range);
  }
  assert.equal((await stele.run('get', 'files/large', '--range', '5000000-')).code, 2);
});

test('a folder comes back with its names, modes and times, and what is no file is named', async () => {
  const stele = newArchive();
  stele.file('in/a/b/c.txt', 'deep');
  stele.file('in/run.sh', '#!/bin/sh\n');
  fs.chmodSync(stele.path('in/run.sh'), 0o750);
  fs.utimesSync(stele.path('in/run.sh'), 1_000_000_000, 1_000_000_000);
  const strange = Buffer.concat([Buffer.from(`${stele.path('in')}/`), Buffer.from([0xff, 0x41, 0xfe])]);
  fs.writeFileSync(strange, 'not text');
  fs.symlinkSync('run.sh', stele.path('in/link'));
  const ran = await stele.done('put', 'in', '--to', 'box/base');
  assert.match(ran.err, /left out: base\/in\/link \(a symbolic link\)/);
  assert.match(ran.out, /3 stored, 0 there already, .*1 left out/);
  assert.match((await stele.done('ls', '-r', 'box/')).out, /box\/base\/in\/\\xffA\\xfe/);
  assert.equal((await stele.content('box/base/in/\\xffA\\xfe')).toString(), 'not text');
  await stele.done('get', 'box/base/', '-o', 'back');
  assert.equal(fs.readFileSync(stele.path('back/in/a/b/c.txt'), 'utf8'), 'deep');
  assert.equal(
    fs.readFileSync(Buffer.concat([Buffer.from(`${stele.path('back/in')}/`), Buffer.from([0xff, 0x41, 0xfe])]), 'utf8'),
    'not text',
  );
  const facts = fs.statSync(stele.path('back/in/run.sh'));
  assert.equal(facts.mode & 0o777, 0o750);
  assert.equal(facts.mtimeMs, 1_000_000_000_000);
});

test('the archive does not swallow itself', async () => {
  const stele = newArchive();
  stele.file('a', 'x');
  const ran = await stele.done('put', stele.folder);
  assert.match(ran.err, /left out: [^\n]*\/data\/ \(the archive itself\)/);
  assert.match(ran.out, /1 stored, .*1 left out/);
});

test('a key never leads out of the folder it is brought back to', async () => {
  const stele = newArchive();
  stele.file('evil', 'x');
  await stele.done('put', 'evil', '--to', 'box/p/../..');
  const ran = await stele.run('get', 'box/p/', '-o', 'deep/er');
  assert.equal(ran.code, 1);
  assert.match(ran.err, /ARGUMENT_INVALID/);
  assert.deepEqual(
    fs.existsSync(stele.path('deep')) ? fs.readdirSync(stele.path('deep'), { recursive: true }) : [],
    [],
  );
});

test('the same again stores nothing, something else makes a version, rm hides and versions stay', async () => {
  const stele = newArchive();
  for (const [name, content] of [
    ['small', Buffer.from('1')],
    ['big', noise(3_000_000)],
  ] as const) {
    stele.file(name, content);
    assert.match((await stele.done('put', name)).out, /1 stored, 0 there already/);
    const records = async (): Promise<unknown> =>
      (JSON.parse((await stele.done('status', '--json')).out) as { packs: unknown }).packs;
    await stele.done('ls');
    const before = await records();
    assert.match((await stele.done('put', name)).out, /0 stored, 1 there already/);
    assert.deepEqual(await records(), before);
    stele.file(name, Buffer.concat([content, Buffer.from('2')]));
    assert.match((await stele.done('put', name)).out, /1 stored/);
    assert.ok((await stele.content(`files/${name}`)).equals(Buffer.concat([content, Buffer.from('2')])));
  }
  await stele.done('rm', 'files/small');
  const gone = await stele.run('get', 'files/small');
  assert.equal(gone.code, 1);
  assert.match(gone.err, /^stele: NOT_FOUND: .*\)\n$/);
  assert.equal((await stele.run('rm', 'files/small')).code, 1);
  const versions = lines((await stele.done('ls', '--versions', 'files/small', '--json')).out);
  assert.deepEqual(
    versions.map((each) => each['state']),
    ['marker', 'live', 'live'],
  );
  const old = String(versions.at(-1)?.['version']);
  assert.equal((await stele.done('get', 'files/small', '--version', old)).bytes.toString(), '1');
  await stele.done('put', 'small');
  assert.equal((await stele.content('files/small')).toString(), '12');
});

test('where names packs and disks, status and disk list say how they are', async () => {
  const stele = newArchive();
  stele.file('a', 'x');
  await stele.done('put', 'a');
  const [found] = lines((await stele.done('where', 'files/a', '--json')).out) as {
    packs: { copies: { label: string; kind: string }[] }[];
  }[];
  assert.deepEqual(found?.packs[0]?.copies.map((copy) => `${copy.label} ${copy.kind}`).sort(), [
    'disk footer',
    'disk pack',
  ]);
  assert.match((await stele.done('status')).out, /: good\n/);
  assert.match((await stele.done('status')).out, /never exported/);
  assert.match((await stele.done('disk', 'list')).out, /^disk {2}present/);
  assert.match((await stele.done('verify')).out, /2 copies, .* read back, all good/);
  for (const name of ['FORMAT.md', 'stele_read.py']) assert.ok(fs.existsSync(stele.path('data/disk', name)), name);
});

test('what is misused says so in one line and changes nothing', async () => {
  const stele = newArchive();
  const cases: [string[], number, RegExp][] = [
    [['nonsense'], 2, /ARGUMENT_INVALID: "nonsense" is no command/],
    [['put', '--nope', 'x'], 2, /ARGUMENT_INVALID: Unknown option '--nope'/],
    [['put'], 2, /usage: stele put/],
    [['put', 'missing'], 1, /FILE_MISSING/],
    [['keys'], 2, /takes one of: export, import, status, shred/],
    [['get', 'a', 'b'], 2, /one argument too many/],
    [['get', 'nothing'], 2, /BUCKET\/KEY/],
    [['ls'], 1, /NOT_FOUND: there is no archive/],
    [['status'], 1, /NOT_FOUND: there is no archive/],
    [['get', 'files/x', '--config', 'none.yaml'], 1, /FILE_MISSING/],
    [['verify', 'xyz'], 2, /32 hex digits/],
  ];
  for (const [argv, code, line] of cases) {
    const ran = await stele.run(...argv);
    if (argv[0] === 'get' && argv[1] === 'nothing') assert.ok(ran.code !== 0);
    else assert.equal(ran.code, code, argv.join(' '));
    if (argv[1] !== 'nothing') assert.match(ran.err, line);
    assert.equal(ran.err.split('\n').length, 2, 'one line');
    assert.ok(!ran.err.includes('    at '), 'no stack');
  }
  assert.deepEqual(fs.readdirSync(stele.folder), [], 'no archive was made');
  stele.file('x', 'x');
  const bad = await stele.run('put', 'x', '--to', 'Bad_Bucket');
  assert.equal(bad.code, 2);
  assert.equal((await stele.run('put', 'x', '--json', '--to', '..')).code, 2);
});

test('every command explains itself', async () => {
  const stele = newArchive();
  const overview = (await stele.done('--help')).out;
  const commands = [...overview.matchAll(/^ {2}([a-z]+(?: [a-z]+)?) {2,}/gm)].map((match) => match[1] as string);
  assert.ok(commands.length > 20, overview);
  for (const command of commands)
    assert.match((await stele.done(...command.split(' '), '--help')).out, /^usage: stele .*\n[\s\S]*--json/);
  assert.equal((await stele.run()).code, 2);
  assert.match((await stele.done('version')).out, /^stele \d/);
});

test('the configuration is checked, and each error names its line', async () => {
  const stele = newArchive();
  const cases: [string, RegExp][] = [
    ['http_port: 8080\nnonsense: 1\n', /stele\.yaml:2: "nonsense" is no setting/],
    ['copies: many\n', /stele\.yaml:1: copies must be a whole number/],
    ['\n\npack_size: 1 KiB\n', /stele\.yaml:3: pack_size must be a size/],
    ['copies: 1\ncopies: 2\n', /stele\.yaml:2: /],
    ['disks:\n  - path: a\n  - path: b\n    size: 1\n', /stele\.yaml:4: "size" is no property of a disk/],
    ['disks:\n  - path: a\n  - path: a\n', /stele\.yaml:3: this disk is listed twice/],
    ['cipher: rot13\n', /stele\.yaml:1: cipher must be one of/],
    ['a: [1\n', /stele\.yaml:\d: /],
    ['copies: 1\n---\ncopies: 1\n', /stele\.yaml:2: a second document begins here/],
    [`a: ${'['.repeat(20_000)}\n`, /stele\.yaml:1: it is nested too deeply/],
    ['copies: 2\n', /copies is 2 and there are 1 disks/],
  ];
  for (const [text, line] of cases) {
    stele.file('stele.yaml', text);
    const ran = await stele.run('config', 'check');
    assert.equal(ran.code, 2, text);
    assert.match(ran.err, line);
    assert.match(ran.err, /^stele: CONFIG_INVALID: /);
  }
  stele.file('stele.yaml', 'http_port: 1234\ncopies: 2\nwhen_fewer: accept\npack_size: 64 MiB\n');
  const shown = JSON.parse((await stele.done('config', 'check', '--json')).out) as Record<string, unknown>;
  assert.equal(shown['httpPort'], 0, 'the environment wins');
  assert.equal(shown['packSizeBytes'], 64 * 1024 * 1024);
  stele.env['STELE_HTTP_PORT'] = 'x';
  assert.match((await stele.run('config', 'check')).err, /STELE_HTTP_PORT: http_port must be/);
});

test('an archive under SM4, and one without encryption, keep and give back alike', async () => {
  for (const text of ['cipher: sm4\n', 'encryption: false\n']) {
    const stele = newArchive();
    stele.file('stele.yaml', text);
    stele.file('a', 'the content of a');
    await stele.done('put', 'a');
    assert.equal((await stele.content('files/a')).toString(), 'the content of a');
    await stele.done('rebuild');
    assert.equal((await stele.content('files/a')).toString(), 'the content of a');
    const inClear = stele.packs().some((pack) => fs.readFileSync(pack).includes('the content of a'));
    assert.equal(inClear, text.startsWith('encryption'), path.basename(text));
  }
});
