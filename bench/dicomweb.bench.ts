// DICOMweb beside Orthanc: storing, metadata of a long series, a whole study; the same client, the same files, turn and turn about.
//
//   node bench/dicomweb.bench.ts [--count 200] [--slices 2000] [--rounds 3] [--quick] [--json FILE]
//
// Orthanc where it is installed with its DICOMweb plugin (Debian: orthanc, orthanc-dicomweb). Our server encrypts; both sync each instance.

import { existsSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { encodeFileMeta } from '../src/dicom/index.ts';
import { ctImageStorage, explicitLittleEndian, makeInstance } from '../tests/support/made-instance.ts';
import { benchFolder } from './support/archive-rig.ts';
import { ctSlices } from './support/ct-files.ts';
import { adminPassword, hasProgram, type Peer, startOrthanc, startStele } from './support/dicom-peers.ts';
import { type BenchRow, median, option, report } from './support/report.ts';

const quick = process.argv.includes('--quick');
const count = option('count', quick ? 40 : 200);
const slices = option('slices', quick ? 400 : 2000);
const rounds = option('rounds', quick ? 1 : 3);
const filesPerRequest = 10;
const bench = 'DICOMweb';
const plugin = '/usr/share/orthanc/plugins/libOrthancDicomWeb.so';
const authorization = `Basic ${Buffer.from(`admin:${adminPassword}`).toString('base64')}`;
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

type Got = { readonly status: number; readonly sizeBytes: number; readonly firstMs: number; readonly ms: number };

/** One request, its answer read and thrown away. */
function ask(
  peer: Peer,
  path: string,
  options: { accept?: string; type?: string; body?: readonly Uint8Array[] } = {},
): Promise<Got> {
  const { accept = '*/*', type, body } = options;
  const begun = performance.now();
  return new Promise((resolve, reject) => {
    const sent = request(
      `${peer.http}/dicom-web${path}`,
      {
        agent,
        method: body === undefined ? 'GET' : 'POST',
        headers: { authorization, accept, ...(type === undefined ? {} : { 'content-type': type }) },
      },
      (response) => {
        let [sizeBytes, firstMs] = [0, 0];
        response.on('data', (piece: Uint8Array) => {
          if (sizeBytes === 0) firstMs = performance.now() - begun;
          sizeBytes += piece.byteLength;
        });
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, sizeBytes, firstMs, ms: performance.now() - begun }),
        );
        response.on('error', reject);
      },
    );
    sent.on('error', reject);
    if (body !== undefined) {
      sent.setHeader(
        'content-length',
        body.reduce((sum, each) => sum + each.byteLength, 0),
      );
      for (const piece of body) sent.write(piece);
    }
    sent.end();
  });
}

function fileOf(dataSet: Uint8Array, instance: string): Uint8Array {
  const meta = encodeFileMeta({
    sopClassUid: ctImageStorage as never,
    sopInstanceUid: instance as never,
    syntaxUid: explicitLittleEndian as never,
  });
  return Buffer.concat([meta, dataSet]);
}

const pixels = ctSlices();

function ctFile(study: string, number: number, side: number): Uint8Array {
  const instance = `${study}.1.${number}`;
  const slice = side === 512 ? (pixels[number % pixels.length] as Uint8Array) : Buffer.alloc(side * side * 2, number);
  return fileOf(makeInstance({ study, number, instance, rows: side, columns: side, pixels: slice }), instance);
}

function bodiesOf(files: readonly Uint8Array[]): { readonly type: string; readonly bodies: readonly Uint8Array[][] } {
  const bodies: Uint8Array[][] = [];
  for (let at = 0; at < files.length; at += filesPerRequest) {
    const body: Uint8Array[] = [];
    for (const file of files.slice(at, at + filesPerRequest))
      body.push(Buffer.from('--bench-boundary\r\nContent-Type: application/dicom\r\n\r\n'), file, Buffer.from('\r\n'));
    body.push(Buffer.from('--bench-boundary--\r\n'));
    bodies.push(body);
  }
  return { type: 'multipart/related; type="application/dicom"; boundary=bench-boundary', bodies };
}

