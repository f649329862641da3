// BodyLane: large bodies of requests straight from the socket, in memory that is used again.
//
// Node's parser gives out a buffer of its own for each 64 KiB of a body. For uploads of half a megabyte an instance their making and collecting was more than a
// third of all processor time: memory outside the heap makes the collector mark everything, again and again. So the server's sockets are made anew, to be
// read into memory of ours (`adoptSocket`). The parser works on them as ever; when a large body of announced length begins, it lets go of the socket
// (Node's own way when somebody listens to the data), and from then on it is shown every byte, of which it gives out none: it counts them, and so all that it
// knows of this request and the next stays true.
//
// Invariants: where Node is not as it was, over TLS, and for bodies in chunks or of moderate length the request's stream is what it always is; what was
// parsed before a body is taken is part of it; a byte is given to one taker, once; the memory is lent until it is released.
// Left out on purpose: HTTP. Lengths, ends, timeouts and the next request are the parser's.

import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { adoptSocket, type ByteTaker, type Loan, ReceiveBuffers } from '../../dicom/index.ts';

/** Still to come when a body is taken; less is not worth it. */
const bodyBytesMin = 64 * 1024;

export type TakePiece = (bytes: Uint8Array, loan: Loan | undefined) => void;

/** What Node calls private. */
type Parser = { readonly constructor: { readonly kOnBody?: unknown }; [callback: number]: unknown };

const lanes = new WeakMap<Socket, BodyLane>();

export class BodyLane implements ByteTaker {
  readonly #socket: Socket;
  #taker: TakePiece | undefined;
  #leftBytes = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** The same connection with a lane for bodies, for the server to use in its place; itself where that cannot be. Nothing was read from it yet. */
  static adopt(socket: Socket): Socket {
    const buffers = new ReceiveBuffers();
    const adopted = adoptSocket(socket, buffers, { allowHalfOpen: true });
    if (adopted === undefined) return socket;
    const lane = new BodyLane(adopted);
    buffers.attach(lane);
    adopted.once('close', () => buffers.close());
    lanes.set(adopted, lane);
    return adopted;
  }

  /** Gives the rest of a request's body to `taker`; false when it comes by the request's stream. What had been parsed is in that stream in both cases. */
  static take(request: IncomingMessage, taker: TakePiece): boolean {
    const lane = lanes.get(request.socket);
    return lane !== undefined && lane.#take(request, taker);
  }

  get isMidMessage(): boolean {
    return this.#leftBytes > 0;
  }

  #take(request: IncomingMessage, taker: TakePiece): boolean {
    const leftBytes = Number(request.headers['content-length'] ?? 0) - request.readableLength;
    if (!(leftBytes >= bodyBytesMin) || request.complete || this.#parser() === undefined) return false;
    this.#leftBytes = leftBytes;
    this.#taker = taker;
    // Whoever listens to a socket has Node's parser let go of it.
    this.#socket.on('data', ignore);
    this.#socket.off('data', ignore);
    this.#socket.resume();
    return true;
  }

  /** Undefined when it does not give out bodies in the way that is known here. */
  #parser(): { readonly parser: Parser; readonly onBody: number } | undefined {
    const parser = (this.#socket as unknown as { readonly parser?: Parser | null }).parser ?? undefined;
    const onBody = parser?.constructor.kOnBody;
    if (parser === undefined || typeof onBody !== 'number' || typeof parser[onBody] !== 'function') return undefined;
    return { parser, onBody };
  }

  /** For the socket: bytes that the parser has not seen. */
  take(bytes: Uint8Array, loan: Loan | undefined): void {
    const taker = this.#taker;
    const count = Math.min(bytes.byteLength, this.#leftBytes);
    if (taker === undefined || count === 0) {
      this.#show(bytes);
      loan?.release();
      return;
    }
    this.#leftBytes -= count;
    if (this.#leftBytes === 0) this.#taker = undefined;
    loan?.hold();
    taker(bytes.subarray(0, count), loan);
    this.#showQuietly(bytes.subarray(0, count));
    if (count < bytes.byteLength) this.#show(bytes.subarray(count));
    loan?.release();
  }

  #show(bytes: Uint8Array): void {
    this.#socket.emit('data', Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  }

  /** The parser counts a part of a body and gives nothing out. */
  #showQuietly(bytes: Uint8Array): void {
    const known = this.#parser();
    if (known === undefined) return this.#show(bytes);
    const { parser, onBody } = known;
    const giveOut = parser[onBody];
    parser[onBody] = undefined;
    try {
      this.#show(bytes);
    } finally {
      parser[onBody] = giveOut;
    }
  }
}

function ignore(): void {
  // Only to have listened.
}
