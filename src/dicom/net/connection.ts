// Connection: one socket that speaks PDUs. Bytes in, with a brake; bytes out, gathered into few writes, with a wait.
//
// Invariants: TCP_NODELAY and keep-alive are on; while paused nothing is taken from the kernel beyond what the stream had read; what waits to be sent is
// at most `sendHeldBytesMax` and one PDU, beyond which senders wait, and a peer that takes nothing for `sendMs` ends the connection; after `close`
// whatever still comes is thrown away, so that the peer gets to read our last words, for as long as ARTIM and `lingerBytesMax` allow.
// Every way in which a connection can end is told once, by `lost`, unless we closed it.
// Left out on purpose: what PDUs mean; opening (requestor.ts, server.ts).

import type { Socket } from 'node:net';
import { ArchiveError, assert, type Clock } from '../../base/index.ts';
import { Deadline } from './deadline.ts';
import { lingerBytesMax, sendHeldBytesMax, type Timeouts } from './limits.ts';
import { type Loan, PduReader } from './pdu-reader.ts';
import type { ByteTaker, ReceiveBuffers } from './receive-buffers.ts';

export interface ConnectionListener {
  /** There is more in the reader, or the peer has ended its side. */
  readable(): void;
  /** The connection is gone. */
  lost(error: ArchiveError): void;
  /** More of a message that has begun is on its way, so memory for it is worth having. */
  readonly isMidMessage: boolean;
}

export type ConnectionOptions = {
  readonly clock: Clock;
  readonly timeouts: Timeouts;
  /** Those that the socket was made with. */
  readonly buffers?: ReceiveBuffers | undefined;
};

const noBytes = new Uint8Array(0);
const keepAliveMs = 30_000;
/** Held above this, bytes go to the kernel at once; below, at the end of the turn, together with what follows. */
const flushBytes = 64 * 1024;

export class Connection implements ByteTaker {
  readonly reader = new PduReader();
  readonly clock: Clock;
  readonly timeouts: Timeouts;
  readonly #socket: Socket;
  readonly #sendDeadline: Deadline;
  readonly #lingerDeadline: Deadline;
  readonly #buffers: ReceiveBuffers | undefined;
  readonly #closed = Promise.withResolvers<void>();
  #listener: ConnectionListener | undefined;
  #room: PromiseWithResolvers<void> | undefined;
  #lost: ArchiveError | undefined;
  #state: 'open' | 'closing' | 'closed' = 'open';
  #hasPeerEnded = false;
  #isCorked = false;
  #lingerBytes = 0;