async function store(peer: Peer, files: readonly Uint8Array[]): Promise<number> {
  const { type, bodies } = bodiesOf(files);
  const begun = performance.now();
  for (const body of bodies) {
    const { status } = await ask(peer, '/studies', { accept: 'application/dicom+json', type, body });
    if (status !== 200) throw new Error(`${peer.name} answered ${status} to a store`);
  }
  return (1000 * files.length) / (performance.now() - begun);
}

async function timed(peer: Peer, path: string, accept: string): Promise<Got> {
  const got = await ask(peer, path, { accept });
  if (got.status !== 200) throw new Error(`${peer.name} answered ${got.status} to ${path}`);
  return got;
}

const folder = benchFolder('dicomweb');
const ours = await startStele(join(folder, 'stele'));
const peer = hasProgram('Orthanc') && existsSync(plugin) ? await startOrthanc(join(folder, 'orthanc')) : undefined;
const peers = peer === undefined ? [ours] : [ours, peer];
const rows: BenchRow[] = [];
const root = `1.2.826.0.1.3680043.99.6.${process.pid}`;

/** A figure of ours beside that of the peer. */
function row(name: string, unit: string, figures: readonly number[][], more: Partial<BenchRow> = {}): void {
  const [mine = [], theirs] = figures;
  rows.push({
    bench,
    case: name,
    figure: median(mine),
    unit,
    ...(theirs === undefined ? {} : { peer: 'Orthanc', peerFigure: median(theirs) }),
    ...more,
  });
}

try {
  const stored: number[][] = peers.map(() => []);
  const cpuMs: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, each] of peers.entries()) {
      const study = `${root}.${round}`;
      const files = Array.from({ length: count }, (_, number) => ctFile(study, number + 1, 512));
      const before = each.cpuSeconds();
      (stored[index] as number[]).push(await store(each, files));
      if (each === ours) cpuMs.push((1000 * (each.cpuSeconds() - before)) / count);
    }
  }
  row(`STOW-RS of 512 KB CT, ${filesPerRequest} a request`, 'instances/s', stored, {
    asked: 4,
    askedOf: 'ratio',
    note: `${median(cpuMs).toFixed(2)} ms of processor time an instance`,
  });

  const long = `${root}.9`;
  const small = Array.from({ length: slices }, (_, number) => ctFile(long, number + 1, 32));
  for (const each of peers) await store(each, small);
  const path = `/studies/${long}/series/${long}.1/metadata`;
  const json = 'application/dicom+json';
  const cold = await timed(ours, path, json);
  const metadata: number[][] = peers.map(() => []);
  const first: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, each] of peers.entries()) {
      const got = await timed(each, path, json);
      (metadata[index] as number[]).push(1000 / got.ms);
      if (each === ours) first.push(got.firstMs);
    }
  }
  row(`/metadata of ${slices} instances, asked again`, 'answers/s', metadata, {
    asked: 10,
    askedOf: 'ratio',
    note: `first byte ${median(first).toFixed(1)} ms`,
  });
  row(
    `/metadata of ${slices} instances, for the first time`,
    'answers/s',
    [[1000 / cold.ms], ...(metadata[1] === undefined ? [] : [metadata[1]])],
    {
      note: `first byte ${cold.firstMs.toFixed(1)} ms`,
    },
  );

  const whole: number[][] = peers.map(() => []);
  const dicom = 'multipart/related; type="application/dicom"; transfer-syntax=*';
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, each] of peers.entries()) {
      const got = await timed(
        each,
        `/studies/${root}.0`,
        each === ours ? dicom : 'multipart/related; type="application/dicom"',
      );
      (whole[index] as number[]).push(got.sizeBytes / 2 ** 20 / (got.ms / 1000));
    }
  }
  row(`a study of ${count} CT slices`, 'MiB/s', whole, { asked: 2, askedOf: 'ratio' });

  const search: number[][] = peers.map(() => []);
  for (let round = 0; round < rounds * 5; round += 1)
    for (const [index, each] of peers.entries())
      (search[index] as number[]).push((await timed(each, `/studies/${long}/series?limit=100`, json)).ms);
  row('QIDO-RS for the series of a study', 'ms', search, { better: 'less' });
  rows.push({ bench, case: 'resident memory at most', figure: ours.residentBytes() / 2 ** 20, unit: 'MiB' });
} finally {
  agent.destroy();
  await ours.stop();
  await peer?.stop();
  rmSync(folder, { recursive: true, force: true });
}
report(rows);
