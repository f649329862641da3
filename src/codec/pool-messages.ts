// What the pool and its workers say to each other: one message of works, one message of their results in the same order.
//
// Invariants: no message carries more of a buffer than the bytes meant (a view that is posted takes its whole buffer along); bytes in the shared memory are
// named by their place; a buffer is moved only when the bytes fill it, otherwise the bytes are copied; errors cross with code and sentence, never with
// content.

import { ArchiveError, AssertionFault, defined, type ErrorCode, never } from '../base/index.ts';
import { endsItsBuffer, fillsItsBuffer, fillsMostOfItsBuffer } from './buffers.ts';
import type { CipherKeys } from './cipher.ts';
import type { CodecHint } from './codec.ts';
import type { OpenContentsJob } from './open-contents.ts';
import type { OpenedMany, OpenManyJob } from './open-many.ts';
import type { MakeJob, OpenJob, RecordFields } from './record-job.ts';
import type { Place, SharedMemory } from './shared-memory.ts';

/** Bytes in a message: themselves, or where they lie in the memory that both sides see. */
export type Carried = Uint8Array | Place;

/** A place, and the gate that says whether it is still the right one. */
export type Into = { readonly place: Place; readonly gate: number | undefined };

export type Work =
  | {
      readonly kind: 'make';
      readonly fields: RecordFields;
      readonly plain: Carried;
      readonly hint: CodecHint;
      readonly keys: CipherKeys;
      readonly nonce: Uint8Array;
      /** Where the record is to be written, head, body and padding. */
      readonly into: Into | undefined;
    }
  | { readonly kind: 'open'; readonly head: Uint8Array; readonly body: Carried; readonly keys: CipherKeys }
  | ({ readonly kind: 'open-many' } & OpenManyJob)
  | ({ readonly kind: 'open-contents'; readonly bytes: Place; readonly into: Place } & Omit<
      OpenContentsJob,
      'bytes' | 'into'
    >)
  | { readonly kind: 'digest'; readonly bytes: Carried };

/** A work that is still to be put into a message. */
export type Order =
  | { readonly kind: 'make'; readonly job: MakeJob }
  | { readonly kind: 'open'; readonly job: OpenJob }
  | { readonly kind: 'open-many'; readonly job: OpenManyJob }
  | { readonly kind: 'open-contents'; readonly job: OpenContentsJob }
  | { readonly kind: 'digest'; readonly bytes: Uint8Array };

export type Result =
  | {
      readonly kind: 'made';
      readonly codec: number;
      readonly codecVersion: number;
      readonly head: Uint8Array;
      readonly body: Uint8Array;
    }
  /** It lies where it was to be written. */
  | {
      readonly kind: 'placed';
      readonly codec: number;
      readonly codecVersion: number;
      readonly headSizeBytes: number;
      readonly bodySizeBytes: number;
    }
  | { readonly kind: 'opened'; readonly plain: Uint8Array }
  | ({ readonly kind: 'opened-many' } & OpenedMany)
  | { readonly kind: 'opened-contents'; readonly opened: Uint8Array }
  | { readonly kind: 'digested'; readonly digest: Uint8Array }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** What a worker is told at its start. */
export type WorkerData = {
  readonly memory: SharedArrayBuffer | undefined;
  /** It does what has best effort, when nobody else wants the processor. */
  readonly patient: boolean;
};

export type Request = { readonly id: number; readonly works: readonly Work[] };
export type Reply = { readonly id: number; readonly results: readonly Result[] };

export type Failure = {
  readonly code: ErrorCode | 'assertion';
  readonly message: string;
  /** Of our own mistakes: where it happened. */
  readonly stack?: string | undefined;
};

export function failureOf(error: unknown): Failure {
  if (error instanceof ArchiveError) return { code: error.code, message: error.message };
  const stack = error instanceof Error ? error.stack : undefined;
  if (error instanceof AssertionFault) return { code: 'assertion', message: error.message, stack };
  return { code: 'INTERNAL', message: 'a codec worker failed', stack };
}

export function errorOf(failure: Failure): Error {
  if (failure.code === 'assertion') return new AssertionFault(failure.message);
  return new ArchiveError(failure.code, failure.message, failure.stack === undefined ? {} : { cause: failure.stack });
}

