// PduReader: chunks of a socket in, PDUs and pieces of P-DATA fragments out, in order.
//
// Invariants: a piece of a fragment is a view of the chunk it came in, given on before its PDU is whole; nothing is copied but heads cut in two by
// chunks, and the bodies of other PDUs, once; what is kept of an unfinished PDU is bounded by `controlPduBytesMax`, and grows only with what has
// arrived; whatever way a stream is cut into chunks, the same PDUs and the same bytes come out.
// What is wrong is told when its head has arrived, as a ProtocolError, and the reader is of no use after that.
// Left out on purpose: which PDU may come when (association-state.ts), and whether fragments make messages (association.ts).

import { assert } from '../../base/index.ts';
import { controlPduBytesMax } from './limits.ts';
import {
  type ControlPduType,
  fragmentFlag,
  fragmentHeadBytes,
  fragmentLengthExtra,
  isPduType,
  type PduType,
  pduHeadBytes,
  pduNames,
  pduType,
  shortPduBodyBytes,
} from './pdu.ts';
import { pduError } from './protocol-error.ts';

/** Memory that a chunk lies in, and that is used again when all who hold a part of it have released it. */
export interface Loan {
  hold(): void;
  release(): void;
}

export type Piece = {
  readonly kind: 'piece';
  readonly contextId: number;
  readonly isCommand: boolean;
  /** The last piece of the last fragment of a command or data set. It may be empty. */
  readonly isLast: boolean;
  readonly bytes: Uint8Array;
  /** Held once for whoever gets the piece. */
  readonly loan: Loan | undefined;
};

export type ControlPdu = { readonly kind: 'pdu'; readonly type: ControlPduType; readonly body: Uint8Array };

type Chunk = { readonly bytes: Uint8Array; readonly loan: Loan | undefined };

const firstBodyBytes = 4096;

export class PduReader {
  readonly #chunks: Chunk[] = [];
  #at = 0;
  /** A head that is cut in two by chunks; heads of PDUs and of fragments have the same length. */
  readonly #head = new Uint8Array(pduHeadBytes);
  #headFilled = 0;
  #state: 'head' | 'body' | 'fragmentHead' | 'fragment' = 'head';
  #type: ControlPduType = pduType.releaseReply;
  #body = new Uint8Array(0);
  #bodyFilled = 0;
  #bodyLength = 0;
  /** Of a P-DATA-TF: bytes not yet read. Of its fragment: the same. */
  #pduLeft = 0;
  #fragmentLeft = 0;
  #contextId = 0;
  #flags = 0;

  /** Takes a chunk that nobody changes until it is read, or, with a loan, released. The loan is held once for the reader. */
  push(bytes: Uint8Array, loan?: Loan): void {
    if (bytes.byteLength === 0) loan?.release();
    else this.#chunks.push({ bytes, loan });
  }

  /** Nothing of a further PDU has been read. */
  get isBetweenPdus(): boolean {
    return this.#state === 'head' && this.#headFilled === 0 && this.#chunks.length === 0;
  }

