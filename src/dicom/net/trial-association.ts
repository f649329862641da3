// For tests: both ends of an association on the loopback, and a peer that says raw bytes and listens.
//
// Left out on purpose: anything that the product uses.

import { once } from 'node:events';
import net, { type Socket } from 'node:net';
import { assert, bytesEqual, concatBytes, hexOf } from '../../base/index.ts';
import { encodeAssociateRequest } from './associate-pdu.ts';
import type { Association } from './association.ts';
import { encodeCommandSet } from './command-set.ts';
import type { Timeouts } from './limits.ts';
import { type NegotiationRules, negotiate } from './negotiation.ts';
import { fragmentFlag, pduHeadBytes, writeDataHead } from './pdu.ts';
import { type OpenOptions, openAssociation } from './requestor.ts';
import { type AssociationServer, type ListenOptions, listenAssociations, type Refusal } from './server.ts';
import { dicomApplicationContext, verificationSopClass } from './uid.ts';

export const trialSyntax = { implicit: '1.2.840.10008.1.2', explicit: '1.2.840.10008.1.2.1' } as const;
export const trialClass = {
  verification: verificationSopClass,
  ct: '1.2.840.10008.5.1.4.1.1.2',
  find: '1.2.840.10008.5.1.4.1.2.2.1',
  move: '1.2.840.10008.5.1.4.1.2.2.2',
  get: '1.2.840.10008.5.1.4.1.2.2.3',
  commitment: '1.2.840.10008.1.20.1',
} as const;

export const trialRules: NegotiationRules = {
  served: new Set(Object.values(trialClass).filter((uid) => uid !== trialClass.ct)),
  refused: new Set(['1.2.840.10008.5.1.1.9']),
};

export type TrialServer = {
  readonly server: AssociationServer;
  readonly refusals: Refusal[];
  /** Ends of associations, in order; undefined for a release. */
  readonly ends: (Error | undefined)[];
  /** Mistakes; a test that expects none asserts that it is empty. */
  readonly faults: unknown[];
  /** Resolves when so many associations have ended. */
  ended(count?: number): Promise<void>;
  close(): Promise<void>;
};

export async function startServer(
  serve: (association: Association) => Promise<void>,
  options: Partial<ListenOptions> = {},
): Promise<TrialServer> {
  const refusals: Refusal[] = [];
  const ends: (Error | undefined)[] = [];
  const faults: unknown[] = [];
  let wake = (): void => undefined;
  const ended = async (count = 1): Promise<void> => {
    while (ends.length < count) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  const server = await listenAssociations({
    host: '127.0.0.1',
    port: 0,
    decide: (request) => ({ kind: 'accept', ...negotiate(request, trialRules) }),
    serve,
    onRefused: (refusal) => refusals.push(refusal),
    onEnded: (_, error) => {
      ends.push(error);
      wake();
    },
    onFault: (error) => faults.push(error),
    ...options,
  });
  return { server, refusals, ends, faults, ended, close: () => server.close(10_000) };
}

export function proposals(sopClasses: readonly string[] = Object.values(trialClass)): OpenOptions['contexts'] {
  return sopClasses.map((abstractSyntax, index) => ({
    id: index * 2 + 1,
    abstractSyntax,
    transferSyntaxes: [trialSyntax.explicit, trialSyntax.implicit],
  }));
}

export function openTrial(
  { server }: { readonly server: AssociationServer },
  options: Partial<OpenOptions> = {},
): Promise<Association> {
  return openAssociation({
    host: '127.0.0.1',
    port: server.address.port,
    calling: 'TRIAL',
    called: 'STELE',
    contexts: proposals(),
    ...options,
  });
}

/** Timers far away, so that a test moves the clock to the one it means. */
export const trialTimeouts: Timeouts = {
  connectMs: 1e9,
  associationMs: 1e9,
  idleMs: 1e9,
  stallMs: 1e9,
  responseMs: 1e9,
  sendMs: 1e9,
};

/** A peer made of bytes. */
export class RawPeer {
  readonly socket: Socket;
  #bytes: Uint8Array = new Uint8Array(0);
  #hasEnded = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.#bytes = concatBytes([this.#bytes, chunk]);
    });
    socket.on('end', () => {
      this.#hasEnded = true;
    });
    socket.on('error', () => {
      this.#hasEnded = true;
    });
  }

  static async connect({ server }: { readonly server: AssociationServer }): Promise<RawPeer> {
    const socket = net.connect(server.address.port, '127.0.0.1');
    await once(socket, 'connect');
    return new RawPeer(socket);
  }

  send(...parts: readonly Uint8Array[]): void {
    for (const part of parts) this.socket.write(part);
  }

  /** Sends a request for the trial's contexts and takes the answer. */
  async associate(pduBytesMax = 0): Promise<void> {
    this.send(associateRequest(pduBytesMax));
    const answer = await this.pdu();
    assert(answer?.[0] === 2, 'the association is accepted');
  }

  /** The next PDU; undefined when the connection has ended. */
  async pdu(): Promise<Uint8Array | undefined> {
    for (;;) {
      if (this.#bytes.byteLength >= pduHeadBytes) {
        const length = pduHeadBytes + Buffer.from(this.#bytes).readUInt32BE(2);
        if (this.#bytes.byteLength >= length) {
          const pdu = this.#bytes.subarray(0, length);
          this.#bytes = this.#bytes.subarray(length);
          return pdu;
        }
      }
      if (this.#hasEnded) return undefined;
      await Promise.race([once(this.socket, 'data'), once(this.socket, 'close')]).catch(() => undefined);
    }
  }

  /** The next PDU in hex, for the short ones. */
  async hex(): Promise<string> {
    const pdu = await this.pdu();
    return pdu === undefined ? 'end' : hexOf(pdu);
  }

  close(): void {
    this.socket.destroy();
  }
}

export function associateRequest(pduBytesMax = 0): Uint8Array {
  return encodeAssociateRequest({
    protocolVersion: 1,
    called: 'STELE',
    calling: 'RAW',
    applicationContext: dicomApplicationContext,
    contexts: proposals(),
    user: { pduBytesMax, implementationClass: '1.2.3' },
  });
}

/** One P-DATA-TF with one fragment. */
export function fragmentPdu(contextId: number, kind: 'command' | 'data', bytes: Uint8Array, isLast = true): Uint8Array {
  const pdu = new Uint8Array(12 + bytes.byteLength);
  const flags = (kind === 'command' ? fragmentFlag.command : 0) | (isLast ? fragmentFlag.last : 0);
  writeDataHead(pdu, 0, { contextId, flags, count: bytes.byteLength });
  pdu.set(bytes, 12);
  return pdu;
}

export function commandPdu(contextId: number, command: Parameters<typeof encodeCommandSet>[0]): Uint8Array {
  return fragmentPdu(contextId, 'command', encodeCommandSet(command));
}

/** The id that `proposals()` gives to a SOP class. */
export function contextIdOf(sopClass: string): number {
  return Object.values(trialClass).indexOf(sopClass as never) * 2 + 1;
}

/** Bytes that are told apart by their place. */
export function patterned(count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  for (let index = 0; index < count; index += 1) bytes[index] = (index * 7 + (index >> 8) * 13) & 0xff;
  return bytes;
}

export function isPatterned(bytes: Uint8Array): boolean {
  return bytesEqual(bytes, patterned(bytes.byteLength));
}
