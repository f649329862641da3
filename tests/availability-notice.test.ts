/*
 * Instance Availability Notification: what a rule of notices tells a listener, once or until it listens, and what it says.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { type Running, start } from '../src/app/running.ts';
import { settingsOf } from '../src/app/settings.ts';
import { type Forward, type ForwardRule, type Holding, plainEntity } from '../src/archive/index.ts';
import { type Clock, defaultTenant, ManualClock, systemClock } from '../src/base/index.ts';
import {
  type DataSet,
  DataSetReader,
  gatheredBytesMax,
  listenAssociations,
  negotiate,
  tags,
  transferSyntaxOf,
} from '../src/dicom/index.ts';
import { openDimse } from '../src/doors/dimse/index.ts';
import { ctImageStorage, explicitLittleEndian, makeInstance } from './support/made-instance.ts';
import { Stele } from './support/stele.ts';

const study = '1.2.826.0.1.3680043.99.43';
const availability = '1.2.840.10008.5.1.4.33';
const performedStep = '1.2.840.10008.3.1.2.3.3';

const closing: (() => Promise<void> | void)[] = [];
after(async () => {
  for (const close of closing.reverse()) await close();
});

const rule: ForwardRule = {
  name: 'tell',
  from: [],
  modalities: [],
  description: undefined,
  hours: [],
  to: 'RIS',
  what: 'notice',
  once: false,
  quietSeconds: 0,
  enabled: true,
};

async function openHouse(clock: Clock = systemClock): Promise<Running['archive']> {
  const stele = new Stele();
  const settings = settingsOf([{ workers: 1 }], stele.folder);
  const running = await start({ settings, create: true, say: () => undefined, clock });
  closing.push(async () => {
    await running.close();
    stele.remove();
  });
  return running.archive;
}

async function openDoor(archive: Running['archive'], clock: Clock = systemClock): Promise<void> {
  const faults: unknown[] = [];
  const door = await openDimse({
    archive: () => archive,
    host: '127.0.0.1',
    port: 0,
    title: 'STELE',
    tlsClient: {},
    clock,
    onFault: (_what, error) => faults.push(error),
  });
  closing.push(async () => {
    await door.close();
    assert.deepEqual(faults, []);
  });
}

async function store(archive: Running['archive'], number: number, series = `${study}.1`): Promise<void> {
  await archive.instances.store(
    { tenant: defaultTenant, syntax: explicitLittleEndian, source: 'CT1' },
    (async function* () {
      yield makeInstance({ study, series, number, patientId: 'SECRET1', patientName: 'SECRET^NAME' });
    })(),
  );
}

type Heard = { readonly uid: string | undefined; readonly notice: DataSet };

/** Somebody who takes notices, and answers them with what `answer` says. */
async function openListener(answer: () => number): Promise<{ readonly port: number; readonly heard: Heard[] }> {
  const heard: Heard[] = [];
  const server = await listenAssociations({
    host: '127.0.0.1',
    port: 0,
    decide: (request) => ({
      kind: 'accept',
      ...negotiate(request, { served: new Set([availability]), refused: new Set([ctImageStorage]) }),
    }),
    serve: async (association) => {
      for await (const message of association.messages()) {
        assert.equal(message.kind, 'N-CREATE');
        const reader = new DataSetReader({ syntax: transferSyntaxOf(message.context.transferSyntax) });
        reader.push((await message.data?.gather(gatheredBytesMax)) ?? new Uint8Array(0));
        heard.push({ uid: message.command.affectedSopInstance, notice: reader.finish() });
        await message.respond({ status: answer() });
      }
    },
    onFault: (error) => {
      throw error;
    },
  });
  closing.push(() => server.close(0));
  return { port: server.address.port, heard };
}

async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setImmediate(resolve));
}

const queueOf = (archive: Running['archive']): Promise<Forward[]> => Array.fromAsync(archive.forwarding.queue());
const ledgerOf = (archive: Running['archive']): Promise<Holding[]> => Array.fromAsync(archive.forwarding.ledger());

const namesOf = (notice: DataSet): string[] =>
  notice
    .items(tags.ReferencedSeriesSequence)
    .flatMap((series) =>
      series
        .items(tags.ReferencedSOPSequence)
        .map((each) =>
          [
            series.string(tags.SeriesInstanceUID),
            each.string(tags.ReferencedSOPInstanceUID),
            each.string(tags.ReferencedSOPClassUID),
            each.string(tags.InstanceAvailability),
            each.string(tags.RetrieveAETitle),
          ].join(' '),
        ),
    );

