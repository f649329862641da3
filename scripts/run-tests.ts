/*
 * Runs test files with node:test, each in a process of its own, and prints what a person wants to read: one line a
 * file, each failure with its cause, each skipped test with its reason.
 *
 * Keeps: counts come from node's own summaries; a file that crashes, cannot be loaded or outlives its limit counts as a
 * failed test, so a run can never look green because a file did not run. A process that outlives its limit is killed.
 */
import path from 'node:path';
import { run } from 'node:test';
import { inspect } from 'node:util';

export type TestCounts = {
  tests: number;
  suites: number;
  passed: number;
  failed: number;
  cancelled: number;
  skipped: number;
  todo: number;
};

export type TestRun = { root: string; files: string[]; concurrency: number; fileMsMax: number };

function describeFailure(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  // An assertion's message already shows both sides; anything else is shown with its fields and its own cause.
  const asserted = cause instanceof Error && (cause as { code?: unknown }).code === 'ERR_ASSERTION';
  const text = asserted ? (cause.stack ?? cause.message) : cause instanceof Error ? inspect(cause) : String(cause);
  return text
    .split('\n')
    .filter((line) => !/^\s+at .*node:(internal|async_hooks)/.test(line))
    .map((line) => `       ${line}`)
    .join('\n');
}

/** Runs one file and says its results; resolves when its process is gone. */
function runFile(root: string, file: string, fileMsMax: number): Promise<TestCounts> {
  const counts: TestCounts = { tests: 0, suites: 0, passed: 0, failed: 0, cancelled: 0, skipped: 0, todo: 0 };
  const startedMs = performance.now();
  const lines: string[] = [];
  // Every test ends by the first limit and is named; a process that does not end by itself is killed by the second.
  const stream = run({
    cwd: root,
    files: [path.join(root, file)],
    timeout: fileMsMax,
    signal: AbortSignal.timeout(fileMsMax + 5_000),
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
  stream.on('test:fail', (event) => {
    // A suite fails because a test inside it does; that test has told its cause already.
    const error: unknown = event.details.error;
    if (error instanceof Error && (error as { failureType?: unknown }).failureType === 'subtestsFailed') return;
    const killed = performance.now() - startedMs > fileMsMax + 5_000;
    const reason = killed ? '       the process was still running at its limit and was killed' : describeFailure(error);
    lines.push(`FAILED ${file} > ${event.name.startsWith(root) ? 'the file itself' : event.name}\n${reason}`);
  });
  stream.on('test:pass', (event) => {
    if (event.skip === undefined || event.skip === false) return;
    const reason = typeof event.skip === 'string' ? event.skip : 'no reason given';
    lines.push(`skipped ${file} > ${event.name}: ${reason}`);
  });
  stream.on('test:stderr', (event) => lines.push(event.message.trimEnd()));
  stream.on('test:stdout', (event) => lines.push(event.message.trimEnd()));
  stream.on('test:summary', (event) => {
    if (event.file !== undefined) return; // the summary of the run holds that of its only file
    const { tests, suites, passed, cancelled, skipped, todo } = event.counts;
    const failed = tests - passed - cancelled - skipped - todo;
    Object.assign(counts, { tests, suites, passed, failed, cancelled, skipped, todo });
  });
  return new Promise((resolve, reject) => {
    stream.on('error', reject);
    stream.on('end', () => {
      const bad = counts.failed + counts.cancelled;
      const state = bad === 0 ? 'ok    ' : 'FAILED';
      lines.push(`${state} ${file}: ${counts.tests} tests, ${Math.round(performance.now() - startedMs)} ms`);
      console.log(lines.join('\n'));
      resolve(counts);
    });
    stream.resume();
  });
}

export async function runTests(options: TestRun): Promise<TestCounts> {
  const total: TestCounts = { tests: 0, suites: 0, passed: 0, failed: 0, cancelled: 0, skipped: 0, todo: 0 };
  const waiting = [...options.files];
  const worker = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const counts = await runFile(options.root, file, options.fileMsMax);
      for (const key of Object.keys(total) as (keyof TestCounts)[]) total[key] += counts[key];
    }
  };
  await Promise.all(Array.from({ length: options.concurrency }, worker));
  return total;
}
