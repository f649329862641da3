/*
 * Forwarding between two archives over loopback: what rules take arrives, once, whatever was down or stopped meanwhile.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { type Running, start } from '../src/app/running.ts';
import { settingsOf } from '../src/app/settings.ts';
import { type Forward, type ForwardRule, type Holding, plainEntity } from '../src/archive/index.ts';
import { type Clock, defaultTenant, ManualClock, systemClock } from '../src/base/index.ts';
import { type DimseDoor, openDimse } from '../src/doors/dimse/index.ts';
import { explicitLittleEndian, type MadeInstance, makeInstance } from './support/made-instance.ts';
import { Stele } from './support/stele.ts';

const study = '1.2.826.0.1.3680043.99.41';
const closing: (() => Promise<void>)[] = [];
after(async () => {
  for (const close of closing.reverse()) await close();
});

/** An archive, and its door while that is open. */
class House {
  readonly #stele = new Stele();
  readonly #clock: Clock;
  readonly faults: unknown[] = [];
  #running: Running | undefined;
  #door: DimseDoor | undefined;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
    closing.push(async () => {
      await this.stop();
      this.#stele.remove();
    });
  }

  get archive(): Running['archive'] {
    if (this.#running === undefined) throw new Error('the house is not open');
    return this.#running.archive;
  }

  async start(more: { readonly settleSeconds?: number } = {}): Promise<this> {
    const settings = settingsOf([{ workers: 1, ...more }], this.#stele.folder);
    this.#running = await start({ settings, create: true, say: () => undefined, clock: this.#clock });
    return this;
  }

  async openDoor(port = 0): Promise<number> {
    this.#door = await openDimse({
      archive: () => this.archive,
      host: '127.0.0.1',
      port,
      title: 'STELE',
      tlsClient: {},
      clock: this.#clock,
      onFault: (_what, error) => this.faults.push(error),
    });
    return this.#door.port;
  }

  async closeDoor(): Promise<void> {
    await this.#door?.close();
    this.#door = undefined;
  }

  async stop(): Promise<void> {
    await this.closeDoor();
    await this.#running?.close();
    this.#running = undefined;
  }

  async store(made: MadeInstance, source = 'CT1', whenKnown: 'first' | 'last' = 'first'): Promise<void> {
    const options = { tenant: defaultTenant, syntax: explicitLittleEndian, source, whenKnown };
    await this.archive.instances.store(
      options,
      (async function* () {
        yield makeInstance({ study, ...made });
      })(),
    );
  }

  queue(): Promise<Forward[]> {
    return Array.fromAsync(this.archive.forwarding.queue());
  }

  ledger(): Promise<Holding[]> {
    return Array.fromAsync(this.archive.forwarding.ledger());
  }

  async count(): Promise<number> {
    const all = this.archive.studies.instances({ tenant: defaultTenant, conditions: [] });
    return (await Array.fromAsync(all)).length;
  }
}

const rule: ForwardRule = {
  name: 'on',
  from: [],
  modalities: ['CT'],
  description: undefined,
  hours: [],
  to: 'OTHER',
  what: 'instances',
  once: false,
  quietSeconds: 0,
  enabled: true,
};

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setImmediate(resolve));
}

test('what a rule takes waits while its destination is down, across a restart, and arrives once when it is up', async () => {
  const [house, other] = [await new House().start(), await new House().start()];
  const port = await other.openDoor();
  await other.closeDoor();
  await house.archive.entities.set({ ...plainEntity('OTHER'), host: '127.0.0.1', port });
  await house.archive.forwarding.setRule(rule);
  await house.openDoor();
  await house.store({ number: 1 });
  await house.store({ number: 2 });
  await house.store({ number: 3, series: `${study}.2`, modality: 'SR' });
  await until(async () => ((await house.queue())[0]?.tries ?? 0) > 0);
  const [waiting] = await house.queue();
  assert.match(waiting?.lastError ?? '', /not taken: DICOM_UNREACHABLE/);
  assert.deepEqual(await house.ledger(), []);

  await house.stop();
  await house.start();
  assert.equal((await house.queue()).length, 1, 'it waits still');
  await other.openDoor(port);
  await house.openDoor();
  assert.equal(await house.archive.forwarding.retry('OTHER'), 1);
  await until(async () => (await house.queue()).length === 0);
  assert.equal(await other.count(), 2, 'the report was not taken by the rule');
  const [first] = await house.ledger();
  assert.deepEqual([first?.to, first?.study, first?.instances], ['OTHER', study, 2]);

  await house.store({ number: 4 });
  await until(async () => (await house.ledger())[0]?.instances === 3);
  await until(async () => (await house.queue()).length === 0);
  assert.equal(await other.count(), 3);
  assert.notEqual((await house.ledger())[0]?.digest, first?.digest);

  await house.store({ number: 5 }, 'OTHER');
  assert.deepEqual(await house.queue(), [], 'nothing goes back to where it came from');
  assert.deepEqual([...house.faults, ...other.faults], []);
});