/** Copying less than this is cheaper than moving a buffer. */
export const moveBytesMin = 8 * 1024;

/**
 * Bytes on their way into one message: large ones that fill their buffer are moved, all others are copied together into one buffer, which is moved where
 * that is worth it. The views are good once all were added.
 */
export class Parcel {
  readonly #moved: ArrayBuffer[] = [];
  readonly #copied: Uint8Array[] = [];
  #copiedBytes = 0;
  readonly #copyAll: boolean;
  readonly #memory: SharedMemory | undefined;

  constructor(options: { copyAll?: boolean; memory?: SharedMemory | undefined } = {}) {
    this.#copyAll = options.copyAll ?? false;
    this.#memory = options.memory;
  }

  /** Whether something was moved: then the sender has it no longer. */
  get hasMoved(): boolean {
    return this.#moved.length > 0;
  }

  /** As `add`; bytes in the shared memory stay there and are named. */
  carry(bytes: Uint8Array, options: { behindHead?: boolean } = {}): () => Carried {
    const place = this.#memory?.placeOf(bytes);
    return place === undefined ? this.add(bytes, options) : () => place;
  }

  /** Where bytes lie that are in the shared memory. */
  place(bytes: Uint8Array): Place {
    return defined(this.#memory?.placeOf(bytes), 'these bytes lie in the shared memory');
  }

  /**
   * `spare`: buffers of our own making may be moved with some unused room behind the bytes. `behindHead`: a body may be moved with the head it was
   * read with.
   */
  add(bytes: Uint8Array, options: { spare?: boolean; behindHead?: boolean } = {}): () => Uint8Array {
    const { buffer } = bytes;
    const fits =
      options.behindHead === true
        ? endsItsBuffer(bytes)
        : options.spare === true
          ? fillsMostOfItsBuffer(bytes)
          : fillsItsBuffer(bytes);
    if (!this.#copyAll && bytes.byteLength >= moveBytesMin && fits && buffer instanceof ArrayBuffer) {
      this.#moved.push(buffer);
      return () => bytes;
    }
    const offset = this.#copiedBytes;
    this.#copied.push(bytes);
    this.#copiedBytes += bytes.byteLength;
    return () => this.#together().subarray(offset, offset + bytes.byteLength);
  }

  #whole: Uint8Array<ArrayBuffer> | undefined;

  #together(): Uint8Array<ArrayBuffer> {
    if (this.#whole !== undefined) return this.#whole;
    const whole = new Uint8Array(this.#copiedBytes);
    let offset = 0;
    for (const bytes of this.#copied) {
      whole.set(bytes, offset);
      offset += bytes.byteLength;
    }
    this.#whole = whole;
    return whole;
  }

  transferList(): ArrayBuffer[] {
    if (this.#whole === undefined || this.#whole.byteLength < moveBytesMin) return this.#moved;
    return [...this.#moved, this.#whole.buffer];
  }
}

/** The work for a message, good once everything else of the message was added to the parcel. */
export function packOrder(order: Order, parcel: Parcel, into: Into | undefined): () => Work {
  switch (order.kind) {
    case 'make': {
      const { fields, hint, keys } = order.job;
      const plain = parcel.carry(order.job.plain);
      const nonce = parcel.add(order.job.nonce);
      return () => ({ kind: 'make', fields, plain: plain(), hint, keys, nonce: nonce(), into });
    }
    case 'open': {
      const { keys } = order.job;
      const head = parcel.add(order.job.head.bytes);
      const body = parcel.carry(order.job.body, { behindHead: true });
      return () => ({ kind: 'open', head: head(), body: body(), keys });
    }
    case 'open-many': {
      const { job } = order;
      const bytes = parcel.add(job.bytes);
      const walks = parcel.add(job.walks.bytes);
      return () => ({ kind: 'open-many', ...job, bytes: bytes(), walks: { ...job.walks, bytes: walks() } });
    }
    case 'open-contents': {
      const { job } = order;
      const bytes = parcel.place(job.bytes);
      const into = parcel.place(job.into);
      return () => ({ kind: 'open-contents', ...job, bytes, into });
    }
    case 'digest': {
      const bytes = parcel.carry(order.bytes);
      return () => ({ kind: 'digest', bytes: bytes() });
    }
    default:
      return never(order, 'an order is sent');
  }
}
