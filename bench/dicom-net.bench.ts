// DICOM associations: what a C-STORE of 512 KB costs to receive and to send, and a C-FIND answer, against DCMTK on the loopback.
//
//   node bench/dicom-net.bench.ts [--count 2000] [--rounds 5] [--quick] [--json FILE]
//
// DCMTK 3.6.7 of Debian, with TCP_NODELAY=1 in its environment, since it leaves Nagle's algorithm on. Nothing is stored on either side: storescp runs
// with --ignore, and our provider reads into memory that it forgets. Rounds of ours and of the peer's take turns; figures are medians. What counts is
// processor time: two cores are shared with whoever sends, so rates say more about the machine than about us.

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { type Association, cFind, cStore, openAssociation } from '../src/dicom/index.ts';
import { findDcmtk, freePort, part10File } from '../tests/support/dicom-peers.ts';
import { ctImageStorage, explicitLittleEndian, makeInstance } from '../tests/support/made-instance.ts';
import { type BenchRow, median, option, report } from './support/report.ts';

const isQuick = process.argv.includes('--quick');
const count = option('count', isQuick ? 400 : 2000);
const rounds = option('rounds', isQuick ? 2 : 5);
const find = '1.2.840.10008.5.1.4.1.2.2.1';
const findAnswers = 20_000;
const rows: BenchRow[] = [];

type Cost = {
  readonly messages: number;
  readonly bytes: number;
  readonly user: number;
  readonly system: number;
  readonly all: number;
  readonly residentBytes: number;
};
type NullServer = { readonly port: number; next: () => Promise<Cost>; stop: () => Promise<void> };

