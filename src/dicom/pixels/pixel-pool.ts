// PixelPool: decodes, encodes, transcodes and renders frames beside the main thread.
//
// Invariants: every job that was taken is answered, by its result or an error; bytes under way are bounded by a named limit, beyond which callers wait in order,
// and waiting callers by another, beyond which they are refused (BUSY). Work that can wait never holds the last worker, so a viewer is served while thousands of frames are
// transcoded. A job that takes longer than its limit ends with its worker (LIMIT_EXCEEDED): a stream that is made to be slow costs one thread, for so long. Workers are started when
// there is work for them, and an idle pool keeps no process alive. A worker that dies is replaced; its job fails (INTERNAL), for its bytes died with it.
// Left out on purpose: order between jobs, and caches of what they give.

import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { ArchiveError, assert, Budget, type Clock, systemClock } from '../../base/index.ts';
import type { FrameComparison } from './compare-frames.ts';
import type { CodedFrame } from './decode-frame.ts';
import type { EncodedFrame } from './encode-frame.ts';
import { checkShape, type PlainFrame } from './image-shape.ts';
import {
  jobBytes,
  type PixelJob,
  type PixelReply,
  type PixelResult,
  type PixelResults,
  packJob,
  pixelError,
} from './pixel-jobs.ts';
import { pixelJobMsMax, pixelPoolBytesMax, pixelPoolJobsMax } from './pixel-limits.ts';
import type { Picture, RenderOptions, ThumbnailOptions } from './render.ts';

export type PixelPoolOptions = {
  /** Threads; by default as many as the machine has cores. */
  readonly workers?: number;
  readonly queueBytesMax?: number;
  readonly queueJobsMax?: number;
  readonly jobMsMax?: number;
  readonly clock?: Clock;
  /** For tests: another program for the workers. */
  readonly program?: URL;
};

/** `canWait`: work in the background, after all that someone waits for. */
export type JobOptions = { readonly canWait?: boolean };

type Task = {
  readonly job: PixelJob;
  readonly canWait: boolean;
  readonly resolve: (result: PixelResult) => void;
  readonly reject: (error: Error) => void;
};

type Seat = {
  readonly worker: Worker;
  task: Task | undefined;
  /** Ends the wait for the job's limit. */
  stop: AbortController | undefined;
  /** Why the worker is ended, where we do it. */
  failure: Error | undefined;
};

export class PixelPool {
  readonly #seatsMax: number;
  readonly #jobsMax: number;
  readonly #jobMsMax: number;
  readonly #clock: Clock;
  readonly #program: URL;
  readonly #seats = new Set<Seat>();
  /** Two lanes: what someone waits for, and what can wait. Each has its own room, so that the second never keeps the first out. */
  readonly #lanes: { readonly now: Task[]; readonly later: Task[] } = { now: [], later: [] };
  readonly #budgets: { readonly now: Budget; readonly later: Budget };
  #taken = 0;
  #nextId = 1;
  #closing: PromiseWithResolvers<void> | undefined;

  constructor(options: PixelPoolOptions = {}) {
    this.#seatsMax = options.workers ?? availableParallelism();
    assert(this.#seatsMax >= 1, 'a pool has a worker');
    const bytesMax = options.queueBytesMax ?? pixelPoolBytesMax;
    this.#budgets = {
      now: new Budget('bytes of frames under way', Math.ceil(bytesMax * 0.75)),
      later: new Budget('bytes of frames under way that can wait', Math.ceil(bytesMax * 0.25)),
    };
    this.#jobsMax = options.queueJobsMax ?? pixelPoolJobsMax;
    this.#jobMsMax = options.jobMsMax ?? pixelJobMsMax;
    this.#clock = options.clock ?? systemClock;
    this.#program = options.program ?? new URL('./pixel-worker.ts', import.meta.url);
  }

  /**
   * The frame in plain form, as `decodeFrame` gives it and with its errors. Here and below, a frame's bytes are given up when they fill their buffer, for they may be
   * moved to the worker; otherwise they must stay as they are until the answer. Safe to repeat while the caller still has the bytes.
   * BUSY: too many wait already. CLOSED: the pool is closing. INTERNAL: the worker died. LIMIT_EXCEEDED also where the work took too long.
   */
  decode(frame: CodedFrame, options?: JobOptions): Promise<PlainFrame | undefined> {
    return this.#run({ kind: 'decode', frame }, options);
  }

  /** The frame in this transfer syntax, as `encodeFrame` gives it. */
  encode(frame: PlainFrame, syntax: string, options?: JobOptions): Promise<EncodedFrame | undefined> {
    return this.#run({ kind: 'encode', frame, syntax }, options);
  }

  /** Decoded and encoded again without loss, in one go. */
  transcode(frame: CodedFrame, syntax: string, options?: JobOptions): Promise<EncodedFrame | undefined> {
    return this.#run({ kind: 'transcode', frame, syntax }, options);
  }

  /** As a picture that anything can show. */
  render(frame: CodedFrame, how: RenderOptions, options?: JobOptions): Promise<Picture | undefined> {
    return this.#run({ kind: 'render', frame, options: how }, options);
  }

  /** As a small JPEG. */
  thumbnail(frame: CodedFrame, how: ThumbnailOptions = {}, options?: JobOptions): Promise<Picture | undefined> {
    return this.#run({ kind: 'thumbnail', frame, options: how }, options);
  }

