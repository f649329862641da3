// Ingest with settling running, against the burst rate of the same archive.
//
//   node bench/steady.bench.ts [--seconds 60] [--folder DIR] [--json FILE]
//
// Four writers put objects of 512 KB that compress about two to one. First with settling off (the burst), then with packs of 64 MiB settling all
// the while as soon as they are sealed: the steady state that an hour would be, in the seconds given. Each half has the same length.

import { rmSync } from 'node:fs';
import { defaultTenant, systemRandom, utf8Bytes } from '../src/base/index.ts';
import { benchFolder, openArchive } from './support/archive-rig.ts';
import { option, report } from './support/report.ts';

const halfSeconds = option('seconds', 60) / 2;
const writers = 4;
const objectBytes = 512 * 1024;

/** Half noise, half ramps, in turns: two to one, as lossless images come to (1.76 on arrival, 1.99 when settled). */
function content(seed: number): Uint8Array {
  const bytes = systemRandom.bytes(objectBytes);
  for (let index = 0; index < objectBytes; index += 1) {
    if (index % 1024 >= 512) bytes[index] = (seed + (index >> 3)) & 0xff;
  }
  return bytes;
}
const sources = Array.from({ length: 16 }, (_, index) => content(index));

const folder = benchFolder('steady');
const running = await openArchive(folder, { settleSeconds: 0, packSizeBytes: 64 * 1024 * 1024 });
// The bench drives settling itself, so that it is off in the first half.
await running.upkeep.stop();

let count = 0;
async function ingest(seconds: number): Promise<number> {
  const end = performance.now() + seconds * 1000;
  const begun = performance.now();
  const from = count;
  await Promise.all(
    Array.from({ length: writers }, async () => {
      while (performance.now() < end) {
        const number = count++;
        const bytes = sources[number % sources.length] as Uint8Array;
        // Content that differs in its first bytes is other content.
        const own = bytes.slice();
        new DataView(own.buffer).setUint32(0, number);
        const name = { tenant: defaultTenant, bucket: 'files', key: utf8Bytes(`steady/${number}`) };
        await running.archive.objects.put(
          name,
          (async function* once() {
            yield own;
          })(),
        );
      }
    }),
  );
  return ((count - from) * objectBytes) / 1e6 / ((performance.now() - begun) / 1000);
}

const burst = await ingest(halfSeconds);
const stop = new AbortController();
let settledBytes = 0;
let settledPacks = 0;
const settling = (async (): Promise<void> => {
  while (!stop.signal.aborted) {
    try {
      for await (const step of running.upkeep.settleAll(async () => undefined, { all: false, signal: stop.signal })) {
        settledBytes += step.movedBytes;
        if (step.released) settledPacks += 1;
      }
    } catch (error) {
      if (!stop.signal.aborted) throw error;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
})();
const steady = await ingest(halfSeconds);
stop.abort();
await settling;
await running.close();
rmSync(folder, { recursive: true, force: true });

report([
  {
    bench: 'steady',
    case: 'put of 512 KB objects, 4 writers, settling all the while',
    figure: steady,
    unit: 'MB/s',
    peer: 'burst, settling off',
    peerFigure: burst,
    asked: 0.8,
    askedOf: 'ratio',
    note: `${halfSeconds} s each; ${settledPacks} packs, ${Math.round(settledBytes / 1e6)} MB settled meanwhile`,
  },
]);
