// The thread of check-sqlite.ts: reads the file that it is given and answers once.

import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';

function isWhole(path: string): boolean {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    const found = database.prepare('PRAGMA quick_check(1)').get() as { quick_check: string } | undefined;
    return found?.quick_check === 'ok';
  } catch {
    return false;
  } finally {
    database.close();
  }
}

parentPort?.postMessage(isWhole(workerData as string) ? 'good' : 'damaged');