test('a study goes when it was quiet for long enough, only what is new is sent, and what never succeeds is given up and kept', async () => {
  const clock = new ManualClock(Date.UTC(2026, 0, 1));
  const house = await new House(clock).start();
  const { forwarding } = house.archive;
  await forwarding.setRule({ ...rule, quietSeconds: 30 });
  const nobody = new Set<string>();
  await house.store({ number: 1 });
  clock.advance(20_000);
  await house.store({ number: 2 });
  clock.advance(20_000);
  const soon = await forwarding.due(nobody);
  assert.deepEqual([soon.due.length, soon.nextMs], [0, clock.nowMs() + 10_000]);
  clock.advance(10_000);
  const [forward] = (await forwarding.due(nobody)).due;
  assert.ok(forward !== undefined);
  assert.deepEqual((await forwarding.due(new Set(['OTHER']))).due, [], 'a destination that is busy is passed over');

  const plan = await forwarding.plan(forward);
  assert.equal(plan.missing.length, 2);
  const ids = plan.missing.map((each) => each.id);
  const failed = await forwarding.sent(plan, new Set(ids.slice(0, 1)), '1 of 2 not taken');
  assert.deepEqual([failed?.tries, failed?.nextMs], [1, clock.nowMs() + 30_000]);
  assert.equal((await house.ledger())[0]?.instances, 1);
  const rest = await forwarding.plan(forward);
  assert.deepEqual(
    rest.missing.map((each) => each.id),
    ids.slice(1),
  );
  clock.advance(1000);
  await house.store({ number: 3 });
  const again = await forwarding.sent(rest, new Set(ids.slice(1)));
  assert.equal(again?.tries, 0, 'what came meanwhile is still to be sent');
  assert.equal((await house.ledger())[0]?.instances, 2);

  clock.advance(40_000);
  forwarding.pause('OTHER', clock.nowMs() + 10_000);
  assert.deepEqual((await forwarding.due(nobody)).due, [], 'a destination that did not answer is left alone');
  clock.advance(8 * 86_400_000);
  const last = await forwarding.plan(forward);
  const given = await forwarding.sent(last, new Set(), '1 of 1 not taken');
  assert.equal(given?.givenUp, true);
  clock.advance(86_400_000);
  assert.deepEqual(await forwarding.due(nobody), { due: [], nextMs: undefined });
  assert.equal(await forwarding.retry(), 1);
  assert.equal((await forwarding.due(nobody)).due.length, 1);
  assert.equal(await forwarding.drop('OTHER'), 1);
  assert.deepEqual(await house.queue(), []);
});

test('where what is here is not what was sent up to then, all of it is sent again', async () => {
  const house = await new House().start();
  const { forwarding } = house.archive;
  await forwarding.setRule(rule);
  await house.store({ number: 1 });
  await house.store({ number: 2 });
  const [forward] = await house.queue();
  assert.ok(forward !== undefined);
  const plan = await forwarding.plan(forward);
  assert.equal(await forwarding.sent(plan, new Set(plan.missing.map((each) => each.id))), undefined);
  await house.store({ number: 3 });
  const instance = plan.missing[0]?.instanceUid;
  await house.archive.instances.hide({
    tenant: defaultTenant,
    study,
    series: `${study}.1`,
    instance,
    reason: 'a test',
  });
  const [next] = await house.queue();
  assert.ok(next !== undefined);
  const { held, missing } = await forwarding.plan(next);
  assert.deepEqual([held.length, missing.length], [0, 2]);
});