  /** The next PDU or piece; undefined: more bytes are needed. */
  next(): Piece | ControlPdu | undefined {
    for (;;) {
      switch (this.#state) {
        case 'head':
          if (!this.#fillHead()) return undefined;
          this.#openPdu();
          break;
        case 'body':
          if (!this.#fillBody()) return undefined;
          this.#state = 'head';
          return { kind: 'pdu', type: this.#type, body: this.#body };
        case 'fragmentHead':
          if (!this.#fillHead()) return undefined;
          this.#openFragment();
          break;
        case 'fragment': {
          const piece = this.#nextPiece();
          if (piece === undefined) return undefined;
          // A fragment without bytes, in the middle of a message, says nothing.
          if (piece.bytes.byteLength > 0 || piece.isLast) return piece;
          piece.loan?.release();
          break;
        }
        default:
          assert(false, 'a reader is in one of its states');
      }
    }
  }

  /** Gives back what was not read. */
  close(): void {
    for (const { loan } of this.#chunks) loan?.release();
    this.#chunks.length = 0;
    this.#at = 0;
  }

  #openPdu(): void {
    const [type = 0] = this.#head;
    const length = lengthIn(this.#head, 2);
    if (!isPduType(type)) {
      const hint = type === 0x16 ? ' (TLS is spoken to a port without it)' : '';
      throw pduError('unrecognizedPdu', `a PDU of type ${type} is none${hint}`);
    }
    if (type === pduType.data) {
      if (length < fragmentHeadBytes) {
        throw pduError('invalidParameter', `a P-DATA-TF of ${length} bytes has no room for a fragment`);
      }
      this.#pduLeft = length;
      this.#state = 'fragmentHead';
      return;
    }
    const most = isShort(type) ? shortPduBodyBytes : controlPduBytesMax;
    if (length > most || (isShort(type) && length !== shortPduBodyBytes)) {
      throw pduError('invalidParameter', `${pduNames[type]} says that it has ${length} bytes, at most ${most}`);
    }
    this.#type = type;
    this.#bodyLength = length;
    this.#bodyFilled = 0;
    this.#body = new Uint8Array(Math.min(length, firstBodyBytes));
    this.#state = 'body';
  }

  #openFragment(): void {
    const length = lengthIn(this.#head, 0);
    if (length < fragmentLengthExtra || length > this.#pduLeft - fragmentHeadBytes + fragmentLengthExtra) {
      throw pduError(
        'invalidParameter',
        `a fragment of ${length} bytes lies in a P-DATA-TF with ${this.#pduLeft} left`,
      );
    }
    this.#contextId = this.#head[4] as number;
    this.#flags = this.#head[5] as number;
    this.#fragmentLeft = length - fragmentLengthExtra;
    this.#pduLeft -= fragmentHeadBytes + this.#fragmentLeft;
    this.#state = 'fragment';
  }

  #nextPiece(): Piece | undefined {
    const chunk = this.#chunks[0];
    if (chunk === undefined && this.#fragmentLeft > 0) return undefined;
    const count = chunk === undefined ? 0 : Math.min(this.#fragmentLeft, chunk.bytes.byteLength - this.#at);
    const isWhole = count === this.#fragmentLeft;
    const loan = count === 0 ? undefined : chunk?.loan;
    loan?.hold();
    const piece: Piece = {
      kind: 'piece',
      contextId: this.#contextId,
      isCommand: (this.#flags & fragmentFlag.command) !== 0,
      isLast: isWhole && (this.#flags & fragmentFlag.last) !== 0,
      bytes: chunk === undefined || count === 0 ? noBytes : chunk.bytes.subarray(this.#at, this.#at + count),
      loan,
    };
    this.#fragmentLeft -= count;
    this.#advance(count);
    if (isWhole) this.#state = this.#endOfFragment();
    return piece;
  }

  #endOfFragment(): 'head' | 'fragmentHead' {
    if (this.#pduLeft === 0) return 'head';
    if (this.#pduLeft < fragmentHeadBytes) {
      throw pduError('invalidParameter', `a P-DATA-TF has ${this.#pduLeft} bytes behind its last fragment`);
    }
    return 'fragmentHead';
  }

  #fillHead(): boolean {
    this.#headFilled += this.#copyInto(this.#head, this.#headFilled, pduHeadBytes);
    if (this.#headFilled < pduHeadBytes) return false;
    this.#headFilled = 0;
    return true;
  }

  #fillBody(): boolean {
    for (;;) {
      const copied = this.#copyInto(this.#body, this.#bodyFilled, this.#body.byteLength);
      this.#bodyFilled += copied;
      if (this.#bodyFilled === this.#bodyLength) return true;
      if (this.#bodyFilled < this.#body.byteLength) return false;
      // Doubled as bytes arrive: who announces much and sends little costs little.
      const larger = new Uint8Array(Math.min(this.#bodyLength, this.#body.byteLength * 2));
      larger.set(this.#body);
      this.#body = larger;
    }
  }

  /** Fills `target` from `from` up to `to`, as far as there are bytes. */
  #copyInto(target: Uint8Array, from: number, to: number): number {
    let filled = from;
    while (filled < to) {
      const chunk = this.#chunks[0];
      if (chunk === undefined) break;
      const count = Math.min(to - filled, chunk.bytes.byteLength - this.#at);
      target.set(chunk.bytes.subarray(this.#at, this.#at + count), filled);
      filled += count;
      this.#advance(count);
    }
    return filled - from;
  }

  #advance(count: number): void {
    const chunk = this.#chunks[0];
    if (chunk === undefined) return;
    this.#at += count;
    if (this.#at < chunk.bytes.byteLength) return;
    chunk.loan?.release();
    this.#chunks.shift();
    this.#at = 0;
  }
}

const noBytes = new Uint8Array(0);

function isShort(type: PduType): boolean {
  return type !== pduType.associateRequest && type !== pduType.associateAccept && type !== pduType.data;
}

function lengthIn(bytes: Uint8Array, offset: number): number {
  const at = (index: number): number => bytes[offset + index] as number;
  return at(0) * 0x100_0000 + at(1) * 0x1_0000 + at(2) * 0x100 + at(3);
}
