/*
 * Pulling by the clock: only at its hours, no faster than its rate, again after the source broke off, over TLS, and stopped and resumed by signals. The clock
 * moves when a test says so.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, test } from 'node:test';
import { jobStore } from '../src/app/pull-jobs.ts';
import { type Running, start } from '../src/app/running.ts';
import { settingsOf } from '../src/app/settings.ts';
import { plainEntity } from '../src/archive/index.ts';
import { defaultTenant, ManualClock, systemClock } from '../src/base/index.ts';
import type { TlsClientOptions } from '../src/dicom/index.ts';
import { openDimse } from '../src/doors/dimse/index.ts';
import { type EntityRun, emptyTally, type PullJob, runPull } from '../src/doors/pull/index.ts';
import { explicitLittleEndian, makeInstance } from './support/made-instance.ts';
import { onEachSent } from './support/sent-instances.ts';
import { Stele } from './support/stele.ts';

const root = '1.2.826.0.1.3680043.99.63';
const hourMs = 3_600_000;
const closing: (() => Promise<void> | void)[] = [];
after(async () => {
  for (const close of closing.reverse()) await close();
});

const pem = (name: string): Uint8Array =>
  fs.readFileSync(path.join(import.meta.dirname, '..', 'testdata', 'tls', `${name}.pem`));

async function openArchive(clock = new ManualClock(Date.UTC(2026, 0, 1))): Promise<Running> {
  const stele = new Stele();
  const settings = settingsOf([{ workers: 1 }], stele.folder);
  const running = await start({ settings, create: true, say: () => undefined, clock });
  closing.push(async () => {
    await running.close();
    stele.remove();
  });
  return running;
}

type Source = { readonly running: Running; readonly port: number; readonly tlsPort: number | undefined };

/** An archive that is asked, with studies on days of January 2024, each of three instances. */
async function openSource(studies: number, tls = false): Promise<Source> {
  const running = await openArchive();
  for (let study = 1; study <= studies; study += 1)
    for (let number = 1; number <= 3; number += 1)
      await running.archive.instances.store(
        { tenant: defaultTenant, syntax: explicitLittleEndian },
        (async function* () {
          yield makeInstance({
            study: `${root}.${study}`,
            number,
            studyDate: `202401${String(study).padStart(2, '0')}`,
          });
        })(),
      );
  const door = await openDimse({
    archive: () => running.archive,
    host: '127.0.0.1',
    port: 0,
    title: 'OLD',
    tls: tls
      ? {
          port: 0,
          server: {
            cert: pem('server-cert'),
            key: pem('server-key'),
            ca: pem('authority-cert'),
            clientCertificate: 'required',
          },
        }
      : undefined,
    tlsClient: {},
    clock: systemClock,
    onFault: () => undefined,
  });
  closing.push(() => door.close());
  return { running, port: door.port, tlsPort: door.tlsPort };
}

/** A line to a port that can be cut. */
async function openLine(port: number): Promise<{ readonly port: number; readonly cut: () => void }> {
  const open = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    const other = net.connect(port, '127.0.0.1');
    for (const each of [socket, other]) {
      open.add(each);
      each.on('error', () => undefined);
    }
    socket.pipe(other).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = (): void => {
    for (const each of open) each.destroy();
    open.clear();
  };
  closing.push(() => {
    cut();
    server.close();
  });
  return { port: (server.address() as net.AddressInfo).port, cut };
}

const fresh = (clock: ManualClock): PullJob => ({
  id: 'job',
  source: { kind: 'entity', title: 'OLD', how: 'get' },
  from: '20240101',
  to: '20240131',
  modality: undefined,
  lastDay: '20240131',
  startedMs: clock.nowMs(),
  changedMs: clock.nowMs(),
  state: 'stopped',
  why: undefined,
  cursor: '20240131',
  parts: 0,
  tally: emptyTally,
  limits: [],
  corrections: undefined,
  ris: undefined,
});

