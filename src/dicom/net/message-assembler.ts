// MessageAssembler: pieces of fragments in, commands out, each with the data set that follows it while that arrives.
//
// Invariants: a command is given out when its last piece has come, bounded by `commandBytesMax`; fragments of one message follow one another in one
// accepted context, a data set comes when its command says so and not otherwise. Anything else is a ProtocolError.
// Left out on purpose: what a command asks for.

import type { ArchiveError } from '../../base/index.ts';
import { type CommandSet, decodeCommandSet } from './command-set.ts';
import { GrowingBytes } from './growing-bytes.ts';
import { IncomingData } from './incoming-data.ts';
import { commandBytesMax } from './limits.ts';
import type { Piece } from './pdu-reader.ts';
import { messageError, pduError } from './protocol-error.ts';

export type AssembledMessage = {
  readonly contextId: number;
  readonly command: CommandSet;
  readonly data: IncomingData | undefined;
};

export class MessageAssembler {
  readonly #contextIds: { has(id: number): boolean };
  readonly #onHeld: (change: number) => void;
  #state: 'between' | 'command' | 'data' = 'between';
  #contextId = 0;
  /** Of a command that comes in several pieces. */
  readonly #begun = new GrowingBytes();
  #data: IncomingData | undefined;

  constructor(contextIds: { has(id: number): boolean }, onHeld: (change: number) => void) {
    this.#contextIds = contextIds;
    this.#onHeld = onHeld;
  }

  /** A message has begun and not ended. */
  get isMidMessage(): boolean {
    return this.#state !== 'between';
  }

  take(piece: Piece): AssembledMessage | undefined {
    if (this.#state === 'between') {
      if (!this.#contextIds.has(piece.contextId)) {
        throw pduError(
          'invalidParameter',
          `a fragment names presentation context ${piece.contextId}, which was not accepted`,
        );
      }
      this.#contextId = piece.contextId;
      this.#state = 'command';
    }
    if (piece.contextId !== this.#contextId) {
      throw pduError('invalidParameter', 'fragments of two messages are mixed');
    }
    if (piece.isCommand !== (this.#state === 'command')) {
      throw messageError(`a fragment of a ${piece.isCommand ? 'command' : 'data set'} came where the other was due`);
    }
    if (this.#state === 'command') return this.#takeCommand(piece);
    this.#data?.push(piece);
    if (piece.isLast) {
      this.#data = undefined;
      this.#state = 'between';
    }
    return undefined;
  }

  /** No more will come. */
  fail(error: ArchiveError): void {
    this.#data?.fail(error);
    this.#data = undefined;
  }

  #takeCommand(piece: Piece): AssembledMessage | undefined {
    if (this.#begun.sizeBytes + piece.bytes.byteLength > commandBytesMax) {
      throw messageError(`a command has more than ${commandBytesMax} bytes`);
    }
    // Nearly always one piece, read where it lies.
    const isWhole = piece.isLast && this.#begun.sizeBytes === 0;
    if (!isWhole) this.#begun.add(piece.bytes);
    const command = piece.isLast ? decodeCommandSet(isWhole ? piece.bytes : this.#begun.take()) : undefined;
    piece.loan?.release();
    if (command === undefined) return undefined;
    this.#data = command.hasDataSet ? new IncomingData(this.#onHeld) : undefined;
    this.#state = command.hasDataSet ? 'data' : 'between';
    return { contextId: this.#contextId, command, data: this.#data };
  }
}
