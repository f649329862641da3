/*
 * Priors for an order: by command and over HTTP with a token, into the durable queue of forwarding, and from there to another archive.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { type Running, start } from '../src/app/running.ts';
import { settingsOf } from '../src/app/settings.ts';
import { plainEntity } from '../src/archive/index.ts';
import { defaultTenant, systemClock, systemRandom } from '../src/base/index.ts';
import { openConsole } from '../src/doors/console/index.ts';
import { openDimse } from '../src/doors/dimse/index.ts';
import { explicitLittleEndian, makeInstance } from './support/made-instance.ts';
import { Stele } from './support/stele.ts';

const root = '1.2.826.0.1.3680043.99.91';
const closing: (() => Promise<void> | void)[] = [];
after(async () => {
  for (const close of closing.reverse()) await close();
});

const yearNow = new Date().getUTCFullYear();
const studies: readonly { readonly number: number; readonly date: string; readonly patient: string }[] = [
  { number: 1, date: `${yearNow - 1}0101`, patient: 'P1' },
  { number: 2, date: `${yearNow - 2}0101`, patient: 'P1' },
  { number: 3, date: `${yearNow - 9}0101`, patient: 'P1' },
  { number: 4, date: `${yearNow - 1}0101`, patient: 'P2' },
];

async function openHouse(stele = new Stele()): Promise<Running> {
  const settings = settingsOf([{ workers: 1 }], stele.folder);
  const running = await start({ settings, create: true, say: () => undefined });
  closing.push(async () => {
    await running.close();
    stele.remove();
  });
  return running;
}

async function fill({ archive }: Pick<Running, 'archive'>): Promise<void> {
  for (const { number, date, patient } of studies)
    await archive.instances.store(
      { tenant: defaultTenant, syntax: explicitLittleEndian },
      (async function* () {
        yield makeInstance({
          study: `${root}.${number}`,
          studyDate: date,
          patientId: patient,
          patientName: 'SECRET^NAME',
        });
      })(),
    );
}

async function openDoor({ archive }: Running): Promise<number> {
  const door = await openDimse({
    archive: () => archive,
    host: '127.0.0.1',
    port: 0,
    title: 'STELE',
    tlsClient: {},
    clock: systemClock,
    onFault: () => undefined,
  });
  closing.push(() => door.close());
  return door.port;
}

test('rules are set, listed and removed, and a command says what would go before it sends', async () => {
  const stele = new Stele();
  closing.push(() => stele.remove());
  const running = await start({
    settings: settingsOf([{ workers: 1 }], stele.folder),
    create: true,
    say: () => undefined,
  });
  await fill(running);
  await running.close();
  const wanted = ['prefetch', '--patient', 'P1', '--modality', 'CT', '--body-part', 'CHEST'];
  assert.match((await stele.done('prefetch', 'list')).out, /^usual .*same modality.*newest 3 of 5 years/);
  const planned = await stele.done(...wanted, '--plan', '--json');
  assert.deepEqual(
    planned.out
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { study: string }).study),
    [`${root}.1`, `${root}.2`],
  );
  assert.ok(!planned.out.includes('SECRET') && !planned.out.includes('P1'));
  assert.equal((await stele.run(...wanted, '--to', 'READ')).code, 1, 'the table does not name it');
  await stele.done('ae', 'set', 'READ', '127.0.0.1:11112');
  assert.match((await stele.done(...wanted, '--to', 'READ')).out, /READ {2}by usual {2}queued/);
  assert.match((await stele.done(...wanted, '--to', 'READ')).out, /waiting/);
  assert.equal((await stele.done('forward', 'queue')).out.trim().split('\n').length, 2);

  await stele.done(
    'prefetch',
    'set',
    'chest',
    'READ',
    '--modality',
    'CT,MR',
    '--takes',
    'any',
    '--newest',
    '1',
    '--years',
    '20',
  );
  assert.match(
    (await stele.done('prefetch', 'list')).out,
    /^chest .*for CT MR, any body part.*newest 1 of 20 years.*to READ/,
  );
  assert.match((await stele.done(...wanted)).out, /READ {2}by chest {2}waiting/);
  assert.equal((await stele.done('prefetch', '--patient', 'P1', '--modality', 'US')).out, '', 'no rule is for it');
  assert.equal((await stele.run('prefetch', 'set', 'chest', '--newest', '0')).code, 2);
  assert.equal((await stele.run('prefetch', 'set', 'none', 'NOBODY')).code, 1);
  await stele.done('prefetch', 'set', 'chest', '--off');
  assert.equal((await stele.done(...wanted)).out, '');
  await stele.done('prefetch', 'remove', 'chest');
  assert.equal((await stele.run('prefetch', 'remove', 'chest')).code, 1);
  assert.equal((await stele.run('prefetch')).code, 2, 'a patient is needed');
});

test('an order over HTTP brings priors to their destination, once, and only for who may send', async () => {
  const [house, reading] = [await openHouse(), await openHouse()];
  await fill(house);
  const { archive } = house;
  await archive.entities.set({ ...plainEntity('READ'), host: '127.0.0.1', port: await openDoor(reading) });
  const user = { password: 'a password of the test', fresh: true };
  await archive.accounts.setUser({ ...user, name: 'tech', role: 'technician' });
  await archive.accounts.setUser({ ...user, name: 'reader', role: 'reader' });
  const tokens = {
    tech: await archive.accounts.createToken({ user: 'tech', name: 'orders' }),
    reader: await archive.accounts.createToken({ user: 'reader', name: 'reads' }),
  };
  const web = await openConsole({
    archive: () => archive,
    host: '127.0.0.1',
    port: 0,
    version: '0',
    clock: systemClock,
    random: systemRandom,
    setupSecret: () => undefined,
    onSetUp: async () => undefined,
    onFault: (_route, error) => {
      throw error;
    },
    identity: undefined,
    takes: undefined,
    authority: undefined,
    mounts: [],
  });
  closing.push(() => web.close());
  const order = async (token: string | undefined, body: object): Promise<Response> =>
    fetch(`${web.url}/api/prefetch`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
    });
  const wanted = { patientId: 'P1', modality: 'CT', bodyPart: 'CHEST', to: 'READ' };
  assert.equal((await order(undefined, wanted)).status, 401);
  assert.equal((await order(tokens.reader, wanted)).status, 403);
  assert.equal((await order(tokens.tech, { modality: 'CT' })).status, 400);
  assert.equal((await order(tokens.tech, { ...wanted, patientId: 7 })).status, 400);
  assert.equal((await order(tokens.tech, { ...wanted, to: 'NOBODY' })).status, 404);
  const taken = await order(tokens.tech, wanted);
  assert.equal(taken.status, 202);
  const text = await taken.text();
  assert.ok(!text.includes('SECRET') && !text.includes('P1'));
  const { priors } = JSON.parse(text) as { priors: { study: string; state: string }[] };
  assert.deepEqual(
    priors.map(({ study, state }) => [study, state]),
    [
      [`${root}.1`, 'queued'],
      [`${root}.2`, 'queued'],
    ],
  );
  await openDoor(house);
  while ((await Array.fromAsync(archive.forwarding.queue())).length > 0)
    await new Promise((resolve) => setImmediate(resolve));
  const there = await Array.fromAsync(reading.archive.studies.studies({ tenant: defaultTenant, conditions: [] }));
  assert.deepEqual(there.map((each) => each.studyUid).toSorted(), [`${root}.1`, `${root}.2`]);
  const again = (await (await order(tokens.tech, wanted)).json()) as { priors: { state: string }[] };
  assert.deepEqual(
    again.priors.map(({ state }) => state),
    ['held', 'held'],
  );
  const steps = await fetch(`${web.url}/api/steps`, { headers: { authorization: `Bearer ${tokens.tech}` } });
  assert.deepEqual(await steps.json(), { steps: [], isAll: true });
  assert.equal((await fetch(`${web.url}/api/steps`)).status, 401);
});