  /** Whether two frames show the same, as `compareFrames` says it. */
  async compare(frame: CodedFrame, other: CodedFrame, options?: JobOptions): Promise<FrameComparison | undefined> {
    checkShape(other.shape);
    return this.#run({ kind: 'compare', frame, other }, options);
  }

  /** Ends the workers when all that was taken is done. Safe to repeat. */
  close(): Promise<void> {
    this.#closing ??= Promise.withResolvers<void>();
    this.#endWhenDone();
    return this.#closing.promise;
  }

  async #run<Kind extends PixelJob['kind']>(
    job: PixelJob & { readonly kind: Kind },
    options: JobOptions = {},
  ): Promise<PixelResults[Kind]> {
    if (this.#closing !== undefined) throw new ArchiveError('CLOSED', 'the pixel pool is closing');
    if (this.#taken >= this.#jobsMax) throw new ArchiveError('BUSY', 'too many frames wait for the pixel pool');
    checkShape(job.frame.shape);
    const lane = options.canWait === true ? 'later' : 'now';
    const sizeBytes = jobBytes(job);
    this.#taken += 1;
    try {
      await this.#budgets[lane].take(sizeBytes);
      try {
        const result = await new Promise<PixelResult>((resolve, reject) => {
          this.#lanes[lane].push({ job, canWait: lane === 'later', resolve, reject });
          this.#dispatch();
        });
        return result as PixelResults[Kind];
      } finally {
        this.#budgets[lane].give(sizeBytes);
      }
    } finally {
      this.#taken -= 1;
      this.#endWhenDone();
    }
  }

  #dispatch(): void {
    for (let seat = this.#freeSeat('now'); seat !== undefined; seat = this.#freeSeat('now')) {
      const task = this.#lanes.now.shift();
      if (task === undefined) break;
      this.#send(seat, task);
    }
    for (let seat = this.#freeSeat('later'); seat !== undefined; seat = this.#freeSeat('later')) {
      const task = this.#lanes.later.shift();
      if (task === undefined) break;
      this.#send(seat, task);
    }
  }

  #freeSeat(lane: 'now' | 'later'): Seat | undefined {
    if (this.#lanes[lane].length === 0) return undefined;
    const seats = [...this.#seats];
    const waiting = seats.filter(({ task }) => task?.canWait === true).length;
    // One worker, where there are several, is kept for those who wait.
    if (lane === 'later' && waiting >= Math.max(1, this.#seatsMax - 1)) return undefined;
    const idle = seats.find(({ task, failure }) => task === undefined && failure === undefined);
    return idle ?? (this.#seats.size < this.#seatsMax ? this.#newSeat() : undefined);
  }

  #newSeat(): Seat {
    // Without our own flags: some of them (--input-type) make no sense to a worker, which then would not start.
    const worker = new Worker(this.#program, { name: 'pixels', execArgv: [] });
    const seat: Seat = { worker, task: undefined, stop: undefined, failure: undefined };
    worker.unref();
    worker.on('message', (reply: PixelReply) => this.#answer(seat, reply));
    worker.on('messageerror', (cause) =>
      this.#end(seat, new ArchiveError('INTERNAL', 'a pixel worker was not understood', { cause })),
    );
    worker.on('error', (cause) => {
      seat.failure ??= new ArchiveError('INTERNAL', 'a pixel worker ended before its work', { cause });
    });
    worker.on('exit', () => this.#replace(seat));
    this.#seats.add(seat);
    return seat;
  }

  #send(seat: Seat, task: Task): void {
    const { job, moved } = packJob(task.job);
    const stop = new AbortController();
    seat.task = task;
    seat.stop = stop;
    seat.worker.ref();
    seat.worker.postMessage({ id: this.#nextId, job }, moved);
    this.#nextId += 1;
    void this.#clock.wait(this.#jobMsMax, stop.signal).then(() => {
      if (stop.signal.aborted) return;
      this.#end(seat, new ArchiveError('LIMIT_EXCEEDED', 'pixel data: more than the limit allows: time for one frame'));
    });
  }

  #end(seat: Seat, failure: Error): void {
    seat.failure ??= failure;
    void seat.worker.terminate();
  }

  #answer(seat: Seat, reply: PixelReply): void {
    const { task } = seat;
    if (task === undefined || seat.failure !== undefined) return;
    this.#free(seat);
    if ('failure' in reply) task.reject(pixelError(reply.failure));
    else task.resolve(reply.result);
    this.#dispatch();
  }

  #free(seat: Seat): void {
    seat.task = undefined;
    seat.stop?.abort();
    seat.stop = undefined;
    seat.worker.unref();
  }

  /** A worker is gone, and with it the bytes of its job. */
  #replace(seat: Seat): void {
    this.#seats.delete(seat);
    const { task } = seat;
    seat.stop?.abort();
    task?.reject(seat.failure ?? new ArchiveError('INTERNAL', 'a pixel worker ended before its work'));
    this.#dispatch();
  }

  #endWhenDone(): void {
    if (this.#closing === undefined || this.#taken > 0) return;
    const { resolve } = this.#closing;
    const seats = [...this.#seats];
    this.#seats.clear();
    void Promise.all(seats.map(({ worker }) => worker.terminate())).then(() => resolve());
  }
}
