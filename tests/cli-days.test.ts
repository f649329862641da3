/*
 * Bad days: disks pulled, packs cut, bits flipped, the database lost, keys destroyed; and settling, which must lose nothing on any day.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { after, test } from 'node:test';
import { archiveMigrations } from '../src/archive/index.ts';
import { catalogMigrations, catalogTables } from '../src/catalog/index.ts';
import { flowMigrations } from '../src/flow/index.ts';
import { dumpTables, migrate, openSqlite } from '../src/sql/index.ts';
import { vaultMigrations, vaultTables } from '../src/vault/index.ts';
import { noise, Stele } from './support/stele.ts';

const archives: Stele[] = [];
after(() => {
  for (const each of archives) each.remove();
});

function newArchive(config?: string): Stele {
  const stele = new Stele();
  archives.push(stele);
  if (config !== undefined) stele.file('stele.yaml', config);
  return stele;
}

/** Every fact and site table. */
async function dump(stele: Stele): Promise<unknown> {
  const sql = await openSqlite({ path: stele.path('data/catalog.sqlite') });
  try {
    await migrate(sql, [...vaultMigrations, ...catalogMigrations, ...flowMigrations, ...archiveMigrations]);
    return await dumpTables(sql, [...catalogTables, ...vaultTables], ['fact', 'site']);
  } finally {
    await sql.close();
  }
}

const lines = (out: string): unknown[] =>
  out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);

function flip(file: string, offset: number, bits = 0x10): void {
  const bytes = fs.readFileSync(file);
  bytes[offset] = (bytes[offset] as number) ^ bits;
  fs.writeFileSync(file, bytes);
}

test('a lost database is made again from the packs: every fact and site table, and the logins', async () => {
  const stele = newArchive();
  stele.file('in/a', 'first');
  stele.file('in/文件', noise(2_500_000));
  stele.file('in/empty', '');
  await stele.done('put', 'in');
  stele.file('in/a', 'second');
  await stele.done('put', 'in');
  await stele.done('rm', 'files/in/empty');
  await stele.done('user', 'add', 'admin');
  const token = (await stele.done('token', 'create', 'tool')).out.trim();
  await stele.done('keys', 'export', 'export.json');
  for (const settled of [false, true]) {
    if (settled) await stele.done('settle', '--all');
    await stele.done('status');
    const before = await dump(stele);
    for (const name of ['catalog.sqlite', 'catalog.sqlite-wal', 'catalog.sqlite-shm'])
      fs.rmSync(stele.path('data', name), { force: true });
    await stele.done('status');
    assert.deepEqual(await dump(stele), before);
    await stele.done('rebuild');
    assert.deepEqual(await dump(stele), before);
  }
  assert.equal((await stele.content('files/in/a')).toString(), 'second');
  const server = await stele.serve();
  const status = async (authorization: string): Promise<number> =>
    (await fetch(`${server.url}/api/status`, { headers: { authorization } })).status;
  assert.equal(await status(`Bearer ${token}`), 200);
  assert.equal(await status(`Basic ${Buffer.from('admin:a passphrase').toString('base64')}`), 200);
  assert.equal(await status('Basic YWRtaW46d3Jvbmc='), 401);
  assert.equal(await server.stop(), 0);
});

test('a damaged database is told, and made again from the packs whatever it was', async () => {
  const stele = newArchive();
  stele.file('in/a', 'content');
  stele.file('in/b', noise(1_500_000));
  await stele.done('put', 'in');
  await stele.done('user', 'add', 'admin');
  await stele.done('status');
  const before = await dump(stele);
  const database = stele.path('data/catalog.sqlite');
  const whole = fs.readFileSync(database);
  const damages: ((bytes: Buffer) => Buffer)[] = [
    (bytes) => bytes.fill(0xa5, 0, 4096),
    (bytes) => bytes.fill(0xa5, 4096),
    (bytes) => bytes.fill(0, 8192, 40_960),
    (bytes) => bytes.subarray(0, 30_000),
    () => Buffer.from('no database at all'),
  ];
  for (const [index, damage] of damages.entries()) {
    fs.writeFileSync(database, damage(Buffer.from(whole)));
    for (const log of ['-wal', '-shm']) fs.rmSync(`${database}${log}`, { force: true });
    const told = [await stele.run('ls', '-r', 'files/'), await stele.run('verify')];
    assert.ok(
      told.some((ran) => ran.code === 1 && /stele rebuild/.test(ran.err + ran.out)),
      `damage ${index}: ${told.map((ran) => ran.err + ran.out).join('')}`,
    );
    await stele.done('rebuild');
    assert.deepEqual(await dump(stele), before, `damage ${index}`);
    assert.match((await stele.done('verify')).out, /all good/);
  }
  assert.deepEqual(
    fs.readdirSync(stele.path('data')).filter((name) => name.includes('aside')),
    [],
  );
});

