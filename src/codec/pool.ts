// CodecPool: makes and opens records beside the main thread. Small ones are done at once, here; large ones by worker threads.
//
// Invariants: every job that was taken is answered, by its result or an error; what waits is bounded by two named limits, and beyond them jobs are
// refused (BUSY), not kept; work with best effort has workers of its own that the system runs when no other wants the processor, so nobody waits behind a
// settling, and it never stands still; an idle pool keeps no process alive.
// A worker that dies is replaced when there is work again. Its jobs are done again once, where the bytes are still here: bytes that were moved to it died
// with it, and those jobs fail (INTERNAL).
// Records of 512 KB noise with AES-256-GCM, MB/s, best of many short runs on two cores that others used as well: one worker 700, two 810, three 750;
// WebCrypto on libuv's threads, which moves nothing and copies everything, 730 (and 0.6 to 0.9 of two workers in the same minute); GCM and SHA-256 alone in a
// loop on two threads 1,250, on one 975. Of a record's 0.85 ms of processor time on such a day, 0.62 are those two digests on a quiet core.
// Left out on purpose: order between jobs, and telling which bytes are worth packing (codec.ts).

import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { ArchiveError, assert, defined, never, sha256 } from '../base/index.ts';
import { type CodecHint, codecNumber } from './codec.ts';
import type { OpenContentsJob } from './open-contents.ts';
import type { OpenedMany, OpenManyJob } from './open-many.ts';
import {
  errorOf,
  type Order,
  Parcel,
  packOrder,
  type Reply,
  type Request,
  type Result,
  type WorkerData,
} from './pool-messages.ts';
import {
  type MakeJob,
  makeRecord,
  makeRecordInto,
  type OpenJob,
  openRecord,
  type RecordBytes,
  spanBytesMax,
} from './record-job.ts';
import { type Place, SharedMemory } from './shared-memory.ts';
import { SmallJobs } from './small-jobs.ts';
import { looksIncompressible } from './zstd.ts';

export type PoolOptions = {
  /** Threads; by default as many as the machine has cores. Half as many do what has best effort. */
  readonly workers?: number;
  readonly queueJobsMax?: number;
  readonly queueBytesMax?: number;
  /** For tests: another program for the workers. */
  readonly program?: URL;
};

export const poolQueueJobsMax = 65_536;
export const poolQueueBytesMax = 256 * 1024 * 1024;

/**
 * Jobs of at most so many bytes are done at once on the calling thread. A message to a worker and back costs it 45 to 50 us (80 with 64 KB and more), so
 * the thread gains from there on. Microseconds of it for one record with AES-256-GCM, measured on a busy machine:
 *
 *                          4 KB    8 KB   16 KB   32 KB   64 KB  128 KB
 *   make, as they are        20      30      50      70     110     215
 *   make, noise              27      40      65      95     140     235
 *   make, text (zstd 1)      95     110     155     150     165     175
 *   open, as they are         8      12      15      20      30      45
 *   open, text               40      50      60      55      70      85
 */
export const inlineBytesMax = {
  raw: 16 * 1024,
  fast: 8 * 1024,
  best: 1024,
  open: 64 * 1024,
  openPixels: 8 * 1024,
} as const;

/** Jobs that a worker has before it: one that it does, and one so that it need not wait for us. Patient work may wait. */
const depthMax = 2;
const attemptsMax = 2;

type Task = {
  readonly orders: readonly Order[];
  /** Asked for when the task is sent first; a worker that died wrote there, and the next one does again. */
  rooms: readonly (Room | undefined)[] | undefined;
  readonly sizeBytes: number;
  readonly resolve: (done: readonly Done[]) => void;
  readonly reject: (error: Error) => void;
  attempts: number;
  /** Bytes went to a worker with their buffer, so the task cannot be sent again. */
  moved: boolean;
};

/** Where a record is written. */
type Room = { place: Place; readonly gate: number | undefined };

/** A result, and the place that its record was to be written in. */
type Done = { readonly result: Result; readonly place: Place | undefined };

type Seat = { readonly worker: Worker; readonly lane: Lane; readonly tasks: Map<number, Task>; failure: unknown };

/** Tasks in order of arrival, and the workers that do them. */
type Lane = {
  readonly patient: boolean;
  readonly seatsMax: number;
  /** Tasks that a worker has before it. */
  readonly depth: number;
  readonly seats: Set<Seat>;
  readonly tasks: TaskQueue;
};

export class CodecPool {
  /** Memory that bytes may lie in on their way through the pool; undefined where the process may not have it. */
  readonly memory: SharedMemory | undefined = SharedMemory.open();
  readonly #queueJobsMax: number;
  readonly #queueBytesMax: number;
  readonly #program: URL;
  readonly #urgent: Lane;
  readonly #patient: Lane;
  #nextId = 1;
  #taken = 0;
  #takenBytes = 0;
  readonly #batch = new SmallJobs((orders) => this.#run(orders, this.#urgent));
  #closing: { promise: Promise<void>; resolve: () => void } | undefined;