async function startNullServer(how: 'read' | 'pieces', pduBytes: number): Promise<NullServer> {
  const program = path.join(import.meta.dirname, 'support', 'dicom-null-server.ts');
  const argv = ['--disable-warning=ExperimentalWarning', program, how, String(pduBytes)];
  const child: ChildProcessByStdio<null, Readable, null> = spawn(process.execPath, argv, {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async (): Promise<string> => String((await lines.next()).value);
  const port = Number(await line());
  const stop = async (): Promise<void> => {
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    await gone;
  };
  return { port, next: async () => JSON.parse(await line()) as Cost, stop };
}

/** Processor time of a process so far, in microseconds; Linux counts it in hundredths of a second. */
function processMicros(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

const pixels = new Uint8Array(512 * 1024);
for (let index = 0; index < pixels.byteLength; index += 1) pixels[index] = (index * 31 + (index >> 9)) & 0xff;
const sopInstance = '1.2.826.0.1.3680043.99.8.1';
const dataSet = makeInstance({ instance: sopInstance, rows: 512, columns: 512, pixels });

function openTo(port: number): Promise<Association> {
  return openAssociation({
    host: '127.0.0.1',
    port,
    calling: 'BENCH',
    called: 'PEER',
    contexts: [
      { id: 1, abstractSyntax: ctImageStorage, transferSyntaxes: [explicitLittleEndian] },
      { id: 3, abstractSyntax: find, transferSyntaxes: [explicitLittleEndian] },
    ],
  });
}

/** Sends as many objects as a round has; microseconds of our main thread for each, and objects a second. */
async function sendAll(association: Association): Promise<{ micros: number; rate: number }> {
  const used = process.threadCpuUsage();
  const begunMs = performance.now();
  for (let index = 0; index < count; index += 1) {
    await cStore(association, { sopClass: ctImageStorage, sopInstance, data: dataSet });
  }
  const { user, system } = process.threadCpuUsage(used);
  return { micros: (user + system) / count, rate: (count * 1000) / (performance.now() - begunMs) };
}

async function benchReceiving(folder: string): Promise<void> {
  const dcmtk = findDcmtk();
  if (dcmtk === undefined) {
    console.log('receiving: needs DCMTK, left out');
    return;
  }
  const file = path.join(folder, 'slice.dcm');
  const names = { sopClass: ctImageStorage, sopInstance, transferSyntax: explicitLittleEndian };
  writeFileSync(file, part10File(dataSet, names));
  const files = Array.from({ length: count }, () => file);
  const servers = { read: await startNullServer('read', 262_144), pieces: await startNullServer('pieces', 262_144) };
  const port = await freePort();
  const scp = spawn('storescp', ['--ignore', '--max-pdu', '131072', String(port)], {
    env: { ...process.env, TCP_NODELAY: '1' },
    stdio: 'ignore',
  });
  const figures: Record<string, number[]> = {};
  const note = (name: string, value: number): void => {
    figures[name] = [...(figures[name] ?? []), value];
  };
  const send = async (to: number): Promise<number> => {
    const begunMs = performance.now();
    const { code, output } = await dcmtk.run('storescu', ['127.0.0.1', String(to), ...files]);
    if (code !== 0) throw new Error(output);
    return (count * 1000) / (performance.now() - begunMs);
  };
  // One round unmeasured: code is compiled, memory is there.
  for (let round = -1; round < rounds; round += 1) {
    for (const [how, server] of Object.entries(servers)) {
      const rate = await send(server.port);
      const cost = await server.next();
      if (round < 0) continue;
      note(`${how} rate`, rate);
      note(`${how} user`, cost.user / cost.messages);
      note(`${how} all`, (cost.user + cost.system) / cost.messages);
    }
    const before = processMicros(scp.pid as number);
    const rate = await send(port);
    if (round < 0) continue;
    note('peer rate', rate);
    note('peer all', (processMicros(scp.pid as number) - before) / count);
  }
  scp.kill('SIGKILL');
  await Promise.all(Object.values(servers).map((server) => server.stop()));
  const of = (name: string): number => median(figures[name] ?? [0]);
  const peer = 'storescp --ignore';
  const less = { bench: 'dicom-net', unit: 'us', better: 'less' } as const;
  rows.push(
    {
      ...less,
      case: 'receive 512 KB from storescu, main thread, outside the kernel',
      figure: of('read user'),
      asked: 150,
    },
    { ...less, case: 'the same, with the kernel', figure: of('read all'), peer, peerFigure: of('peer all') },
    { ...less, case: 'the same, taken as pieces', figure: of('pieces all'), peer, peerFigure: of('peer all') },
    {
      bench: 'dicom-net',
      unit: '/s',
      case: 'C-STORE of 512 KB from one storescu',
      figure: of('read rate'),
      asked: 1000,
      peer,
      peerFigure: of('peer rate'),
    },
  );
}

async function benchPduSizes(): Promise<void> {
  for (const pduBytes of [16_384, 65_536, 131_072, 262_144]) {
    const server = await startNullServer('read', pduBytes);
    const received: number[] = [];
    const sent: number[] = [];
    for (let round = -1; round < rounds; round += 1) {
      const association = await openTo(server.port);
      const { micros } = await sendAll(association);
      await association.release();
      const cost = await server.next();
      if (round < 0) continue;
      received.push((cost.user + cost.system) / cost.messages);
      sent.push(micros);
    }
    await server.stop();
    const size = `PDUs of ${pduBytes / 1024} KiB, with the kernel`;
    rows.push(
      { bench: 'dicom-net', case: `receive 512 KB, ${size}`, figure: median(received), unit: 'us', better: 'less' },
      { bench: 'dicom-net', case: `send 512 KB, ${size}`, figure: median(sent), unit: 'us', better: 'less' },
    );
  }
}

async function benchAnswers(): Promise<void> {
  const server = await startNullServer('read', 262_144);
  const rates: number[] = [];
  const micros: number[] = [];
  for (let round = -1; round < rounds; round += 1) {
    const association = await openTo(server.port);
    const begunMs = performance.now();
    let answers = 0;
    for await (const _ of cFind(association, { sopClass: find, identifier: Buffer.from('keys') })) answers += 1;
    const rate = (answers * 1000) / (performance.now() - begunMs);
    await association.release();
    const cost = await server.next();
    if (round < 0) continue;
    rates.push(rate);
    micros.push((cost.user + cost.system) / findAnswers);
  }
  await server.stop();
  rows.push(
    {
      bench: 'dicom-net',
      case: 'C-FIND answers of 300 bytes, ours to ours',
      figure: median(rates),
      unit: '/s',
      asked: 20_000,
    },
    { bench: 'dicom-net', case: 'the same, a provider alone', figure: median(micros), unit: 'us', better: 'less' },
  );
}

async function benchMemory(): Promise<void> {
  const server = await startNullServer('read', 262_144);
  const objectBytes = isQuick ? 50e6 : 500e6;
  const piece = new Uint8Array(1024 * 1024);
  function* long(): Generator<Uint8Array> {
    for (let done = 0; done < objectBytes; done += piece.byteLength) yield piece;
  }
  let residentBytes = 0;
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      const association = await openTo(server.port);
      await cStore(association, { sopClass: ctImageStorage, sopInstance, data: long() });
      await association.release();
    }),
  );
  for (let index = 0; index < 16; index += 1)
    residentBytes = Math.max(residentBytes, (await server.next()).residentBytes);
  await server.stop();
  const what = `16 objects of ${objectBytes / 1e6} MB at once, resident memory of the provider`;
  rows.push({ bench: 'dicom-net', case: what, figure: residentBytes / 1e6, unit: 'MB', better: 'less', asked: 300 });
}

const folder = mkdtempSync(path.join(tmpdir(), 'stele-bench-'));
try {
  await benchReceiving(folder);
  await benchPduSizes();
  await benchAnswers();
  await benchMemory();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
report(rows);