test('the ledger tells versions apart, who holds an older one is listed, and sent again when somebody asks', async () => {
  const house = await new House().start();
  const { forwarding } = house.archive;
  await forwarding.setRule(rule);
  await house.store({ number: 1 });
  await house.store({ number: 2 });
  const sendAll = async (): Promise<number> => {
    const [forward] = await house.queue();
    assert.ok(forward !== undefined);
    const plan = await forwarding.plan(forward);
    assert.equal(await forwarding.sent(plan, new Set(plan.missing.map((each) => each.id))), undefined);
    return plan.missing.length;
  };
  const standing = async (): Promise<unknown> => {
    const [found] = await Array.fromAsync(forwarding.standings('OTHER'));
    return [found?.holding.version, found?.state, found?.added, found?.changed];
  };
  assert.equal(await sendAll(), 2);
  assert.deepEqual(await standing(), [1, 'current', 0, false]);
  assert.equal(await forwarding.sendOlder(), 0);

  await forwarding.setRule({ ...rule, enabled: false });
  await house.store({ number: 3 });
  assert.deepEqual(await standing(), [1, 'older', 1, false]);
  assert.equal(await forwarding.sendOlder('NOBODY'), 0);
  assert.equal(await forwarding.sendOlder('OTHER'), 1);
  assert.equal(await sendAll(), 1, 'only what came since');
  assert.deepEqual(await standing(), [2, 'current', 0, false]);

  // Other bytes under a known UID, from a source of which the last ones count.
  const other = { number: 2, description: 'corrected' };
  await house.store(other, 'CT1', 'last');
  assert.deepEqual(await standing(), [2, 'older', 1, true]);
  const [before] = await house.ledger();
  assert.equal(await forwarding.sendOlder(), 1);
  assert.equal(await sendAll(), 3, 'what was replaced is sent again with the rest');
  assert.deepEqual(await standing(), [3, 'current', 0, false]);
  const [now] = await house.ledger();
  assert.equal(now?.digest, before?.digest, 'the same instances');
  assert.notEqual(now?.content, before?.content, 'with other bytes');
});

test('where every rule says once, what was sent stays as it was sent, only what is new goes, and the ledger says that it is older', async () => {
  const house = await new House().start();
  const { forwarding } = house.archive;
  await forwarding.setRule({ ...rule, once: true });
  const sendAll = async (): Promise<string[]> => {
    const [forward] = await house.queue();
    assert.ok(forward !== undefined);
    const plan = await forwarding.plan(forward);
    await forwarding.sent(plan, new Set(plan.missing.map((each) => each.id)));
    return plan.missing.map((each) => each.instanceUid);
  };
  await house.store({ number: 1 });
  await house.store({ number: 2 });
  assert.equal((await sendAll()).length, 2);
  await house.archive.instances.hide({
    tenant: defaultTenant,
    study,
    series: `${study}.1`,
    instance: `${study}.1.1`,
    reason: 'a test',
  });
  await house.store({ number: 3 });
  assert.deepEqual(await sendAll(), [`${study}.1.3`]);
  const [standing] = await Array.fromAsync(forwarding.standings());
  assert.deepEqual([standing?.state, standing?.changed], ['older', true]);
  await forwarding.setRule(rule);
  assert.equal(await forwarding.sendOlder(), 1);
  assert.equal((await sendAll()).length, 2, 'with a rule that says otherwise all of it goes');
});

test('a study that is corrected after it was sent is sent again, unless every rule says once', async () => {
  const house = await new House().start();
  const { forwarding, amendments } = house.archive;
  await forwarding.setRule(rule);
  await house.store({ number: 1 });
  const [forward] = await house.queue();
  assert.ok(forward !== undefined);
  const plan = await forwarding.plan(forward);
  await forwarding.sent(plan, new Set(plan.missing.map((each) => each.id)));
  const amending = { tenant: defaultTenant, by: 'somebody', why: 'a test' };
  const correct = (sex: string): Promise<unknown> =>
    amendments.correctStudy({ ...amending, study, attributes: { PatientSex: sex } });
  await forwarding.setRule({ ...rule, once: true });
  await correct('F');
  assert.deepEqual(await house.queue(), []);
  const [older] = await Array.fromAsync(forwarding.standings());
  assert.deepEqual([older?.state, older?.added, older?.changed], ['older', 0, true]);

  await forwarding.setRule(rule);
  await correct('O');
  const [again] = await house.queue();
  assert.ok(again !== undefined, 'it waits');
  const next = await forwarding.plan(again);
  assert.equal(next.missing.length, 1, 'all of it goes');
  await forwarding.sent(next, new Set(next.missing.map((each) => each.id)));
  const [now] = await Array.fromAsync(forwarding.standings());
  assert.deepEqual([now?.state, now?.holding.version], ['current', 2]);
  const { id } = (await amendments.historyOfStudy(defaultTenant, study)).at(-1)?.said ?? {};
  await amendments.withdraw({ ...amending, id: id ?? '' });
  assert.equal((await house.queue()).length, 1, 'taking a correction back is a change, too');
});