test('a notice names what is here, where it can be had and which step made it, and says nothing of the patient', async () => {
  const archive = await openHouse();
  const listener = await openListener(() => 0);
  await archive.entities.set({ ...plainEntity('RIS'), host: '127.0.0.1', port: listener.port });
  await archive.forwarding.setRule(rule);
  await archive.steps.create({
    instanceUid: '2.25.5',
    tenant: defaultTenant,
    state: 'IN PROGRESS',
    station: 'CT1',
    modality: 'CT',
    studies: [study],
    series: [],
    createdMs: 1,
    changedMs: 1,
  });
  await store(archive, 1);
  await store(archive, 2, `${study}.2`);
  await openDoor(archive);
  await until(async () => (await queueOf(archive)).length === 0);
  const { notice } = listener.heard.at(-1) as Heard;
  assert.equal(notice.string(tags.StudyInstanceUID), study);
  assert.deepEqual(namesOf(notice), [
    `${study}.1 ${study}.1.1 ${ctImageStorage} ONLINE STELE`,
    `${study}.2 ${study}.2.2 ${ctImageStorage} ONLINE STELE`,
  ]);
  const [step] = notice.items(tags.ReferencedPerformedProcedureStepSequence);
  assert.equal(step?.string(tags.ReferencedSOPClassUID), performedStep);
  assert.equal(step?.string(tags.ReferencedSOPInstanceUID), '2.25.5');
  assert.equal(notice.has(tags.PatientName) || notice.has(tags.PatientID), false);
  const [holding] = await ledgerOf(archive);
  assert.deepEqual([holding?.to, holding?.what, holding?.instances], ['RIS', 'notice', 2]);

  const before = listener.heard.length;
  await store(archive, 3);
  await until(async () => (await ledgerOf(archive))[0]?.instances === 3);
  assert.equal(namesOf((listener.heard.at(-1) as Heard).notice).length, 3, 'what was told before is told too');
  assert.notEqual(listener.heard.at(-1)?.uid, listener.heard[before - 1]?.uid, 'it is another notice');
});

test('a notice that is refused is told again for days, ever later, with the same name, and then kept for somebody to see', async () => {
  const clock = new ManualClock(Date.UTC(2026, 0, 1));
  const archive = await openHouse(clock);
  const statuses: number[] = [];
  const listener = await openListener(() => statuses.shift() ?? 0x0110);
  await archive.entities.set({ ...plainEntity('RIS'), host: '127.0.0.1', port: listener.port });
  await archive.forwarding.setRule(rule);
  await store(archive, 1);
  await openDoor(archive, clock);
  await until(async () => (await queueOf(archive))[0]?.tries === 1);
  assert.match((await queueOf(archive))[0]?.lastError ?? '', /1 of 1 not taken: DICOM_REJECTED/);
  assert.deepEqual(await ledgerOf(archive), []);
  const seenMs: number[] = [];
  for (let days = 0; days < 8 * 24 && (await queueOf(archive))[0]?.givenUp === false; days += 1) {
    const tries = (await queueOf(archive))[0]?.tries ?? 0;
    clock.advance(3_600_000 + 1000);
    await until(async () => ((await queueOf(archive))[0]?.tries ?? 0) > tries);
    seenMs.push(clock.nowMs());
  }
  assert.ok(seenMs.length > 7 * 20, `${seenMs.length} tries in a week`);
  assert.equal((await queueOf(archive))[0]?.givenUp, true);
  assert.equal(new Set(listener.heard.map((each) => each.uid)).size, 1, 'the same notice has the same name');

  statuses.push(0x0111);
  assert.equal(await archive.forwarding.retry('RIS'), 1);
  await until(async () => (await queueOf(archive)).length === 0);
  assert.equal((await ledgerOf(archive))[0]?.instances, 1, 'known there already is told');
});

test('one that takes no notices and one that is away keep their studies waiting, and instances and notices wait apart', async () => {
  const archive = await openHouse();
  const listener = await openListener(() => 0);
  await archive.entities.set({ ...plainEntity('RIS'), host: '127.0.0.1', port: listener.port });
  await archive.entities.set({ ...plainEntity('AWAY'), host: '127.0.0.1', port: 1 });
  await archive.forwarding.setRule(rule);
  await archive.forwarding.setRule({ ...rule, name: 'send', what: 'instances' });
  await archive.forwarding.setRule({ ...rule, name: 'away', to: 'AWAY' });
  await store(archive, 1);
  assert.deepEqual(
    (await queueOf(archive)).map(({ to, what }) => `${to} ${what}`),
    ['AWAY notice', 'RIS instances', 'RIS notice'],
  );
  await openDoor(archive);
  await until(async () => {
    const queue = await queueOf(archive);
    return queue.length === 2 && queue.every((each) => each.tries > 0);
  });
  const [away, stored] = await queueOf(archive);
  assert.match(away?.lastError ?? '', /DICOM_UNREACHABLE/);
  assert.equal(stored?.what, 'instances', 'the listener takes no instances');
  assert.equal(listener.heard.length, 1);
});
