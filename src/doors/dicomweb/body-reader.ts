// The body of a request, piece by piece as it comes.
//
// Invariants: what came and was not read yet is bounded: beyond it the socket is paused; a client that goes in the middle is ClientGone, whatever was read
// before; pieces are the socket's own memory, are not copied and stay as they are.

import type { IncomingMessage } from 'node:http';
import { ClientGone } from './http-problem.ts';

export const heldBytesMax = 256 * 1024;
/** What is still let in of a body that nobody wants any more, so that its sender gets to hear why. */
export const unwantedBytesMax = 64 * 1024 * 1024;

export class BodyReader {
  readonly #request: IncomingMessage;
  readonly #pieces: Uint8Array[] = [];
  #heldBytes = 0;
  #ended = false;
  #unwantedBytes: number | undefined;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(request: IncomingMessage) {
    this.#request = request;
    request.on('data', (piece: Uint8Array) => {
      if (this.#unwantedBytes !== undefined) {
        this.#unwantedBytes += piece.byteLength;
        if (this.#unwantedBytes > unwantedBytesMax) request.destroy();
        return;
      }
      this.#pieces.push(piece);
      this.#heldBytes += piece.byteLength;
      if (this.#heldBytes >= heldBytesMax) request.pause();
      this.#wakeUp();
    });
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

  #wakeUp(): void {
    const waiting = this.#wake;
    this.#wake = undefined;
    waiting?.();
  }

  /** Nothing more is read: what still comes passes by. */
  abandon(): void {
    this.#unwantedBytes = 0;
    this.#pieces.length = 0;
    if (this.#request.isPaused()) this.#request.resume();
  }

  /** undefined after the last one. */
  async next(): Promise<Uint8Array | undefined> {
    while (this.#pieces.length === 0) {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const piece = this.#pieces.shift() as Uint8Array;
    this.#heldBytes -= piece.byteLength;
    if (this.#heldBytes < heldBytesMax / 2 && this.#request.isPaused()) this.#request.resume();
    return piece;
  }
}
