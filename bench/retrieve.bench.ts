// Whole studies out again, beside Orthanc: WADO-RS to a client that counts, C-MOVE to DCMTK's storescp that keeps nothing, C-GET to getscu; turn and turn about.
//
//   node bench/retrieve.bench.ts [--count 200] [--slices 1000] [--rounds 5] [--quick] [--json FILE]
//
// Needs DCMTK's tools; Orthanc where it is installed with its DICOMweb plugin. The HTTP client reads into memory of its own again and again, since one that
// parses and allocates takes as long as a server. What was stored lies in the page cache for both; ours is packed and encrypted there.

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { benchFolder } from './support/archive-rig.ts';
import { writeCtFiles } from './support/ct-files.ts';
import {
  adminPassword,
  admitMoves,
  freePort,
  hasProgram,
  noDelayEnvironment,
  type Peer,
  startOrthanc,
  startStele,
  storescu,
} from './support/dicom-peers.ts';
import { type BenchRow, median, option, report } from './support/report.ts';

const quick = process.argv.includes('--quick');
const rounds = option('rounds', quick ? 1 : 5);
const bench = 'whole study out';
const root = `1.2.826.0.1.3680043.99.8.${process.pid}`;
const studies = [
  { side: 512, count: option('count', quick ? 40 : 200) },
  { side: 128, count: option('slices', quick ? 200 : 1000) },
] as const;
const missing = ['storescu', 'storescp', 'movescu', 'getscu'].filter((name) => !hasProgram(name));
if (missing.length > 0) {
  console.log(`${missing.join(', ')} of DCMTK is not installed: nothing was measured`);
  process.exit(0);
}

type Took = { readonly seconds: number; readonly sizeBytes: number; readonly cpuMs: number };

/** One answer, read to the end of the connection and counted. */
function askWhole(peer: Peer, path: string): Promise<number> {
  const { hostname, port } = new URL(peer.http);
  const buffer = new Uint8Array(256 * 1024);
  let sizeBytes = 0;
  let first = '';
  return new Promise((resolve, reject) => {
    const socket = net.connect({
      host: hostname,
      port: Number(port),
      onread: {
        buffer,
        callback: (count) => {
          if (first === '') first = Buffer.from(buffer.subarray(0, 15)).toString('latin1');
          sizeBytes += count;
          return true;
        },
      },
    });
    socket.on('error', reject);
    socket.on('close', () =>
      first.includes(' 200') ? resolve(sizeBytes) : reject(new Error(`${peer.name} answered ${first}`)),
    );
    const login = Buffer.from(`admin:${adminPassword}`).toString('base64');
    const accept = 'multipart/related; type="application/dicom"; transfer-syntax=*';
    // Orthanc gives what is stored when nothing is said of syntaxes.
    const accepted = peer.name === 'Orthanc' ? 'multipart/related; type="application/dicom"' : accept;
    socket.write(
      `GET /dicom-web${path} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nAuthorization: Basic ${login}\r\n` +
        `Accept: ${accepted}\r\nConnection: close\r\n\r\n`,
    );
  });
}

function ended(child: ChildProcess, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${name} ended with ${code}`))));
  });
}

function runTool(name: string, args: readonly string[]): Promise<void> {
  return ended(spawn(name, args, { env: noDelayEnvironment(), stdio: ['ignore', 'ignore', 'inherit'] }), name);
}

const ways = {
  'WADO-RS': (peer: Peer, study: string) => askWhole(peer, `/studies/${study}`),
  'C-MOVE': async (peer: Peer, study: string) => {
    const keys = ['-k', 'QueryRetrieveLevel=STUDY', '-k', `StudyInstanceUID=${study}`];
    const names = ['-aet', 'BENCH', '-aec', peer.title, '-aem', 'BENCHTO'];
    await runTool('movescu', ['-S', ...names, ...keys, peer.host, String(peer.port)]);
    return 0;
  },
  'C-GET': async (peer: Peer, study: string) => {
    const keys = ['-k', 'QueryRetrieveLevel=STUDY', '-k', `StudyInstanceUID=${study}`];
    await runTool('getscu', [
      '-S',
      '--ignore',
      '-aet',
      'BENCH',
      '-aec',
      peer.title,
      ...keys,
      peer.host,
      String(peer.port),
    ]);
    return 0;
  },
} as const;

async function timed(peer: Peer, run: () => Promise<number>, count: number): Promise<Took> {
  const before = peer.cpuSeconds();
  const begun = process.hrtime.bigint();
  const sizeBytes = await run();
  const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
  return { seconds, sizeBytes, cpuMs: (1000 * (peer.cpuSeconds() - before)) / count };
}

const files = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'stele-ct-'));
const folder = benchFolder('retrieve');
const sinkPort = await freePort();
const sink = spawn('storescp', ['--ignore', '-aet', 'BENCHTO', '--max-pdu', '131072', String(sinkPort)], {
  env: noDelayEnvironment(),
  stdio: 'ignore',
});
const ours = await startStele(join(folder, 'stele'));
const peer = hasProgram('Orthanc') ? await startOrthanc(join(folder, 'orthanc'), { BENCHTO: sinkPort }) : undefined;
const peers = peer === undefined ? [ours] : [ours, peer];
const rows: BenchRow[] = [];
try {
  admitMoves(join(folder, 'stele'), 'BENCHTO', sinkPort);
  for (const { side, count } of studies) {
    const study = `${root}.${side}`;
    const path = join(files, String(side));
    writeCtFiles(path, count, study, side);
    for (const each of peers) await storescu(each, [path]);
    rmSync(path, { recursive: true });
    for (const [name, way] of Object.entries(ways)) {
      if (name === 'WADO-RS' && !existsSync('/usr/share/orthanc/plugins/libOrthancDicomWeb.so')) continue;
      const took: Took[][] = peers.map(() => []);
      for (let round = 0; round <= rounds; round += 1) {
        for (const [index, each] of peers.entries()) {
          const one = await timed(each, () => way(each, study), count);
          // The first round warms both up.
          if (round > 0 || rounds === 0) (took[index] as Took[]).push(one);
        }
      }
      const perSecond = took.map((all) => median(all.map((each) => count / each.seconds)));
      const cpuMs = took.map((all) => median(all.map((each) => each.cpuMs)));
      const [mine = 0, theirs] = perSecond;
      rows.push({
        bench,
        case: `${name}, ${count} of ${side} x ${side}`,
        figure: mine,
        unit: 'instances/s',
        ...(theirs === undefined ? {} : { peer: 'Orthanc', peerFigure: theirs }),
        ...(name === 'C-GET' ? {} : { asked: 2, askedOf: 'ratio' as const }),
        note: `processor time an instance: ${cpuMs.map((each) => `${each.toFixed(3)} ms`).join(', the peer ')}`,
      });
    }
  }
  rows.push({ bench, case: 'resident memory at most', figure: ours.residentBytes() / 2 ** 20, unit: 'MiB' });
} finally {
  await ours.stop();
  await peer?.stop();
  sink.kill('SIGTERM');
  rmSync(files, { recursive: true, force: true });
  rmSync(folder, { recursive: true, force: true });
}
report(rows);