  constructor(options: PoolOptions = {}) {
    const workers = options.workers ?? availableParallelism();
    assert(workers >= 1, 'a pool has a worker');
    const lane = (patient: boolean, seatsMax: number): Lane => {
      return { patient, seatsMax, depth: patient ? 1 : depthMax, seats: new Set(), tasks: new TaskQueue() };
    };
    this.#urgent = lane(false, workers);
    this.#patient = lane(true, Math.max(1, workers >> 1));
    this.#queueJobsMax = options.queueJobsMax ?? poolQueueJobsMax;
    this.#queueBytesMax = options.queueBytesMax ?? poolQueueBytesMax;
    this.#program = options.program ?? new URL('./worker.ts', import.meta.url);
  }

  /**
   * The record; at once for a small job, else when a worker has made it, in the place that `room` gave or in buffers of its own. `plain` is given up
   * when it fills its buffer, for it may be moved to the worker; otherwise, and in the shared memory, it must stay as it is until the answer. Safe to
   * repeat only with a new nonce.
   * BUSY: too much waits already. CLOSED: the pool is closing. INTERNAL: the worker died.
   */
  make(job: MakeJob): RecordBytes | Promise<RecordBytes> {
    const plainSizeBytes = job.plain.byteLength;
    if (plainSizeBytes <= inlineLimit(job.hint)) {
      if (!isLaborious(job) && this.#batch.takesInline()) return this.#makeInline(job);
      return this.#batch.add({ kind: 'make', job }).then((done) => this.#madeOf(job, plainSizeBytes, done));
    }
    const isPatient = job.hint.kind !== 'raw' && job.hint.effort === 'best';
    const lane = isPatient ? this.#patient : this.#urgent;
    return this.#run([{ kind: 'make', job }], lane).then(([done]) => this.#madeOf(job, plainSizeBytes, done));
  }

  /**
   * The plain bytes, checked, as `openRecord` gives them and with its errors. `body` is given up when it fills its buffer, or ends one that holds but its
   * head before it: whoever needs that head later keeps a copy. Safe to repeat otherwise.
   */
  open(job: OpenJob): Uint8Array | Promise<Uint8Array> {
    const { body, head } = job;
    const isPixels = head.codec === codecNumber.pixelFast || head.codec === codecNumber.pixelBest;
    const inlineMax = isPixels ? inlineBytesMax.openPixels : inlineBytesMax.open;
    if (Math.max(body.byteLength, head.plainSizeBytes) <= inlineMax) return openRecord(job);
    return this.#run([{ kind: 'open', job }], this.#urgent).then(([done]) => {
      const opened = checked(done);
      assert(opened.kind === 'opened', 'opening gives plain bytes');
      return opened.plain;
    });
  }

  /** Many small records of one buffer by one worker; each fails alone. The buffer is given up as `plain` is in `make`. */
  async openMany(job: OpenManyJob): Promise<OpenedMany> {
    const [done] = await this.#run([{ kind: 'open-many', job }], this.#urgent);
    const opened = checked(done);
    assert(opened.kind === 'opened-many', 'opening many gives all of them');
    return opened;
  }

  /** Contents that lie close together, from shared memory into shared memory, by one worker: of each 1 where it was opened. Safe to repeat. */
  async openContents(job: OpenContentsJob): Promise<Uint8Array> {
    const [done] = await this.#run([{ kind: 'open-contents', job }], this.#urgent);
    const opened = checked(done);
    assert(opened.kind === 'opened-contents', 'opening contents says which were opened');
    return opened.opened;
  }

  /**
   * SHA-256 of bytes that stay as they are until the answer: large ones in the shared memory by a worker, others at once. `patient`: nobody waits for it.
   * Safe to repeat.
   */
  digest(bytes: Uint8Array, options: { readonly patient: boolean }): Uint8Array | Promise<Uint8Array> {
    if (bytes.byteLength <= inlineBytesMax.raw || this.memory?.placeOf(bytes) === undefined) return sha256(bytes);
    const lane = options.patient ? this.#patient : this.#urgent;
    return this.#run([{ kind: 'digest', bytes }], lane).then(([done]) => {
      const digested = checked(done);
      assert(digested.kind === 'digested', 'digesting gives a digest');
      return digested.digest;
    });
  }

  /** Ends the workers when all that was taken is done. Safe to repeat. */
  close(): Promise<void> {
    if (this.#closing === undefined) {
      this.#batch.flush();
      this.#closing = Promise.withResolvers<void>();
      this.#endWhenDone();
    }
    return this.#closing.promise;
  }

  #run(orders: readonly Order[], lane: Lane): Promise<readonly Done[]> {
    const sizeBytes = orders.reduce((sum, order) => sum + orderBytes(order), 0);
    const refused = this.#refusal(sizeBytes);
    if (refused !== undefined) return Promise.reject(refused);
    this.#taken += 1;
    this.#takenBytes += sizeBytes;
    return new Promise((resolve, reject) => {
      const task: Task = { orders, rooms: undefined, sizeBytes, resolve, reject, attempts: 0, moved: false };
      lane.tasks.push(task);
      this.#dispatch(lane);
    });
  }

  #makeInline(job: MakeJob): RecordBytes {
    const place = job.room?.(spanBytesMax(job.plain.byteLength, job.keys, job.nonce), () => false);
    return place === undefined ? makeRecord(job) : makeRecordInto(job, this.#bytesAt(place));
  }

  #madeOf(job: MakeJob, plainSizeBytes: number, done: Done | undefined): RecordBytes {
    const made = checked(done);
    assert(made.kind === 'made' || made.kind === 'placed', 'making gives a record');
    const { kind, group, id, hybrid } = job.fields;
    const { nonce, keys } = job;
    const { codec, codecVersion } = made;
    const { head, body } = made.kind === 'made' ? made : this.#placed(made, done?.place);
    const { cipher } = keys;
    const bodySizeBytes = body.byteLength;
    return {
      fields: { kind, codec, codecVersion, cipher, group, id, hybrid, plainSizeBytes, bodySizeBytes, nonce },
      head,
      body,
    };
  }

  #placed(
    { headSizeBytes, bodySizeBytes }: { readonly headSizeBytes: number; readonly bodySizeBytes: number },
    place: Place | undefined,
  ): { head: Uint8Array; body: Uint8Array } {
    const room = this.#bytesAt(defined(place, 'a record is placed where it was to be'));
    return {
      head: room.subarray(0, headSizeBytes),
      body: room.subarray(headSizeBytes, headSizeBytes + bodySizeBytes),
    };
  }

  #roomFor({ plain, keys, nonce, room }: MakeJob): Room | undefined {
    const { memory } = this;
    if (room === undefined || memory === undefined) return undefined;
    const gate = memory.gates.take();
    let own: Room | undefined;
    const move = (to: Place): boolean => {
      if (own === undefined || gate === undefined || !memory.gates.move(gate, to.offset)) return false;
      own.place = to;
      return true;
    };
    const place = room(spanBytesMax(plain.byteLength, keys, nonce), move);
    if (place !== undefined) own = { place, gate };
    else if (gate !== undefined) memory.gates.give(gate);
    return own;
  }

  #bytesAt(place: Place): Uint8Array {
    return defined(this.memory, 'a place is in the memory').at(place);
  }

  #refusal(sizeBytes: number): ArchiveError | undefined {
    if (this.#closing !== undefined) return new ArchiveError('CLOSED', 'the codec pool is closing');
    const full = this.#taken >= this.#queueJobsMax || this.#takenBytes + sizeBytes > this.#queueBytesMax;
    return full && this.#taken > 0 ? new ArchiveError('BUSY', 'too many records wait for the codec pool') : undefined;
  }

  #dispatch(lane: Lane): void {
    for (;;) {
      const task = lane.tasks.first();
      if (task === undefined) return;
      const seat = this.#seatOf(lane);
      if (seat === undefined) return;
      lane.tasks.shift();
      this.#send(seat, task);
    }
  }

  /** The seat with the least to do; a new one rather than one that is busy. */
  #seatOf(lane: Lane): Seat | undefined {
    let best: Seat | undefined;
    for (const seat of lane.seats) {
      if (seat.tasks.size < lane.depth && (best === undefined || seat.tasks.size < best.tasks.size)) best = seat;
    }
    if (best !== undefined && best.tasks.size === 0) return best;
    return lane.seats.size < lane.seatsMax ? this.#newSeat(lane) : best;
  }

  #newSeat(lane: Lane): Seat {
    // Without our own flags: some of them (--input-type) make no sense to a worker, which then would not start.
    const workerData: WorkerData = { memory: this.memory?.buffer, patient: lane.patient };
    const worker = new Worker(this.#program, { name: 'codec', execArgv: [], workerData });
    const seat: Seat = { worker, lane, tasks: new Map(), failure: undefined };
    worker.unref();
    worker.on('message', (reply: Reply) => this.#answer(seat, reply));
    worker.on('messageerror', (error) => {
      seat.failure = error;
      void worker.terminate();
    });
    worker.on('error', (error) => {
      seat.failure = error;
    });
    worker.on('exit', () => this.#replace(seat));
    lane.seats.add(seat);
    return seat;
  }

  #send(seat: Seat, task: Task): void {
    const id = this.#nextId;
    this.#nextId += 1;
    task.attempts += 1;
    seat.tasks.set(id, task);
    if (seat.tasks.size === 1) seat.worker.ref();
    task.rooms ??= task.orders.map((order) => (order.kind === 'make' ? this.#roomFor(order.job) : undefined));
    const { memory } = this;
    try {
      task.moved = post(seat.worker, id, task, new Parcel({ memory }));
    } catch (error) {
      // Memory of WebAssembly fills its buffer and cannot be moved; nothing was, so all is still here to be copied.
      if (!(error instanceof DOMException)) throw error;
      task.moved = post(seat.worker, id, task, new Parcel({ memory, copyAll: true }));
    }
  }

  #answer(seat: Seat, reply: Reply): void {
    const task = defined(seat.tasks.get(reply.id), 'an answer belongs to a job');
    this.#leave(seat, reply.id);
    const { rooms } = task;
    const done = reply.results.map((result, index) => ({ result, place: rooms?.[index]?.place }));
    this.#finish(task, () => task.resolve(done));
    this.#dispatch(seat.lane);
  }

  #leave(seat: Seat, id: number): void {
    seat.tasks.delete(id);
    if (seat.tasks.size === 0) seat.worker.unref();
  }

  #finish(task: Task, answer: () => void): void {
    for (const room of task.rooms ?? []) if (room?.gate !== undefined) this.memory?.gates.give(room.gate);
    this.#taken -= 1;
    this.#takenBytes -= task.sizeBytes;
    answer();
    this.#endWhenDone();
  }

  /** A worker is gone. What it had is done again where that can be, in the order it was sent. */
  #replace(seat: Seat): void {
    const { lane } = seat;
    lane.seats.delete(seat);
    for (const task of [...seat.tasks.values()].reverse()) {
      if (!task.moved && task.attempts < attemptsMax) lane.tasks.unshift(task);
      else {
        const error = new ArchiveError('INTERNAL', 'a codec worker ended before its work', { cause: seat.failure });
        this.#finish(task, () => task.reject(error));
      }
    }
    seat.tasks.clear();
    this.#dispatch(lane);
  }

  #endWhenDone(): void {
    if (this.#closing === undefined || this.#taken > 0) return;
    const { resolve } = this.#closing;
    const seats = [this.#urgent, this.#patient].flatMap((lane) => [...lane.seats]);
    for (const seat of seats) seat.lane.seats.clear();
    void Promise.all(seats.map(({ worker }) => worker.terminate())).then(() => resolve());
  }
}

