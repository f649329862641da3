// The jobs of pulls as site rows, and which of them this process is running.
//
// Invariants: a job is run once at a time: one process holds the data, and that process knows its own; a row that says `running` and is not in the list was
// interrupted.

import { ArchiveError } from '../base/index.ts';
import { type JobStore, jobOfRow, type PullJob, rowOfJob } from '../doors/pull/index.ts';
import type { Running } from './running.ts';

const tableName = 'pulls';
const stopsName = 'pull_stops';

const runningJobs = new Set<string>();

export function jobStore({ archive, catalog, clock }: Running): JobStore {
  const jobs = catalog.site.table(tableName, jobOfRow);
  const stops = catalog.site.table(stopsName, (row) => row);
  return {
    list: async () => (await jobs.list()).map(({ row }) => row),
    write: (job) => archive.accounts.write([{ table: tableName, key: job.id, row: rowOfJob(job) }]),
    askToStop: async (id, stop) => {
      if (!stop && (await stops.get(id)) === undefined) return;
      const row = stop ? { askedMs: Math.floor(clock.nowMs()) } : null;
      await archive.accounts.write([{ table: stopsName, key: id, row }]);
    },
    isAskedToStop: async (id) => (await stops.get(id)) !== undefined,
  };
}

/** BUSY when it is running already. */
export async function whileRunning<Result>(id: string, run: () => Promise<Result>): Promise<Result> {
  if (runningJobs.has(id))
    throw new ArchiveError('BUSY', `pull ${id} is running already`, { hint: 'see: stele pull status' });
  runningJobs.add(id);
  try {
    return await run();
  } finally {
    runningJobs.delete(id);
  }
}

/** As it is, not as the row of an interrupted one says. */
export function stateOf(job: PullJob): 'running' | 'stopped' | 'interrupted' | 'done' {
  return job.state === 'running' && !runningJobs.has(job.id) ? 'interrupted' : job.state;
}

/** By its name or the beginning of it; without one the latest. NOT_FOUND, ARGUMENT_INVALID when several begin so. */
export function findJob(jobs: readonly PullJob[], name: string | undefined): PullJob {
  const newest = jobs.toSorted((one, other) => other.startedMs - one.startedMs);
  const found = name === undefined ? newest.slice(0, 1) : newest.filter((job) => job.id.startsWith(name));
  const exact = found.find((job) => job.id === name) ?? (found.length === 1 ? found[0] : undefined);
  if (exact !== undefined) return exact;
  if (found.length > 1) throw new ArchiveError('ARGUMENT_INVALID', 'several pulls begin so');
  throw new ArchiveError('NOT_FOUND', 'there is no such pull', { hint: 'see: stele pull status' });
}
