// The body of a request, piece by piece as it comes.
//
// Invariants: what came and was not read yet is bounded: beyond it the socket is paused; a client that goes in the middle is ClientGone, whatever was read
// before; pieces are the memory that the socket was read into and are not copied. Of a body that was taken by `open` a piece is good until the next one is
// asked for; else it stays as it is.

import type { IncomingMessage } from 'node:http';
import type { Loan } from '../../dicom/index.ts';
import { BodyLane } from './body-lane.ts';
import { ClientGone } from './http-problem.ts';

export const heldBytesMax = 256 * 1024;
/** What is still let in of a body that nobody wants any more, so that its sender gets to hear why. */
export const unwantedBytesMax = 64 * 1024 * 1024;

type Held = { readonly bytes: Uint8Array; readonly loan: Loan | undefined };

export class BodyReader {
  readonly #request: IncomingMessage;
  readonly #pieces: Held[] = [];
  /** What is paused while too much is held. */
  #source: { pause(): unknown; resume(): unknown };
  #isPaused = false;
  #lent: Loan | undefined;
  #heldBytes = 0;
  #ended = false;
  #unwantedBytes: number | undefined;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(request: IncomingMessage) {
    this.#request = request;
    this.#source = request;
    request.on('data', (piece: Uint8Array) => this.#take(piece, undefined));
    request.on('end', () => {
      this.#ended = true;
      this.#wakeUp();
    });
    const gone = (): void => {
      if (!this.#ended) this.#failure = new ClientGone();
      this.#wakeUp();
    };
    request.on('error', gone);
    request.on('close', gone);
    if (request.destroyed && !request.complete) gone();
  }

  /** A large body without the buffers that Node makes for it, where that can be. */
  static async open(request: IncomingMessage): Promise<BodyReader> {
    // Between turns nothing of the body is half parsed.
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
    const reader = new BodyReader(request);
    const isTaken = BodyLane.take(request, (bytes, loan) => reader.#take(bytes, loan));
    if (!isTaken) return reader;
    reader.#source = request.socket;
    // What was parsed before comes first.
    while (request.read() !== null);
    return reader;
  }

  /** Came and was not read yet. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  #take(bytes: Uint8Array, loan: Loan | undefined): void {
    if (this.#unwantedBytes !== undefined) {
      loan?.release();
      this.#unwantedBytes += bytes.byteLength;
      if (this.#unwantedBytes > unwantedBytesMax) this.#request.destroy();
      return;
    }
    this.#pieces.push({ bytes, loan });
    this.#heldBytes += bytes.byteLength;
    if (this.#heldBytes >= heldBytesMax && !this.#isPaused) {
      this.#isPaused = true;
      this.#source.pause();
    }
    this.#wakeUp();
  }

  #goOn(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#source.resume();
  }

  #wakeUp(): void {
    const waiting = this.#wake;
    this.#wake = undefined;
    waiting?.();
  }

  /** Nothing more is read: what still comes passes by. */
  abandon(): void {
    this.#unwantedBytes = 0;
    this.#giveBack();
    for (const { loan } of this.#pieces) loan?.release();
    this.#pieces.length = 0;
    this.#goOn();
  }

  /** undefined after the last one. */
  async next(): Promise<Uint8Array | undefined> {
    this.#giveBack();
    while (this.#pieces.length === 0) {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const { bytes, loan } = this.#pieces.shift() as Held;
    this.#lent = loan;
    this.#heldBytes -= bytes.byteLength;
    if (this.#heldBytes < heldBytesMax / 2) this.#goOn();
    return bytes;
  }

  #giveBack(): void {
    this.#lent?.release();
    this.#lent = undefined;
  }
}
