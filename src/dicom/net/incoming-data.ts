// IncomingData: the data set of a message while it arrives, for one reader.
//
// Invariants: pieces come in order and exactly once; what arrived and was not read is counted by `onHeld`, and given back when it is read, so the
// association can stop reading its socket; once it has failed nothing more comes out of it, so a data set that ends is whole.
// A piece that was handed out stays as it is for ever; bytes that were copied out by `read` leave their memory to be used again.
// Left out on purpose: what the bytes mean.

import { ArchiveError, assert } from '../../base/index.ts';
import { GrowingBytes } from './growing-bytes.ts';
import { heldPieceBytes } from './limits.ts';
import type { Piece } from './pdu-reader.ts';

export class IncomingData implements AsyncIterableIterator<Uint8Array> {
  readonly #onHeld: (change: number) => void;
  readonly #pieces: Piece[] = [];
  #first = 0;
  /** Of the first piece, what was copied out already. */
  #at = 0;
  #state: 'arriving' | 'complete' | 'discarded' | 'failed' = 'arriving';
  #failure: unknown;
  #waiting: PromiseWithResolvers<void> | undefined;

  constructor(onHeld: (change: number) => void) {
    this.#onHeld = onHeld;
  }

  /** All of it was read, or is of no interest any more. */
  get isDone(): boolean {
    return this.#state === 'discarded' || (this.#state === 'complete' && this.#first === this.#pieces.length);
  }

  /** For the association: the next piece. */
  push(piece: Piece): void {
    assert(this.#state === 'arriving' || this.#state === 'discarded', 'nothing comes after the last piece');
    if (this.#state === 'discarded') {
      piece.loan?.release();
      return;
    }
    if (piece.bytes.byteLength > 0) {
      this.#pieces.push(piece);
      this.#onHeld(piece.bytes.byteLength + heldPieceBytes);
    }
    if (piece.isLast) this.#state = 'complete';
    this.#wake();
  }

  /** For the association: the rest will not come. */
  fail(error: ArchiveError): void {
    if (this.#state !== 'arriving') return;
    this.#state = 'failed';
    this.#failure = error;
    this.#drop();
    this.#wake();
  }

  /** Whatever is left is thrown away, also what is still to come. */
  discard(): void {
    if (this.#state === 'failed') return;
    this.#state = 'discarded';
    this.#drop();
    this.#wake();
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array> {
    return this;
  }

  /** The next piece, of whatever length it came. DICOM_ABORTED, DICOM_TIMEOUT or DICOM_PROTOCOL when the rest will not come. */
  next(): Promise<IteratorResult<Uint8Array, undefined>> {
    const piece = this.#takePiece();
    if (piece !== undefined) return Promise.resolve({ done: false, value: piece });
    return this.#nextLater();
  }

  return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.discard();
    return Promise.resolve({ done: true, value: undefined });
  }

  /**
   * Copies what is there, at least a byte, into `target`, and says how much; 0 at the end. Who has to copy anyway saves memory so: what was copied
   * from is used for what comes next. Errors as `next`.
   */
  async read(target: Uint8Array): Promise<number> {
    assert(target.byteLength > 0, 'bytes are read into something');
    for (;;) {
      let filled = 0;
      while (filled < target.byteLength) {
        const copied = this.#copyPiece(target, filled);
        if (copied === 0) break;
        filled += copied;
      }
      if (filled > 0) return filled;
      if (this.#hasEnded()) return 0;
      await this.#wait();
    }
  }

  /** All of it, in memory. LIMIT_EXCEEDED beyond `bytesMax`, and the rest is thrown away. */
  async gather(bytesMax: number): Promise<Uint8Array> {
    const gathered = new GrowingBytes();
    for (;;) {
      const piece = this.#pieces[this.#first];
      if (piece === undefined) {
        if (this.#hasEnded()) return gathered.take();
        await this.#wait();
        continue;
      }
      const part = this.#at === 0 ? piece.bytes : piece.bytes.subarray(this.#at);
      if (gathered.sizeBytes + part.byteLength > bytesMax) {
        this.discard();
        throw new ArchiveError('LIMIT_EXCEEDED', `a data set of a peer has more than ${bytesMax} bytes`);
      }
      gathered.add(part);
      piece.loan?.release();
      this.#pass(piece);
    }
  }

  async #nextLater(): Promise<IteratorResult<Uint8Array, undefined>> {
    for (;;) {
      const piece = this.#takePiece();
      if (piece !== undefined) return { done: false, value: piece };
      if (this.#hasEnded()) return { done: true, value: undefined };
      await this.#wait();
    }
  }

  #takePiece(): Uint8Array | undefined {
    const piece = this.#pieces[this.#first];
    if (piece === undefined) return undefined;
    const rest = this.#at === 0 ? piece.bytes : piece.bytes.subarray(this.#at);
    // Not released: it is the reader's now.
    this.#pass(piece);
    return rest;
  }

  #copyPiece(target: Uint8Array, offset: number): number {
    const piece = this.#pieces[this.#first];
    if (piece === undefined) return 0;
    const count = Math.min(piece.bytes.byteLength - this.#at, target.byteLength - offset);
    target.set(piece.bytes.subarray(this.#at, this.#at + count), offset);
    this.#at += count;
    if (this.#at === piece.bytes.byteLength) {
      piece.loan?.release();
      this.#pass(piece);
    }
    return count;
  }

  #pass(piece: Piece): void {
    this.#at = 0;
    this.#first += 1;
    if (this.#first === this.#pieces.length) {
      this.#pieces.length = 0;
      this.#first = 0;
    }
    this.#onHeld(-(piece.bytes.byteLength + heldPieceBytes));
  }

  #drop(): void {
    for (let piece = this.#pieces[this.#first]; piece !== undefined; piece = this.#pieces[this.#first]) {
      piece.loan?.release();
      this.#pass(piece);
    }
  }

  /** Of what is not there. Throws when it is no end but a failure. */
  #hasEnded(): boolean {
    if (this.#state === 'failed') throw this.#failure;
    assert(this.#state !== 'discarded', 'a data set that was thrown away is not read');
    return this.#state === 'complete';
  }

  #wait(): Promise<void> {
    this.#waiting ??= Promise.withResolvers<void>();
    return this.#waiting.promise;
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve();
  }
}
