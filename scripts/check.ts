/*
 * Every check of this repository in one command: `npm test`, `npm run check`, `npm run slow`.
 *
 *   (none)     format, lint, types, then src, tests, tools and scripts tests (tests/slow stays out)
 *   --quick    format, lint, types, then the tests beside the code, layers and tidy: under a minute
 *   --slow     only tests/slow
 *   --format   rewrites what Biome can: layout and the order of imports
 *
 * Further arguments narrow the tests to files whose path contains one of them: `npm test -- src/disk`.
 * Keeps: a step that fails does not hide the next one; each failed step is one line at the end; the counts of the
 * tests are the last thing printed, in the form of node's own test runner.
 * Leaves out on purpose: installing anything (scripts/bootstrap.mjs does that) and the simulator and benchmarks.
 */
import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runTests } from './run-tests.ts';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const packages = path.join(root, 'node_modules');

type Tool = { name: string; script: string; args: string[]; help: string };

// The tools are called by their path, never through PATH, so it does not matter who started us.
const tools: Tool[] = [
  {
    name: 'format',
    script: '@biomejs/biome/bin/biome',
    args: ['ci', '--colors=off', '--no-errors-on-unmatched', '.'],
    help: 'npm run format',
  },
  { name: 'lint', script: 'oxlint/bin/oxlint', args: ['--type-aware', '--deny-warnings', '.'], help: '' },
  { name: 'types', script: 'typescript/bin/tsc', args: ['--noEmit'], help: '' },
];

function seconds(startedMs: number): string {
  return `${((performance.now() - startedMs) / 1000).toFixed(1)} s`;
}

/** Runs one tool to its end; its output comes back whole, so that tools running side by side do not mix theirs. */
function runTool(tool: Pick<Tool, 'script' | 'args'>): Promise<{ ok: boolean; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [path.join(packages, tool.script), ...tool.args], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, PATH: `${path.join(packages, '.bin')}${path.delimiter}${process.env['PATH'] ?? ''}` },
    });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.on('error', (error) => resolve({ ok: false, output: error.message }));
    child.on('close', (code) => resolve({ ok: code === 0, output: Buffer.concat(chunks).toString('utf8') }));
  });
}

function findTests(options: { quick: boolean; slow: boolean; only: string[] }): string[] {
  const patterns = options.slow
    ? ['tests/slow/**/*.test.ts']
    : options.quick
      ? ['src/**/*.test.ts', 'tools/**/*.test.ts', 'tests/layers.test.ts', 'tests/tidy.test.ts']
      : ['src/**/*.test.ts', 'tools/**/*.test.ts', 'scripts/**/*.test.ts', 'tests/**/*.test.ts'];
  return globSync(patterns, { cwd: root })
    .map((file) => file.split(path.sep).join('/'))
    .filter((file) => options.slow || !file.startsWith('tests/slow/'))
    .filter((file) => options.only.length === 0 || options.only.some((part) => file.includes(part)))
    .sort();
}

async function format(): Promise<number> {
  const { ok, output } = await runTool({
    script: '@biomejs/biome/bin/biome',
    args: ['check', '--write', '--no-errors-on-unmatched', '.'],
  });
  process.stdout.write(output);
  return ok ? 0 : 1;
}

async function check(options: { quick: boolean; slow: boolean; only: string[] }): Promise<number> {
  const failures: string[] = [];
  if (!options.slow && options.only.length === 0) {
    await Promise.all(
      tools.map(async (tool) => {
        const startedMs = performance.now();
        const { ok, output } = await runTool(tool);
        console.log(`${ok ? 'ok    ' : 'FAILED'} ${tool.name} (${seconds(startedMs)})`);
        if (ok) return;
        console.log(output.trimEnd());
        failures.push(`FAILED ${tool.name}${tool.help === '' ? '' : `: "${tool.help}" mends what it can`}`);
      }),
    );
  }

  const files = findTests(options);
  const startedMs = performance.now();
  const counts = await runTests({
    root,
    files,
    concurrency: Math.max(2, availableParallelism()),
    fileMsMax: options.slow ? 20 * 60_000 : 2 * 60_000,
  });
  const testsOk = counts.failed === 0 && counts.cancelled === 0;
  console.log(`${testsOk ? 'ok    ' : 'FAILED'} tests of ${files.length} files (${seconds(startedMs)})`);
  if (!testsOk) failures.push(`FAILED tests: ${counts.failed + counts.cancelled} of ${counts.tests}`);
  for (const failure of failures) console.log(failure);
  console.log(
    [
      `# tests ${counts.tests}`,
      `# suites ${counts.suites}`,
      `# pass ${counts.passed}`,
      `# fail ${counts.failed}`,
      `# cancelled ${counts.cancelled}`,
      `# skipped ${counts.skipped}`,
      `# todo ${counts.todo}`,
      `# duration_ms ${Math.round(performance.now() - startedMs)}`,
    ].join('\n'),
  );
  return failures.length === 0 ? 0 : 1;
}

const { values, positionals } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    slow: { type: 'boolean', default: false },
    format: { type: 'boolean', default: false },
  },
  allowPositionals: true,
});
process.exitCode = values.format
  ? await format()
  : await check({ quick: values.quick, slow: values.slow, only: positionals });
