// ReceiveBuffers: the memory that a plain TCP socket is read into, used again and again instead of allocated for each read.
//
// Node's streams allocate 64 KiB a read, which for 512 KB objects is half of all the processor time we spend (microseconds of it an object, DCMTK's
// storescu sending, reading only: user 70, system 100, against 6 and 46 with memory used again; and garbage collection comes on top).
// `onread` is Node's own option for this, but a server's sockets are made without it: `adoptSocket` makes such a socket anew around the same handle, by
// two fields that Node calls private. Where they are not what they were, the socket stays as it is and works as streams do; a test tells.
//
// Invariants: a socket between messages holds no memory, for all of those read into one scratch, which is copied from at once; a slab goes back to
// the pool when nobody holds a part of it, and never when a part was given away.
// Left out on purpose: TLS, where decrypting allocates anyway.

import net, { type OnReadOpts, type Socket, type SocketConstructorOpts } from 'node:net';
import { assert } from '../../base/index.ts';
import type { Loan } from './pdu-reader.ts';

const slabBytes = 256 * 1024;
/** Less than this left, and the next read goes into another slab. */
const slabTailBytes = 32 * 1024;
/** Kept for the next message; 8 MiB. */
const slabsKeptMax = 32;
const scratchBytes = 64 * 1024;

class Slab implements Loan {
  readonly bytes = unfilledBytes(slabBytes);
  #holders = 0;

  hold(): void {
    this.#holders += 1;
  }

  release(): void {
    this.#holders -= 1;
    assert(this.#holders >= 0, 'a slab is released by those who hold it');
    if (this.#holders === 0 && freeSlabs.length < slabsKeptMax) freeSlabs.push(this);
  }
}

const freeSlabs: Slab[] = [];
const scratch = unfilledBytes(scratchBytes);

/** No Buffer, for whoever slices one gets no copy. */
function unfilledBytes(count: number): Uint8Array {
  return new Uint8Array(Buffer.allocUnsafeSlow(count).buffer);
}

export interface ByteTaker {
  /** The loan is held once for the taker. */
  take(bytes: Uint8Array, loan: Loan | undefined): void;
  /** More of what has begun is on its way. */
  readonly isMidMessage: boolean;
}

export class ReceiveBuffers {
  /** For the constructor of the socket. */
  readonly onread: OnReadOpts = {
    buffer: () => this.#post(),
    callback: (count) => this.#filled(count),
  };
  #taker: ByteTaker | undefined;
  #slab: Slab | undefined;
  #offset = 0;
  readonly #early: Uint8Array[] = [];

  /** From now on; what came before is given at once. */
  attach(taker: ByteTaker): void {
    this.#taker = taker;
    for (const bytes of this.#early) taker.take(bytes, undefined);
    this.#early.length = 0;
  }

  /** The socket is gone. */
  close(): void {
    this.#slab?.release();
    this.#slab = undefined;
  }

  #post(): Uint8Array {
    if (this.#taker?.isMidMessage !== true) {
      this.close();
      return scratch;
    }
    if (this.#slab === undefined || slabBytes - this.#offset < slabTailBytes) this.#takeSlab();
    assert(this.#slab !== undefined, 'a slab was taken');
    return this.#slab.bytes.subarray(this.#offset);
  }

  #takeSlab(): Slab {
    this.#slab?.release();
    const slab = freeSlabs.pop() ?? new Slab();
    slab.hold();
    this.#slab = slab;
    this.#offset = 0;
    return slab;
  }

  #filled(count: number): boolean {
    if (this.#taker === undefined) {
      this.#early.push(scratch.slice(0, count));
      return false;
    }
    let slab = this.#slab;
    if (slab === undefined) {
      slab = this.#takeSlab();
      slab.bytes.set(scratch.subarray(0, count));
    }
    const from = this.#offset;
    this.#offset += count;
    slab.hold();
    this.#taker.take(slab.bytes.subarray(from, from + count), slab);
    return true;
  }
}

type PrivateSocket = { _handle?: object | null };

/** The same connection, read into `buffers`; undefined when this Node does not let us. The socket must not have been read from or written to. */
export function adoptSocket(
  socket: Socket,
  buffers: ReceiveBuffers,
  { allowHalfOpen = false }: { readonly allowHalfOpen?: boolean } = {},
): Socket | undefined {
  const original = socket as unknown as PrivateSocket;
  const handle = original._handle;
  if (typeof handle !== 'object' || handle === null || !('useUserBuffer' in handle)) return undefined;
  const options = { handle, onread: buffers.onread, readable: true, writable: true, allowHalfOpen };
  const adopted = new net.Socket(options as unknown as SocketConstructorOpts);
  original._handle = null;
  // The original is what its server counts; without a handle it closes at once.
  adopted.once('close', () => socket.destroy());
  return adopted;
}