test('a rebuild that finds nothing leaves the database as it was', async () => {
  const stele = newArchive();
  stele.file('a', 'content');
  await stele.done('put', 'a');
  await stele.done('status');
  const listed = (await stele.done('ls', '-r', 'files/', '--json')).out;
  for (const folder of ['packs', 'footers'])
    for (const name of fs.readdirSync(stele.path('data/disk', folder), { recursive: true, encoding: 'utf8' })) {
      const file = stele.path('data/disk', folder, name);
      if (fs.statSync(file).isFile()) fs.writeFileSync(file, noise(fs.statSync(file).size));
    }
  assert.match((await stele.run('rebuild')).err, /PACK_CORRUPT: none of the packs can be read/);
  assert.equal((await stele.done('ls', '-r', 'files/', '--json')).out, listed);
});

test('small files of the data folder that are damaged stop nothing that can be known without them', async () => {
  const stele = newArchive();
  stele.file('a', 'content');
  await stele.done('put', 'a');
  for (const damaged of ['{"archive":', '', '[]', '{"archive":"zz","state":"complete"}']) {
    stele.file('data/archive.json', damaged);
    const ran = await stele.done('get', 'files/a');
    assert.equal(ran.bytes.toString(), 'content');
    assert.match(ran.err, /archive\.json .* was damaged and is written again/);
    assert.equal((await stele.done('get', 'files/a')).err, '');
  }
  stele.file('data/setup.json', '{"secret"');
  stele.file('data/endpoints.json', 'x');
  const server = await stele.serve();
  assert.match(server.out, /setup#/);
  assert.equal(await server.stop(), 0);
  stele.file('data/disks.json', '{"disks"');
  assert.match((await stele.run('ls')).err, /^stele: DATA_FOREIGN: disks\.json .*\n$/);
});

test('settling keeps every version, leaves no ingest pack, and what is shredded is gone', async () => {
  const stele = newArchive();
  const contents: Record<string, Buffer> = {
    text: Buffer.from('line\n'.repeat(300_000)),
    noise: noise(2_200_000),
    small: Buffer.from('s'),
    empty: Buffer.alloc(0),
    secret: Buffer.from('secret'),
  };
  for (const [name, content] of Object.entries(contents)) {
    stele.file(name, content);
    await stele.done('put', name);
  }
  stele.file('small', 'newer');
  await stele.done('put', 'small');
  await stele.done('rm', 'files/empty');
  const listed = (await stele.done('ls', '--versions', 'files/')).out;
  const early = await stele.done('settle');
  assert.match(early.out, /^0 objects settled/, 'nothing is quiet yet');
  await stele.done('settle', '--all');
  const status = JSON.parse((await stele.done('status', '--json')).out) as {
    packs: { class: string; sealed: number; open: number }[];
  };
  assert.deepEqual(
    status.packs.filter((each) => each.class === 'ingest').map((each) => [each.sealed, each.open]),
    [[0, 0]],
  );
  assert.equal((await stele.done('ls', '--versions', 'files/')).out, listed);
  assert.ok((await stele.content('files/text')).equals(contents['text'] as Buffer));
  assert.ok((await stele.content('files/noise')).equals(contents['noise'] as Buffer));
  assert.equal((await stele.content('files/small')).toString(), 'newer');
  assert.match((await stele.done('settle', '--all')).out, /^0 objects settled/);
  await stele.done('verify');

  await stele.done('keys', 'export', 'before.json');
  assert.equal((await stele.run('keys', 'shred', 'files/secret')).code, 2, 'asks for the word');
  assert.match((await stele.done('keys', 'shred', 'files/secret', '--yes')).out, /exports 1 could still open it/);
  assert.equal((await stele.run('get', 'files/secret')).code, 1);
  assert.ok(!(await stele.done('ls', 'files/')).out.includes('secret'));
  assert.match((await stele.done('keys', 'status')).out, /exports that could open it: 1/);
  const before = await dump(stele);
  await stele.done('rebuild');
  assert.deepEqual(await dump(stele), before);
  const wrong = new Stele();
  archives.push(wrong);
  stele.env['STELE_PASSPHRASE'] = 'another one';
  assert.match((await stele.run('keys', 'import', 'before.json')).err, /PASSPHRASE_WRONG/);
  stele.env['STELE_PASSPHRASE'] = 'a passphrase';
  assert.match((await stele.done('keys', 'import', 'before.json')).out, /nothing that the keyring lacks/);
  assert.equal((await stele.run('get', 'files/secret')).code, 1, 'a plain import brings nothing back');
  assert.match((await stele.done('keys', 'import', 'before.json', '--replace')).out, /until the next: stele rebuild/);
  await stele.done('rebuild');
  assert.equal((await stele.content('files/secret')).toString(), 'secret');
});

const twoDisks = 'disks:\n  - path: one\n  - path: two\ncopies: 2\n';

test('a pulled disk: reading goes on, new data is refused or accepted as configured, repair makes the copies again', async () => {
  const stele = newArchive(twoDisks);
  fs.mkdirSync(stele.path('one'));
  const short = stele.file('a', noise(1_500_000));
  assert.match(
    (await stele.run('put', short)).err,
    /DISK_MISSING: disk two is not there/,
    'an archive begins with all of its disks',
  );
  fs.mkdirSync(stele.path('two'));
  await stele.done('put', short);
  await stele.done('ls');
  fs.renameSync(stele.path('one'), stele.path('pulled'));
  assert.ok((await stele.content('files/a')).equals(fs.readFileSync(short)));
  assert.match((await stele.run('status')).out, /! disk one is missing/);
  stele.file('b', 'b');
  const refused = await stele.run('put', 'b');
  assert.equal(refused.code, 1);
  assert.match(refused.err, /COPIES_TOO_FEW/);
  stele.file('stele.yaml', `${twoDisks}when_fewer: accept\n`);
  await stele.done('put', 'b');
  // The mount point of a disk that is not mounted is an empty folder, and is not filled.
  fs.mkdirSync(stele.path('one'));
  assert.match((await stele.run('status')).out, /disk one is missing \(not set up/);
  assert.deepEqual(
    fs.readdirSync(stele.path('one')).filter((name) => !name.startsWith('stele.lock')),
    [],
  );
  fs.mkdirSync(stele.path('three'));
  await stele.done('disk', 'add', 'three');
  await stele.done('repair');
  assert.match((await stele.done('status')).out, /three +present +2 packs/);
  fs.rmSync(stele.path('two'), { recursive: true });
  assert.ok((await stele.content('files/a')).equals(fs.readFileSync(short)));
  assert.equal((await stele.content('files/b')).toString(), 'b');
});

test('a disk retires when all it holds is elsewhere, and stays out when it is listed', async () => {
  const stele = newArchive(
    `${twoDisks}  - path: three\n`.replace('copies: 2\n  - path: three\n', '  - path: three\ncopies: 2\n'),
  );
  for (const disk of ['one', 'two', 'three']) fs.mkdirSync(stele.path(disk));
  stele.file('a', noise(400_000));
  await stele.done('put', 'a');
  const holder =
    (
      JSON.parse((await stele.done('where', 'files/a', '--json')).out) as {
        packs: { copies: { label: string; kind: string }[] }[];
      }
    ).packs[0]?.copies.find((copy) => copy.kind === 'pack')?.label ?? '';
  await stele.done('disk', 'retire', holder);
  assert.ok(!fs.existsSync(stele.path(holder, 'keyring.json')));
  await stele.done('repair');
  assert.match((await stele.done('disk', 'list')).out, new RegExp(`${holder} +missing \\(retired`));
  assert.ok((await stele.content('files/a')).equals(noise(400_000)));
  const [copies] = lines((await stele.done('where', 'files/a', '--json')).out) as {
    packs: { copies: { label: string; kind: string; state: string }[] }[];
  }[];
  const good =
    copies?.packs[0]?.copies
      .filter((copy) => copy.kind === 'pack' && copy.state === 'good')
      .map((copy) => copy.label) ?? [];
  assert.equal(good.length, 2);
  assert.ok(!good.includes(holder));
  const single = newArchive();
  single.file('a', 'a');
  await single.done('put', 'a');
  const refused = (await single.run('disk', 'retire', 'disk')).err;
  assert.match(refused, /COPIES_TOO_FEW: disk disk holds what no other disk has \(1 packs, 1\.00 MiB\)/);
  assert.match(
    refused,
    /add a disk .*, then set copies: 2 .*, then run: stele repair, then run: stele disk retire disk/,
  );
  assert.equal((await single.content('files/a')).toString(), 'a');
  // What the message says leads there.
  fs.mkdirSync(single.path('second'));
  await single.done('disk', 'add', 'second');
  single.file('stele.yaml', 'copies: 2\n');
  await single.done('repair');
  await single.done('disk', 'retire', 'disk');
  single.file('stele.yaml', 'copies: 1\ndisks:\n  - path: second\n');
  assert.equal((await single.content('files/a')).toString(), 'a');
  assert.match((await single.done('status')).out, /: good/);
});

test('a flipped bit anywhere is found and mended from the other copy; with one copy it costs what it hits and says so', async () => {
  const stele = newArchive(twoDisks);
  for (const disk of ['one', 'two']) fs.mkdirSync(stele.path(disk));
  const content = noise(300_000);
  stele.file('a', content);
  await stele.done('put', 'a');
  await stele.done('ls');
  const [pack] = stele.packs('one/packs') as [string];
  const whole = fs.readFileSync(pack);
  const places = [10, 3000, 4200, 4096 + 200, 150_000, whole.byteLength - 4000, whole.byteLength - 5];
  const footerAt = Number(whole.readBigUInt64LE(whole.byteLength - 4096 + 32));
  places.push(footerAt + 50, footerAt + 300);
  for (const place of places) {
    flip(pack, place);
    assert.ok((await stele.content('files/a')).equals(content), `read with a flip at ${place}`);
    fs.writeFileSync(pack, whole);
    flip(pack, place);
    const ran = await stele.run('verify', '--repair');
    assert.equal(ran.code, 0, `at ${place}: ${ran.out}${ran.err}`);
    assert.match(ran.out, /1 bad, 0 left bad/, `at ${place}`);
    assert.ok(fs.readFileSync(pack).equals(whole), `whole again after a flip at ${place}`);
  }
  fs.truncateSync(pack, whole.byteLength - 100_000);
  assert.match((await stele.run('verify')).out, /1 bad/);
  await stele.done('repair');
  assert.ok(fs.readFileSync(pack).equals(whole));
  // The same bit on both: no copy is left.
  for (const copy of [pack, ...stele.packs('two/packs')]) flip(copy, 150_000);
  const lost = await stele.run('get', 'files/a');
  assert.equal(lost.code, 1);
  assert.match(lost.err, /RECORD_LOST/);
  const verified = await stele.run('verify', '--repair');
  assert.equal(verified.code, 1);
  assert.match(verified.out, /lost 1 records: [0-9a-f]{32}\.\d+/);
  assert.match(verified.err, /^stele: PACK_CORRUPT: \d of \d copies are not whole \(.*run: stele repair\)$/m);
  // Told once; from then on it is a known loss, and neither verification nor repair tells it again.
  assert.match((await stele.done('repair')).out, /nothing to repair/);
  assert.match((await stele.done('verify')).out, /all good/);
  const status = await stele.done('status');
  assert.match(status.out, /known loss: no copy of pack [0-9a-f]{32} holds 1 records \([0-9a-f]{32}\.\d+\)/);
  assert.match(status.out, /^lost: 1 records$/m);
  assert.equal((await stele.run('get', 'files/a')).code, 1);
  // Anything new is told.
  flip(pack, 4200);
  assert.match((await stele.run('verify', '--repair')).out, /1 bad, 0 left bad/);
  for (const copy of [pack, ...stele.packs('two/packs')]) flip(copy, 150_000);
  assert.equal((await stele.run('get', 'files/a')).code, 0, 'whole again, as from a medium that was brought back');
  assert.match((await stele.done('verify')).out, /all good/);
  assert.ok(!(await stele.done('status')).out.includes('known loss'));
});

test('packs of a newer version and of another archive are refused by name', async () => {
  const stele = newArchive();
  stele.file('a', 'a');
  await stele.done('put', 'a');
  await stele.done('ls');
  const other = newArchive();
  other.file('b', 'b');
  await other.done('put', 'b');
  fs.rmSync(other.path('data/archive.json'));
  other.file('stele.yaml', `disks:\n  - path: ${stele.path('data/disk')}\n  - path: data/disk\n    label: own\n`);
  const mixed = await other.run('status');
  assert.equal(mixed.code, 1);
  assert.match(mixed.err, /DATA_FOREIGN/);
  const identity = stele.path('data/disk/stele-disk.json');
  const { sha256: _, ...json } = JSON.parse(fs.readFileSync(identity, 'utf8')) as Record<string, unknown>;
  fs.writeFileSync(identity, JSON.stringify({ ...json, version: 2 }));
  assert.match((await stele.run('status')).err, /PACK_NEWER/);
  fs.writeFileSync(identity, JSON.stringify({ ...json, archive: '0'.repeat(32) }));
  assert.match((await stele.run('status')).err, /DATA_FOREIGN/);
  // Without a digest, as it was written once.
  fs.writeFileSync(identity, JSON.stringify(json));
  assert.match((await stele.done('status')).out, /: good/);
});

test('one flipped bit in what a disk says of itself costs nothing: it is told, and repair writes it anew', async () => {
  const stele = newArchive(twoDisks);
  for (const disk of ['one', 'two']) fs.mkdirSync(stele.path(disk));
  stele.file('a', 'a');
  await stele.done('put', 'a');
  const identity = stele.path('one/stele-disk.json');
  const { disk } = JSON.parse(fs.readFileSync(identity, 'utf8')) as { disk: string };
  const text = fs.readFileSync(identity);
  const places = ['{', 'stele-', '"version":', '"archive":"', '"disk":"', '"sha256":"'].map(
    (each) => text.indexOf(each) + each.length,
  );
  for (const place of places) {
    flip(identity, place, place === places[2] ? 2 : 16);
    const status = await stele.run('status');
    assert.match(status.err, /stele-disk\.json on disk one is damaged/, `at ${place}`);
    assert.match(status.out, /! stele-disk\.json on disk one is damaged: run: stele repair/);
    assert.equal((await stele.content('files/a')).toString(), 'a');
    stele.file('b', `b ${place}`);
    await stele.done('put', 'b');
    assert.match((await stele.done('repair')).out, /disk one: its stele-disk\.json is written anew/);
    const again = JSON.parse(fs.readFileSync(identity, 'utf8')) as { disk: string };
    assert.equal(again.disk, disk, 'the name it had');
    assert.match((await stele.done('status')).out, /: good/);
  }
});

test('a disk alone whose word is damaged is recognised by its packs, with or without the data folder; an empty one is left out', async () => {
  const stele = newArchive();
  stele.file('a', 'a');
  await stele.done('put', 'a');
  await stele.done('ls');
  fs.writeFileSync(stele.path('data/disk/stele-disk.json'), '{}');
  assert.equal((await stele.content('files/a')).toString(), 'a');
  for (const name of fs.readdirSync(stele.path('data')))
    if (name !== 'disk') fs.rmSync(stele.path('data', name), { recursive: true });
  assert.equal((await stele.content('files/a')).toString(), 'a');
  assert.match((await stele.done('repair')).out, /disk disk: its stele-disk\.json is written anew/);
  assert.match((await stele.done('verify')).out, /all good/);
  fs.mkdirSync(stele.path('other'));
  fs.writeFileSync(stele.path('other/stele-disk.json'), 'not json');
  stele.file('stele.yaml', 'disks:\n  - path: data/disk\n  - path: other\n');
  assert.match((await stele.done('status')).out, /disk other is missing \(its stele-disk\.json is damaged/);
  assert.equal((await stele.content('files/a')).toString(), 'a');
});

test('lost keyrings come back from an export, and from the other disk', async () => {
  const stele = newArchive(twoDisks);
  for (const disk of ['one', 'two']) fs.mkdirSync(stele.path(disk));
  stele.file('a', 'a');
  await stele.done('put', 'a');
  await stele.done('keys', 'export', 'export.json');
  fs.rmSync(stele.path('one/keyring.json'));
  assert.equal((await stele.content('files/a')).toString(), 'a');
  assert.ok(fs.existsSync(stele.path('one/keyring.json')), 'renewed from the other disk');
  for (const disk of ['one', 'two']) fs.rmSync(stele.path(disk, 'keyring.json'));
  assert.match((await stele.run('get', 'files/a')).err, /KEY_MISSING/);
  await stele.done('keys', 'import', 'export.json');
  assert.equal((await stele.content('files/a')).toString(), 'a');
});

test('a catalog that knows more than the disks says exactly what is lost', async () => {
  const stele = newArchive();
  stele.file('a', 'a');
  await stele.done('put', 'a');
  const [open] = stele.packs('data/disk/open') as [string];
  fs.rmSync(open);
  const ran = await stele.run('status');
  assert.match(
    ran.out,
    /lost: CATALOG_AHEAD: records [0-9a-f]{32}\.1-2 were acknowledged, and no disk holds them; they held content of 1 versions: [0-9a-f]{32}/,
  );
  assert.match((await stele.run('get', 'files/a')).err, /RECORD_UNKNOWN/);
});

test('a disk that was away brings back what was released meanwhile: it goes when all of it is elsewhere, and not before', async () => {
  const stele = newArchive(`${twoDisks}when_fewer: accept\n`);
  for (const disk of ['one', 'two']) fs.mkdirSync(stele.path(disk));
  const content = noise(300_000);
  stele.file('a', content);
  await stele.done('put', 'a');
  await stele.done('ls');
  const [ingest = ''] = stele.packs('two/packs');
  const name = ingest.slice(stele.path('two').length);
  fs.renameSync(stele.path('two'), stele.path('pulled'));
  await stele.done('settle', '--all');
  assert.ok(!fs.existsSync(stele.path('one', name)), 'released on the disk that is here');
  fs.renameSync(stele.path('pulled'), stele.path('two'));
  // What it went into has one copy, and is to have two.
  const early = await stele.done('repair');
  assert.match(early.out, /it was released, and is kept until the packs that hold its content are all here/);
  assert.ok(fs.existsSync(ingest));
  const later = await stele.done('repair');
  assert.match(later.out, /it was released while its disk was away, and is removed/);
  assert.ok(!fs.existsSync(ingest));
  assert.ok((await stele.content('files/a')).equals(content));
  assert.match((await stele.done('repair')).out, /nothing to repair/);
});

test('a pack whose release a power cut took back from the disks is let go of again by the event, once what it names was read back', async () => {
  const stele = newArchive();
  const content = noise(300_000);
  stele.file('a', content);
  await stele.done('put', 'a');
  await stele.done('ls');
  const [ingest = ''] = stele.packs();
  const bytes = fs.readFileSync(ingest);
  await stele.done('settle', '--all');
  fs.writeFileSync(ingest, bytes);
  await stele.done('rebuild');
  assert.match((await stele.done('status')).out, /ingest +1 sealed/);
  // What the event names is not there: then the pack stays.
  const whole = stele.packs().map((pack) => ({ pack, bytes: fs.readFileSync(pack) }));
  for (const { pack } of whole) if (pack !== ingest) flip(pack, 4096 + 40);
  assert.ok(!(await stele.run('repair')).out.includes('removed'));
  assert.ok(fs.existsSync(ingest));
  for (const each of whole) fs.writeFileSync(each.pack, each.bytes);
  await stele.done('rebuild');
  assert.match((await stele.done('repair')).out, /and is removed/);
  assert.ok(!fs.existsSync(ingest));
  assert.ok((await stele.content('files/a')).equals(content));
});
