// sendMessage(): a command and its data set as P-DATA-TFs on a connection.
//
// Invariants: no PDU is longer than the peer takes; every fragment but the last has an even length; the command and the first bytes of the data set
// go out in one write; bytes of the data set are not copied; memory is bounded by the connection's send limit, and one PDU of the source.
// A data set without a byte is none: the command says so, since an empty fragment is what many peers stumble over.
// Left out on purpose: whose turn it is (association.ts).

import { assert } from '../../base/index.ts';
import { type CommandSet, encodeCommandSet } from './command-set.ts';
import type { Connection } from './connection.ts';
import { sendPduBytesMax } from './limits.ts';
import { dataHeadBytes, fragmentFlag, fragmentHeadBytes, writeDataHead } from './pdu.ts';

/** The bytes of a data set, at once or as they are read. They must stay as they are until the message is answered. */
export type OutgoingData = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

export type OutgoingMessage = {
  readonly contextId: number;
  /** `hasDataSet` is set here, by whether there is a data set. */
  readonly command: Omit<CommandSet, 'hasDataSet'>;
  readonly data: OpenedData | undefined;
};

/** What fits into one fragment that fills a PDU, for a peer's maximum (0: none). */
export function fragmentCapacity(peerPduBytesMax: number): number {
  const pduBytes = peerPduBytesMax === 0 ? sendPduBytesMax : Math.min(peerPduBytesMax, sendPduBytesMax);
  const capacity = (pduBytes - fragmentHeadBytes) & ~1;
  assert(capacity >= 2, 'a peer takes at least two bytes a fragment');
  return capacity;
}

/**
 * Resolves when all of it is on its way; the connection's errors and the source's. After an error the peer has a part of the message, so only an
 * abort helps.
 */
export async function sendMessage(connection: Connection, message: OutgoingMessage, capacity: number): Promise<void> {
  const { contextId, data } = message;
  const command = encodeCommandSet({ ...message.command, hasDataSet: data !== undefined }, dataHeadBytes);
  await writeCommand(connection, contextId, command, capacity);
  if (data === undefined) return;
  const fragments = new Fragments(connection, contextId, capacity);
  let piece: Uint8Array | undefined = data.first;
  while (piece !== undefined) {
    await fragments.add(piece);
    piece = await data.next();
  }
  await fragments.end();
}

async function writeCommand(
  connection: Connection,
  contextId: number,
  command: Uint8Array,
  capacity: number,
): Promise<void> {
  const count = command.byteLength - dataHeadBytes;
  if (count <= capacity) {
    writeDataHead(command, 0, { contextId, flags: fragmentFlag.command | fragmentFlag.last, count });
    connection.write(command);
    const room = connection.room();
    if (room !== undefined) await room;
  } else {
    const fragments = new Fragments(connection, contextId, capacity, fragmentFlag.command);
    await fragments.add(command.subarray(dataHeadBytes));
    await fragments.end();
  }
}

/** Pieces of any length in, PDUs of full length out; one is held back, since the last fragment says that it is. */
class Fragments {
  readonly #connection: Connection;
  readonly #contextId: number;
  readonly #capacity: number;
  readonly #flags: number;
  readonly #held: Uint8Array[] = [];
  #heldBytes = 0;

  constructor(connection: Connection, contextId: number, capacity: number, flags = 0) {
    this.#connection = connection;
    this.#contextId = contextId;
    this.#capacity = capacity;
    this.#flags = flags;
  }

  async add(piece: Uint8Array): Promise<void> {
    this.#held.push(piece);
    this.#heldBytes += piece.byteLength;
    while (this.#heldBytes > this.#capacity) {
      this.#write(this.#capacity, this.#flags);
      const room = this.#connection.room();
      if (room !== undefined) await room;
    }
  }

  async end(): Promise<void> {
    this.#write(this.#heldBytes, this.#flags | fragmentFlag.last);
    const room = this.#connection.room();
    if (room !== undefined) await room;
  }

  #write(count: number, flags: number): void {
    const head = Buffer.allocUnsafe(dataHeadBytes);
    writeDataHead(head, 0, { contextId: this.#contextId, flags, count });
    this.#connection.write(head);
    let left = count;
    while (left > 0) {
      const first = this.#held[0];
      assert(first !== undefined, 'what is written is held');
      if (first.byteLength <= left) {
        this.#connection.write(first);
        this.#held.shift();
        left -= first.byteLength;
      } else {
        this.#connection.write(first.subarray(0, left));
        this.#held[0] = first.subarray(left);
        left = 0;
      }
    }
    this.#heldBytes -= count;
  }
}

/** A data set of which the first piece is there, so that whatever keeps it from being read at all shows before anything is sent. */
export type OpenedData = {
  readonly first: Uint8Array;
  /** The next piece that has a byte. */
  next(): Promise<Uint8Array | undefined>;
  /** Lets the source go, whether or not it was read to its end. */
  close(): Promise<void>;
};

/** Undefined for a data set without a byte. */
export async function openData(data: OutgoingData): Promise<OpenedData | undefined> {
  if (data instanceof Uint8Array) return openData([data]);
  const iterator =
    Symbol.asyncIterator in data
      ? (data[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>)
      : (data[Symbol.iterator]() as Iterator<Uint8Array>);
  let isOpen = true;
  const next = async (): Promise<Uint8Array | undefined> => {
    for (;;) {
      const step = await iterator.next();
      if (step.done === true) {
        isOpen = false;
        return undefined;
      }
      if (step.value.byteLength > 0) return step.value;
    }
  };
  const first = await next();
  if (first === undefined) return undefined;
  return {
    first,
    next,
    close: async () => {
      if (isOpen) await iterator.return?.();
    },
  };
}
