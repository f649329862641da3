// `npm run bench`: every bench one after another, then one table of all figures and one JSON file.
//
//   npm run bench -- [NAME ...] [--quick]       NAME as in bench/NAME.bench.ts; JSON in bench/out/
//
// Each bench is a process of its own, so none inherits another's warm or bloated heap.

import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BenchRow, isMet, printRows } from './support/report.ts';

const here = import.meta.dirname;
const out = join(here, 'out');
mkdirSync(out, { recursive: true });

const argv = process.argv.slice(2);
const names = argv.filter((each) => !each.startsWith('--'));
const passed = argv.filter((each) => each.startsWith('--'));
const benches = readdirSync(here)
  .filter((name) => name.endsWith('.bench.ts'))
  .map((name) => name.slice(0, -'.bench.ts'.length))
  .filter((name) => names.length === 0 || names.includes(name));

const rows: BenchRow[] = [];
let machine: unknown;
let failed = 0;
for (const name of benches) {
  console.log(`\n== ${name}`);
  const file = join(out, `${name}.json`);
  const args = ['--disable-warning=ExperimentalWarning', join(here, `${name}.bench.ts`), '--json', file, ...passed];
  const run = spawnSync(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  if (run.status !== 0) {
    console.error(`bench ${name} failed with status ${run.status ?? run.signal}`);
    failed += 1;
    continue;
  }
  const result = JSON.parse(readFileSync(file, 'utf8')) as { machine: unknown; rows: BenchRow[] };
  machine = result.machine;
  rows.push(...result.rows);
}
console.log('\n== all');
printRows(rows);
const missed = rows.filter((row) => isMet(row) === false).length;
console.log(`\n${rows.length} figures, ${missed} of them below what is asked`);
writeFileSync(join(out, 'all.json'), `${JSON.stringify({ machine, rows }, null, 2)}\n`);
process.exitCode = failed === 0 ? 0 : 1;
