// Carries the write-ahead log over on a thread of its own, one request after another.
//
// Invariants: what was committed before a request is in the synced log or database file when its promise resolves; the thread starts
// with the first request and keeps no process alive. A request made while one is under way waits for a run of its own.

import { Worker } from 'node:worker_threads';
import { AssertionFault } from '../base/index.ts';
import type { CarryAnswer } from './checkpoint-worker.ts';
import { sqliteError } from './sql-errors.ts';

type Waiting = { resolve: (complete: boolean) => void; reject: (error: Error) => void };

export class Checkpointer {
  readonly #workerData: { readonly path: string; readonly busyTimeoutMs: number };
  #worker: Worker | undefined;
  #waiting: Waiting[] = [];

  constructor(path: string, busyTimeoutMs: number) {
    this.#workerData = { path, busyTimeoutMs };
  }

  #started(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const worker = new Worker(new URL('./checkpoint-worker.ts', import.meta.url), { workerData: this.#workerData });
    worker.on('message', (answer: CarryAnswer) => {
      const waiting = this.#waiting.shift();
      if (this.#waiting.length === 0) worker.unref();
      if ('fault' in answer) waiting?.reject(sqliteError(answer.fault, 'carrying the log over'));
      else waiting?.resolve(answer.carried === answer.frames);
    });
    worker.on('error', () => this.#failAll());
    worker.on('exit', () => this.#failAll());
    this.#worker = worker;
    return worker;
  }

  /** Carries over what is committed. True when all of the log is in the database file, so that the next write begins it anew. */
  run(): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const worker = this.#started();
      this.#waiting.push({ resolve, reject });
      worker.ref();
      worker.postMessage({ carry: true });
    });
  }

  #failAll(): void {
    this.#worker = undefined;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const each of waiting) each.reject(new AssertionFault('the thread that carries the log over ended by itself'));
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    if (worker === undefined) return;
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    worker.ref();
    worker.postMessage({ carry: false });
    await ended;
  }
}