test('settling what was sent makes it no older, only what comes after it goes, and a settled study can be asked for', async () => {
  const house = await new House().start({ settleSeconds: 0 });
  const { archive } = house;
  const { forwarding } = archive;
  await forwarding.setRule(rule);
  await house.store({ number: 1 });
  await house.store({ number: 2 });
  const sendAll = async (): Promise<number> => {
    const [forward] = await house.queue();
    assert.ok(forward !== undefined);
    const plan = await forwarding.plan(forward);
    await forwarding.sent(plan, new Set(plan.missing.map((each) => each.id)));
    return plan.missing.length;
  };
  assert.equal(await sendAll(), 2);
  const { signal } = new AbortController();
  for await (const report of archive.settle(async () => undefined, { all: true, signal })) assert.ok(report.released);
  const [settled] = await Array.fromAsync(forwarding.standings());
  assert.deepEqual([settled?.state, settled?.holding.version], ['current', 1]);
  await house.store({ number: 3 });
  assert.equal(await sendAll(), 1);
  const name = { to: 'READ', tenant: defaultTenant, study, what: 'instances' as const };
  assert.equal(await forwarding.ask(name), 'queued');
  assert.equal(await sendAll(), 3);
  assert.equal(await forwarding.ask(name), 'held');
});

test('what somebody asks for waits like what rules take, once, and not when it is held', async () => {
  const house = await new House().start();
  const { forwarding } = house.archive;
  await house.store({ number: 1 });
  const name = { to: 'OTHER', tenant: defaultTenant, study, what: 'instances' as const };
  assert.equal(await forwarding.ask(name), 'queued');
  assert.equal(await forwarding.ask(name), 'waiting');
  await house.stop();
  await house.start();
  const again = house.archive.forwarding;
  const [forward] = (await again.due(new Set())).due;
  assert.ok(forward !== undefined, 'it is due at once, after a restart too');
  const plan = await again.plan(forward);
  await again.sent(plan, new Set(plan.missing.map((each) => each.id)));
  assert.equal(await again.ask(name), 'held');
  await house.store({ number: 2 });
  assert.equal(await again.ask(name), 'queued');
});

test('rules are set, changed, listed and removed by command', async () => {
  const stele = new Stele();
  closing.push(async () => stele.remove());
  await stele.done('put', stele.file('a.txt', 'a'));
  await stele.done('ae', 'set', 'OTHER', '127.0.0.1:11112');
  assert.equal((await stele.run('forward', 'set', 'night', 'NOBODY')).code, 1);
  await stele.done(
    'forward',
    'set',
    'night',
    'OTHER',
    '--from',
    'CT1,CT2',
    '--hours',
    '22-1',
    '--description',
    '*head*',
  );
  await stele.done('forward', 'set', 'night', '--from', 'any', '--modality', 'CT', '--quiet', '5', '--off');
  const [line = ''] = (await stele.done('forward', 'list', '--json')).out.split('\n');
  assert.deepEqual(JSON.parse(line), {
    ...rule,
    name: 'night',
    hours: [0, 1, 22, 23],
    description: '*head*',
    quietSeconds: 5,
    enabled: false,
  });
  assert.equal((await stele.done('forward', 'queue')).out, '');
  assert.equal((await stele.done('forward', 'ledger')).out, '');
  assert.equal((await stele.done('forward', 'ledger', '--stale')).out, '');
  assert.match((await stele.done('forward', 'update')).out, /^0 studies/);
  await stele.done('forward', 'set', 'night', '--notice', '--once');
  assert.match((await stele.done('forward', 'list')).out, /notice to OTHER.*once/);
  assert.equal((await stele.run('forward', 'set', 'night', '--notice', '--instances')).code, 2);
  assert.match((await stele.done('forward', 'retry')).out, /^0 studies/);
  await stele.done('forward', 'remove', 'night');
  assert.equal((await stele.run('forward', 'remove', 'night')).code, 1);
});