/** A frame of Zstandard costs this thread 100 us to begin with; to send the bytes away, 25. */
const laboriousBytesMin = 1024;

function isLaborious({ plain, hint }: MakeJob): boolean {
  return hint.kind === 'bytes' && plain.byteLength > laboriousBytesMin && !looksIncompressible(plain);
}

function inlineLimit(hint: CodecHint): number {
  return hint.kind === 'raw' ? inlineBytesMax.raw : inlineBytesMax[hint.effort];
}

function orderBytes(order: Order): number {
  switch (order.kind) {
    case 'make':
      return order.job.plain.byteLength;
    case 'open':
      return order.job.body.byteLength;
    case 'open-many':
    case 'open-contents':
      return order.job.bytes.byteLength;
    case 'digest':
      return order.bytes.byteLength;
    default:
      return never(order, 'an order has bytes');
  }
}

/** Whether bytes were moved. */
function post(worker: Worker, id: number, { orders, rooms }: Task, parcel: Parcel): boolean {
  const sendings = orders.map((order, index) => packOrder(order, parcel, rooms?.[index]));
  const request: Request = { id, works: sendings.map((send) => send()) };
  worker.postMessage(request, parcel.transferList());
  return parcel.hasMoved;
}

type Success = Exclude<Result, { kind: 'failed' }>;

function checked(done: Done | undefined): Success {
  const { result } = defined(done, 'every work has a result');
  if (result.kind === 'failed') throw errorOf(result.failure);
  return result;
}

/** First in, first out; taking the first does not move the rest. */
class TaskQueue {
  #tasks: Task[] = [];
  #begin = 0;

  first(): Task | undefined {
    return this.#tasks[this.#begin];
  }

  push(task: Task): void {
    this.#tasks.push(task);
  }

  shift(): void {
    this.#begin += 1;
    if (this.#begin * 2 < this.#tasks.length) return;
    this.#tasks = this.#tasks.slice(this.#begin);
    this.#begin = 0;
  }

  unshift(task: Task): void {
    this.#tasks = [task, ...this.#tasks.slice(this.#begin)];
    this.#begin = 0;
  }
}
