// Whether a SQLite file is whole: every page of it read, in a thread of its own.
//
// Invariant: nothing is changed, and nobody else waits; what cannot even be read counts as damaged.
// Left out on purpose: whether indexes hold what their tables do, which takes many times as long; a rebuild makes both anew.

import { Worker } from 'node:worker_threads';
import { ArchiveError } from '../base/index.ts';

export async function checkSqlite(path: string): Promise<'good' | 'damaged'> {
  const worker = new Worker(new URL('./check-worker.ts', import.meta.url), { workerData: path });
  return await new Promise((resolve, reject) => {
    worker.once('message', (answer: 'good' | 'damaged') => resolve(answer));
    worker.once('error', (cause) => {
      reject(new ArchiveError('DATABASE_FAILED', 'the database could not be checked', { cause }));
    });
  });
}