  /** The socket is connected, and has not been read from. */
  constructor(socket: Socket, options: ConnectionOptions) {
    this.#socket = socket;
    this.clock = options.clock;
    this.timeouts = options.timeouts;
    this.#sendDeadline = new Deadline(options.clock, () => {
      this.#lose(new ArchiveError('DICOM_TIMEOUT', `the peer took no bytes for ${options.timeouts.sendMs} ms`));
    });
    this.#lingerDeadline = new Deadline(options.clock, () => this.destroy());
    socket.setNoDelay(true);
    socket.setKeepAlive(true, keepAliveMs);
    socket.on('end', () => this.#end());
    socket.on('drain', () => this.#drained());
    socket.on('error', (cause) => {
      this.#lose(new ArchiveError('DICOM_ABORTED', 'the connection broke', { cause }));
    });
    socket.on('close', () => this.#close());
    this.#buffers = options.buffers;
    if (options.buffers === undefined) {
      // No Buffer goes further: whoever slices one gets no copy.
      socket.on('data', ({ buffer, byteOffset, byteLength }: Buffer) => {
        this.take(new Uint8Array(buffer, byteOffset, byteLength), undefined);
      });
    } else options.buffers.attach(this);
    socket.pause();
  }

  /** Whoever reads now. Nobody is told what came before, but it is in the reader. */
  listen(listener: ConnectionListener): void {
    this.#listener = listener;
  }

  /** The peer sends nothing more; what it sent may still be in the reader. */
  get hasPeerEnded(): boolean {
    return this.#hasPeerEnded;
  }

  /** For the socket: whether bytes that come next belong to something that has begun. */
  get isMidMessage(): boolean {
    return !this.reader.isBetweenPdus || this.#listener?.isMidMessage === true;
  }

  get lostError(): ArchiveError | undefined {
    return this.#lost;
  }

  /** Resolves when the socket is gone. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  pause(): void {
    if (this.#state === 'open' && !this.#socket.isPaused()) this.#socket.pause();
  }

  resume(): void {
    if (this.#socket.isPaused()) this.#socket.resume();
  }

  /** Takes the bytes, which must stay as they are until they are sent. Who sends much asks `room` after each. */
  write(bytes: Uint8Array): void {
    if (this.#state !== 'open') return;
    if (!this.#isCorked) {
      this.#isCorked = true;
      this.#socket.cork();
      process.nextTick(() => this.#flush());
    }
    this.#socket.write(bytes);
    if (this.#socket.writableLength >= flushBytes) this.#flush();
  }

  /** Undefined when more may be written; else resolves when what waits was taken, or rejects when the connection ends. */
  room(): Promise<void> | undefined {
    if (this.#lost !== undefined) return Promise.reject(this.#lost);
    if (this.#state !== 'open') return Promise.reject(closedError());
    if (this.#socket.writableLength < sendHeldBytesMax) return undefined;
    if (this.#room === undefined) {
      this.#flush();
      this.#room = Promise.withResolvers();
      this.#sendDeadline.set(this.timeouts.sendMs);
    }
    return this.#room.promise;
  }

  /** Resolves when the system has all that was written, or nothing of it can go out any more. */
  async handedOver(): Promise<void> {
    if (this.#socket.writableLength === 0 || this.#socket.destroyed) return;
    this.#flush();
    // Behind everything that waits; told also when the socket is destroyed.
    await new Promise<void>((resolve) => this.#socket.write(noBytes, () => resolve()));
  }

  /** Our last words, then the end: the peer is given time to read them. Safe to repeat; later words are not said. */
  close(farewell?: Uint8Array, end: 'half' | 'wait' = 'half'): void {
    if (this.#state !== 'open') return;
    if (farewell !== undefined) this.write(farewell);
    this.#flush();
    this.#state = 'closing';
    this.#sendDeadline.close();
    this.#room?.reject(closedError());
    this.#room = undefined;
    this.reader.close();
    if (end === 'half') this.#socket.end();
    if (this.#hasPeerEnded) this.#socket.end();
    this.#lingerDeadline.set(this.timeouts.associationMs);
    this.#socket.resume();
  }

  /** At once, without a word. */
  destroy(): void {
    this.#socket.destroy();
  }

  #flush(): void {
    if (!this.#isCorked) return;
    this.#isCorked = false;
    this.#socket.uncork();
  }

  /** For the socket: bytes that came. */
  take(bytes: Uint8Array, loan: Loan | undefined): void {
    if (this.#state === 'open') {
      this.reader.push(bytes, loan);
      this.#listener?.readable();
      return;
    }
    loan?.release();
    this.#lingerBytes += bytes.byteLength;
    if (this.#lingerBytes > lingerBytesMax) this.destroy();
  }

  #end(): void {
    this.#hasPeerEnded = true;
    if (this.#state === 'open') this.#listener?.readable();
    else this.#socket.end();
  }

  #drained(): void {
    this.#sendDeadline.clear();
    const room = this.#room;
    this.#room = undefined;
    room?.resolve();
  }

  #lose(error: ArchiveError): void {
    if (this.#state === 'open' && this.#lost === undefined) {
      this.#lost = error;
      const room = this.#room;
      this.#room = undefined;
      room?.reject(error);
      this.#listener?.lost(error);
    }
    this.#socket.destroy();
  }

  #close(): void {
    if (this.#state === 'open') this.#lose(new ArchiveError('DICOM_ABORTED', 'the connection was closed'));
    this.#state = 'closed';
    this.#sendDeadline.close();
    this.#lingerDeadline.close();
    this.reader.close();
    this.#buffers?.close();
    assert(this.#room === undefined, 'nobody waits for a connection that is gone');
    this.#closed.resolve();
  }
}

function closedError(): ArchiveError {
  return new ArchiveError('DICOM_ABORTED', 'the association has ended');
}
