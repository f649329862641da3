// npm run sim -- [SEED] [--seeds N] [--acts N] [--short]: random lives of a vault on simulated disks (random-life.ts),
// and instances that settle there, cut off now and then (settling-life.ts).
//
// Without a seed a new one is drawn; every life prints its seed, and `npm run sim -- SEED` lives it again. `--short` is for a build: a
// handful of lives in well under a minute. Exit code 1 when a promise was broken.

import { randomInt } from 'node:crypto';
import { inspect, parseArgs } from 'node:util';
import { RandomLife } from './random-life.ts';
import { sweepSettling } from './settling-life.ts';

const { values, positionals } = parseArgs({
  options: {
    seeds: { type: 'string' },
    acts: { type: 'string' },
    short: { type: 'boolean', default: false },
  },
  allowPositionals: true,
});

const first = positionals[0] === undefined ? randomInt(1, 2 ** 31) : Number(positionals[0]);
const seeds = Number(values.seeds ?? (positionals.length > 0 ? 1 : values.short ? 8 : 40));
const acts = Number(values.acts ?? 150);
if (![first, seeds, acts].every((each) => Number.isSafeInteger(each) && each > 0)) {
  console.error('sim: SEED, --seeds and --acts are whole numbers above 0');
  process.exit(2);
}

/** Some ten cuts of a settling's steps, others for each seed. */
const settlingStride = 251;

let failed = 0;
const startedMs = performance.now();
for (let seed = first; seed < first + seeds; seed += 1) {
  try {
    const { stored, acts: done } = await new RandomLife(seed).live(acts);
    const cuts = await sweepSettling({ seed, stride: settlingStride });
    const most = [...done].map(([name, count]) => `${name} ${count}`).join(', ');
    console.log(`seed ${seed}: ${stored} contents acknowledged and kept (${most}), settling cut off ${cuts} times`);
  } catch (error) {
    failed += 1;
    console.log(inspect(error, { depth: 6 }));
    console.log(`FAILED seed ${seed}: npm run sim -- ${seed}${values.acts === undefined ? '' : ` --acts ${acts}`}`);
  }
}
const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
console.log(`sim: ${seeds} lives, ${failed} failed, ${seconds} s`);
process.exitCode = failed === 0 ? 0 : 1;
