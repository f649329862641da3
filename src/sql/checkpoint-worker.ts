// The thread that carries a write-ahead log over into its database file: copying and two syncs, which would hold up every request.
//
// One message in, one out, in order: { carry: true } -> { frames, carried } or { fault }; { carry: false } closes and ends the thread.
// Left out on purpose: deciding when (sqlite.ts does).

import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { defined } from '../base/index.ts';

export type CarryAnswer =
  | { readonly frames: number; readonly carried: number }
  | { readonly fault: { readonly code: unknown; readonly errcode: unknown; readonly errstr: unknown } };

const port = defined(parentPort, 'this file runs as a worker');
const { path, busyTimeoutMs } = workerData as { path: string; busyTimeoutMs: number };
let db: DatabaseSync | undefined;

function carry(): CarryAnswer {
  try {
    db ??= new DatabaseSync(path, { timeout: busyTimeoutMs });
    const row = db.prepare('PRAGMA wal_checkpoint(PASSIVE)').get() as { log: number; checkpointed: number };
    return { frames: row.log, carried: row.checkpointed };
  } catch (error) {
    const { code, errcode, errstr } = error as { code?: unknown; errcode?: unknown; errstr?: unknown };
    return { fault: { code, errcode, errstr } };
  }
}

port.on('message', (message: { carry: boolean }) => {
  if (message.carry) {
    port.postMessage(carry());
    return;
  }
  db?.close();
  port.close();
});