function partsOf(into: Running, clock: ManualClock, port: number, more: Partial<EntityRun> = {}): EntityRun {
  return {
    archive: into.archive,
    store: jobStore(into),
    clock,
    signal: new AbortController().signal,
    pace: {},
    atOnce: 1,
    onProgress: () => undefined,
    onNote: () => undefined,
    entity: { ...plainEntity('OLD'), host: '127.0.0.1', port },
    title: 'STELE',
    tlsClient: {},
    ...more,
  };
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

const night = { hours: { from: 20, to: 6 } };

test('a pull asks for nothing before its hours begin', async () => {
  const source = await openSource(2);
  const clock = new ManualClock(new Date(2026, 0, 5, 12).getTime());
  const into = await openArchive(clock);
  let sent = 0;
  onEachSent(source.running.archive, (count) => {
    sent = count;
  });
  const pulling = runPull(fresh(clock), partsOf(into, clock, source.port, { pace: night }));
  for (let hour = 12; hour < 20; hour += 1) {
    await turns();
    assert.equal(sent, 0, `it is ${hour} o'clock`);
    clock.advance(hourMs);
  }
  const done = await pulling;
  assert.deepEqual([done.state, done.tally.stored, sent], ['done', 6, 6]);
});

test('a pull pauses when its hours end, after the study that is under way, and goes on when they begin again', async () => {
  const source = await openSource(6);
  const clock = new ManualClock(new Date(2026, 0, 5, 5, 59, 50).getTime());
  const into = await openArchive(clock);
  const isMorning = Promise.withResolvers<void>();
  let sent = 0;
  onEachSent(source.running.archive, (count) => {
    sent = count;
    if (count !== 5) return;
    clock.advance(15_000);
    isMorning.resolve();
  });
  const pulling = runPull(fresh(clock), partsOf(into, clock, source.port, { pace: night }));
  await isMorning.promise;
  while (sent < 6) await turns();
  for (let hour = 6; hour < 20; hour += 1) {
    await turns();
    assert.equal(sent, 6, `it is ${hour} o'clock`);
    clock.advance(hourMs);
  }
  const done = await pulling;
  assert.deepEqual([done.state, done.tally.stored, done.tally.missing, sent], ['done', 18, 0, 18]);
});

test('what is taken waits for the rate', async () => {
  const source = await openSource(2);
  const clock = new ManualClock(Date.UTC(2026, 0, 1));
  const into = await openArchive(clock);
  const startedMs = clock.nowMs();
  let ended = false;
  const pulling = runPull(fresh(clock), partsOf(into, clock, source.port, { pace: { bytesPerSecond: 1000 } })).finally(
    () => {
      ended = true;
    },
  );
  while (!ended) {
    await turns();
    clock.advance(100);
  }
  const done = await pulling;
  const seconds = (clock.nowMs() - startedMs) / 1000;
  assert.equal(done.tally.stored, 6);
  assert.ok(done.tally.bytes / seconds <= 1000 + done.tally.bytes / 5, `${done.tally.bytes} bytes in ${seconds} s`);
  assert.ok(seconds >= done.tally.bytes / 1000 - 2, `${seconds} s`);
});

test('an association that is lost is opened again, ever later, and what had come is not fetched again', async () => {
  const source = await openSource(4);
  const clock = new ManualClock(Date.UTC(2026, 0, 1));
  const into = await openArchive(clock);
  const line = await openLine(source.port);
  let sent = 0;
  onEachSent(source.running.archive, (count) => {
    sent = count;
    if (count === 5 || count === 9) line.cut();
  });
  const notes: string[] = [];
  const done = await runPull(
    fresh(clock),
    partsOf(into, clock, line.port, {
      onNote: (note) => {
        notes.push(note);
        setImmediate(() => clock.advance(60_000));
      },
    }),
  );
  assert.deepEqual([done.state, done.tally.stored + done.tally.here, done.tally.missing], ['done', 12, 0]);
  assert.match(notes[0] ?? '', /^the source: DICOM_\w+; trying again in 1 s$/);
  assert.ok(sent <= 12 + 3, `${sent} sent for 12`);
});

test('over TLS a source is asked with our certificate, and one that an unknown authority signed is not asked', async () => {
  const source = await openSource(1, true);
  const clock = new ManualClock(Date.UTC(2026, 0, 1));
  const client: TlsClientOptions = { cert: pem('client-cert'), key: pem('client-key'), ca: pem('authority-cert') };
  const pullWith = async (tlsClient: TlsClientOptions): Promise<PullJob> => {
    const into = await openArchive(clock);
    const entity = { ...plainEntity('OLD'), host: '127.0.0.1', port: source.tlsPort ?? 0, tls: true };
    const onNote = (): void => {
      setImmediate(() => clock.advance(60_000));
    };
    return runPull(fresh(clock), partsOf(into, clock, entity.port, { entity, tlsClient, onNote }));
  };
  assert.equal((await pullWith(client)).tally.stored, 3);
  await assert.rejects(pullWith({ ...client, ca: pem('stranger-cert') }), { code: 'DICOM_UNREACHABLE' });
});

test('SIGINT and SIGTERM stop a pull between two objects, and the same command goes on', async () => {
  const source = await openSource(8);
  const stele = new Stele();
  closing.push(() => stele.remove());
  await stele.done('put', stele.file('x', 'x'));
  await stele.done('ae', 'set', 'OLD', `127.0.0.1:${source.port}`);
  let stop: (() => void) | undefined;
  let at = Number.POSITIVE_INFINITY;
  let sent = 0;
  onEachSent(source.running.archive, (count) => {
    sent = count;
    if (count === at) stop?.();
  });
  for (const [signal, after_] of [
    ['SIGINT', 5],
    ['SIGTERM', 7],
  ] as const) {
    at = sent + after_;
    const child = stele.spawn('pull', 'OLD', '--get', '--associations', '1', '--json');
    let out = '';
    child.stdout?.on('data', (data: Buffer) => {
      out += data.toString('utf8');
    });
    stop = () => child.kill(signal);
    const code = await new Promise((resolve) => child.on('exit', (number) => resolve(number)));
    assert.equal(code, 1, signal);
    assert.match(out, /"state":"stopped"/, signal);
  }
  at = Number.POSITIVE_INFINITY;
  const rest = await stele.done('pull', 'OLD', '--get', '--json');
  const { tally } = JSON.parse(rest.out.trim().split('\n').at(-1) ?? '{}') as { tally: Record<string, number> };
  assert.deepEqual([tally['instances'], tally['missing'], tally['studies']], [24, 0, 8]);
  assert.ok(sent <= 24 + 6, `${sent} sent for 24`);
  assert.equal((await stele.done('pull', 'status', '--json')).out.trim().split('\n').length, 1, 'it was one job');
});
