/* The audit from outside: what doors and commands do is told, in one chain that survives stops, rebuilds and compaction. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { after, test } from 'node:test';
import { type Running, start } from '../src/app/running.ts';
import { settingsOf } from '../src/app/settings.ts';
import {
  type Archive,
  archiveTables,
  type ChainedEvent,
  operator,
  plainEntity,
  visitor,
} from '../src/archive/index.ts';
import { defaultTenant, isArchiveError, tenantId, utf8Bytes } from '../src/base/index.ts';
import { dumpTables } from '../src/sql/index.ts';
import { openWebHouse } from './support/dicomweb-rig.ts';
import { explicitLittleEndian, makeInstance } from './support/made-instance.ts';
import { Stele } from './support/stele.ts';

const houses: Stele[] = [];
after(() => {
  for (const stele of houses) stele.remove();
});

class House {
  readonly stele = new Stele();

  constructor() {
    houses.push(this.stele);
  }

  open(more: Partial<Parameters<typeof start>[0]> = {}): Promise<Running> {
    const settings = settingsOf([{ workers: 1 }], this.stele.folder);
    return start({ settings, create: true, say: () => undefined, ...more });
  }
}

const me = operator('me');

async function* once(text: string): AsyncGenerator<Uint8Array> {
  yield utf8Bytes(text);
}

async function eventsOf(archive: Archive): Promise<ChainedEvent[]> {
  return [...(await archive.audit.list({}, { limit: 1000 })).events].reverse();
}

function said({ who, action, result, study, subject, count }: ChainedEvent): string {
  return `${who} ${action} ${result} ${study ?? subject ?? ''} ${count}`;
}

async function verified(archive: Archive): Promise<{ events: number; problems: readonly unknown[]; chains: number }> {
  return archive.audit.verify([], () => undefined);
}

test('what is done in the name of somebody is told once, and the rest of its kind is counted', async () => {
  const running = await new House().open();
  const archive = running.archive.as(me);
  const put = (key: string): Promise<unknown> =>
    archive.objects.put({ tenant: defaultTenant, bucket: 'files', key: utf8Bytes(key) }, once(key));
  for (let index = 0; index < 10; index += 1) await put(`f${index}`);
  await archive.entities.list();
  await archive.entities.set(plainEntity('CT1'));
  assert.deepEqual((await eventsOf(running.archive)).map(said), [
    'task:audit audit.begin ok  1',
    'operator:me object.store ok files 1',
    'operator:me entity.change ok CT1 1',
  ]);
  await running.close();
  const again = await running.archive.audit.list({}, { limit: 1 }).catch((error: unknown) => error);
  assert.ok(again instanceof Error, 'a closed archive lists nothing');
});

test('one chain follows another over stops; a rebuild brings the table back as it was, and all is verified', async () => {
  const house = new House();
  for (let round = 0; round < 3; round += 1) {
    const running = await house.open();
    const archive = running.archive.as(me);
    for (let index = 0; index < 4; index += 1)
      await archive.objects.put({ tenant: defaultTenant, bucket: `b${index}`, key: utf8Bytes('k') }, once('text'));
    await running.close();
  }
  let running = await house.open();
  const before = await verified(running.archive);
  assert.deepEqual([before.events, before.chains, before.problems], [15, 3, []]);
  const audit = archiveTables.filter(({ name }) => name === 'audit_events');
  const dump = await dumpTables(running.sql, audit, ['cache']);
  await running.close();
  running = await house.open({ rebuild: { fromMedia: false, onPack: () => undefined } });
  assert.deepEqual(await dumpTables(running.sql, audit, ['cache']), dump);
  assert.deepEqual((await verified(running.archive)).problems, []);
  await running.close();
});

test('a pack with events that is gone is named by the chain and by the table', async () => {
  const house = new House();
  let running = await house.open();
  await running.archive.as(me).entities.set(plainEntity('CT1'));
  await running.vault.sealOpen('all');
  const [pack] = await running.vault.register.packsAfter(undefined, 10, 'control');
  await running.archive.as(me).entities.set(plainEntity('CT2'));
  assert.deepEqual((await verified(running.archive)).problems, []);
  await running.close();
  assert.ok(pack !== undefined);
  const folder = pack.pack.slice(0, 2);
  fs.rmSync(house.stele.path('data', 'disk', 'packs', folder, `${pack.pack}.pack`));
  fs.rmSync(house.stele.path('data', 'disk', 'footers', folder, `${pack.pack}.foot`), { force: true });
  running = await house.open();
  const { problems } = await running.archive.audit.verify([], () => undefined);
  const kinds = problems.map(({ kind, number }) => `${kind} ${number}`);
  assert.deepEqual(kinds, ['unreadable 0', 'missing 1'], JSON.stringify(problems));
  await running.close();
});

test('over DICOMweb: a log-in, what was read and what was refused are told, under the name that logged in', async () => {
  const house = await openWebHouse();
  const study = '1.2.3';
  await house.store(makeInstance({ study, series: '1.2.3.4', number: 1 }));
  assert.equal((await house.get(`/studies/${study}/metadata`)).status, 200);
  assert.equal((await house.get('/studies', { authorization: 'Bearer nobody' })).status, 401);
  const { accounts } = house.running.archive;
  const token = await accounts.createToken({ user: 'admin', name: 'viewer', role: 'reader' });
  const headers = { authorization: `Bearer ${token}` };
  assert.equal((await fetch(`${house.root}/studies/${study}`, { method: 'DELETE', headers })).status, 403);
  assert.equal((await fetch(`${house.root}/studies/${study}`, { method: 'DELETE', headers })).status, 403);
  const told = (await eventsOf(house.running.archive)).map(said);
  for (const expected of [
    'visitor: log.in ok user:admin 1',
    'user:admin study.find ok  1',
    `user:admin study.read ok ${study} 1`,
    'visitor: log.in ACCESS_DENIED  1',
    'visitor: log.in ok token:admin/viewer 1',
    `token:admin/viewer study.hide ACCESS_DENIED ${study} 1`,
  ])
    assert.ok(told.includes(expected), `${expected} in ${told.join('; ')}`);
  assert.ok(told.every((line) => !line.includes('Doe')));
  await house.close();
});

test('a call that fails is told with its code, a refused tenant as refused', async () => {
  const running = await new House().open();
  const archive = running.archive.as(me);
  const name = { tenant: defaultTenant, bucket: 'files', key: utf8Bytes('none') };
  await assert.rejects(archive.objects.find(name), (error) => isArchiveError(error, 'NOT_FOUND'));
  const guest = running.archive.as(visitor({ door: 'test', address: '10.0.0.9' }));
  const options = { tenant: tenantId(1), syntax: explicitLittleEndian };
  assert.throws(
    () => guest.instances.store(options, once('')),
    (error) => isArchiveError(error, 'ACCESS_DENIED'),
  );
  const events = await eventsOf(running.archive);
  assert.deepEqual(events.slice(1).map(said), [
    'operator:me object.find NOT_FOUND files 1',
    'visitor: study.store ACCESS_DENIED  1',
  ]);
  assert.equal(events.at(-1)?.from, '10.0.0.9');
  await running.close();
});

test('commands list, verify and export; what begins like a formula is no formula', async () => {
  const { stele } = new House();
  await stele.done('put', stele.file('a.txt', 'text'));
  await stele.done('ae', 'set', '=CMD', '127.0.0.1:104');
  const listed = await stele.done('audit', 'list', '--json', '--action', 'entity.change');
  const [event] = listed.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as ChainedEvent);
  assert.equal(event?.subject, '=CMD');
  const csv = (await stele.done('audit', 'export')).out.trim().split('\n');
  assert.match(csv[0] ?? '', /^time,who,/);
  assert.ok(csv.some((line) => line.includes(",'=CMD,")));
  const messages = (await stele.done('audit', 'export', '--dicom')).out.trim().split('\n');
  assert.ok(messages.every((line) => /^<AuditMessage>.*<\/AuditMessage>$/.test(line)));
  assert.ok(messages.some((line) => line.includes('ParticipantObjectID="=CMD"')));
  const checked = await stele.done('audit', 'verify');
  assert.match(checked.out, /\d+ events in \d+ chains, 0 problems\nend [0-9a-f]{32}:\d+:[0-9a-f]{64}\n/);
  const end = /end (\S+)/.exec(checked.out)?.[1] ?? '';
  await stele.done('audit', 'verify', '--end', end);
  const other = await stele.run(
    'audit',
    'verify',
    '--end',
    end.replace(/.$/, (last) => (last === '0' ? '1' : '0')),
  );
  assert.equal(other.code, 1);
  assert.match(other.out, /changed: /);
});

test('where no disk takes new data, looking and mending go on, and what was done then is written when one does', async () => {
  const running = await new House().open();
  const archive = running.archive.as(me);
  await archive.objects.put({ tenant: defaultTenant, bucket: 'files', key: utf8Bytes('a') }, once('text'));
  await running.archive.audit.list({}, { limit: 1 });
  await running.vault.sealOpen('all');
  for (const store of running.vault.shelf.stores) store.state = 'failing';
  const pace = async (): Promise<void> => undefined;
  assert.ok((await Array.fromAsync(archive.verify(pace))).length > 0);
  const { events } = await archive.audit.list({ action: 'care.run' }, { limit: 10 });
  assert.equal(events.length, 0, 'not written yet');
  const change = archive.entities.set(plainEntity('CT9'));
  await assert.rejects(change, (error) => isArchiveError(error, 'COPIES_TOO_FEW'));
  for (const store of running.vault.shelf.stores) store.state = 'present';
  const told = (await eventsOf(running.archive)).map(said);
  for (const expected of ['operator:me care.run ok  1', 'operator:me entity.change COPIES_TOO_FEW CT9 1'])
    assert.ok(told.includes(expected), told.join('; '));
  assert.deepEqual((await verified(running.archive)).problems, []);
  await running.close();
});

test('what cannot be written when the archive stops is written by the next start', async () => {
  const house = new House();
  let running = await house.open();
  await running.archive.as(me).objects.put({ tenant: defaultTenant, bucket: 'files', key: utf8Bytes('a') }, once('a'));
  await running.vault.sealOpen('all');
  for (const store of running.vault.shelf.stores) store.state = 'failing';
  await running.archive.as(me).objects.list({ tenant: defaultTenant, bucket: 'files', limit: 1 });
  await running.close();
  running = await house.open();
  const told = (await eventsOf(running.archive)).map(said);
  assert.ok(told.includes('operator:me object.find ok files 1'), told.join('; '));
  assert.deepEqual((await verified(running.archive)).problems, []);
  await running.close();
});
