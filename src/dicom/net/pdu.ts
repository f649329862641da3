// The seven PDUs of the upper layer (PS3.8 9.3): their numbers, heads, and the short ones whole. All numbers are big-endian.
//
//   head            type(1) 0(1) length(4), the bytes that follow
//   A-ASSOCIATE-RJ  03H: 0(1) result(1) source(1) reason(1)
//   P-DATA-TF       04H: fragments: length(4), then context(1) flags(1) bytes; bit 0 of flags: command, bit 1: last of it
//   A-RELEASE-RQ    05H: 0(4);  A-RELEASE-RP 06H: 0(4)
//   A-ABORT         07H: 0(1) 0(1) source(1) reason(1)
//
// Left out on purpose: A-ASSOCIATE-RQ and -AC (associate-pdu.ts), reading a stream (pdu-reader.ts).

import type { Abort, AbortReason } from './protocol-error.ts';

export const pduType = {
  associateRequest: 1,
  associateAccept: 2,
  associateReject: 3,
  data: 4,
  releaseRequest: 5,
  releaseReply: 6,
  abort: 7,
} as const;
export type PduType = (typeof pduType)[keyof typeof pduType];
/** Those that come whole. */
export type ControlPduType = Exclude<PduType, 4>;

export const pduNames: Record<PduType, string> = {
  1: 'A-ASSOCIATE-RQ',
  2: 'A-ASSOCIATE-AC',
  3: 'A-ASSOCIATE-RJ',
  4: 'P-DATA-TF',
  5: 'A-RELEASE-RQ',
  6: 'A-RELEASE-RP',
  7: 'A-ABORT',
};

export const pduHeadBytes = 6;
export const fragmentHeadBytes = 6;
/** What the length of a fragment counts beside its bytes: context and flags. */
export const fragmentLengthExtra = 2;
export const shortPduBodyBytes = 4;
export const fragmentFlag = { command: 1, last: 2 } as const;

export function isPduType(value: number): value is PduType {
  return value >= pduType.associateRequest && value <= pduType.abort;
}

/** PS3.8 table 9-21. */
export const rejectReasons = {
  noReason: { source: 1, reason: 1 },
  applicationContext: { source: 1, reason: 2 },
  callingAe: { source: 1, reason: 3 },
  calledAe: { source: 1, reason: 7 },
  provider: { source: 2, reason: 1 },
  protocolVersion: { source: 2, reason: 2 },
  congestion: { source: 3, reason: 1 },
  localLimit: { source: 3, reason: 2 },
} as const;
export type RejectReason = keyof typeof rejectReasons;

export type Rejection = { readonly result: 'permanent' | 'transient'; readonly reason: RejectReason };

/** What a peer may send instead: numbers of no reason that we know. */
export type ReceivedRejection = {
  readonly result: 'permanent' | 'transient';
  readonly reason: RejectReason | 'unknown';
  readonly source: number;
  readonly number: number;
};

export function encodeReject({ result, reason }: Rejection): Uint8Array {
  const { source, reason: number } = rejectReasons[reason];
  return shortPdu(pduType.associateReject, [0, result === 'permanent' ? 1 : 2, source, number]);
}

export function encodeReleaseRequest(): Uint8Array {
  return shortPdu(pduType.releaseRequest, [0, 0, 0, 0]);
}

export function encodeReleaseReply(): Uint8Array {
  return shortPdu(pduType.releaseReply, [0, 0, 0, 0]);
}

export function encodeAbort(abort: Abort): Uint8Array {
  const [source, reason] = abort.source === 'user' ? [0, 0] : [2, abort.reason];
  return shortPdu(pduType.abort, [0, 0, source, reason]);
}

function shortPdu(type: PduType, body: readonly number[]): Uint8Array {
  return Uint8Array.from([type, 0, 0, 0, 0, shortPduBodyBytes, ...body]);
}

export function decodeReject(body: Uint8Array): ReceivedRejection {
  const [, result, source = 0, number = 0] = body;
  const known = Object.entries(rejectReasons).find(([, each]) => each.source === source && each.reason === number);
  const reason = (known?.[0] as RejectReason | undefined) ?? 'unknown';
  return { result: result === 2 ? 'transient' : 'permanent', reason, source, number };
}

export function decodeAbort(body: Uint8Array): Abort {
  const [, , source, reason = 0] = body;
  return source === 2 ? { source: 'provider', reason: reason as AbortReason } : { source: 'user' };
}

/** The head of a P-DATA-TF with one fragment, and that fragment's. */
export const dataHeadBytes = pduHeadBytes + fragmentHeadBytes;

/** Writes both heads for a fragment of `count` bytes at `offset`. */
export function writeDataHead(
  into: Uint8Array,
  offset: number,
  fragment: { readonly contextId: number; readonly flags: number; readonly count: number },
): void {
  const { contextId, flags, count } = fragment;
  into[offset] = pduType.data;
  into[offset + 1] = 0;
  writeU32(into, offset + 2, count + fragmentHeadBytes);
  writeU32(into, offset + 6, count + fragmentLengthExtra);
  into[offset + 10] = contextId;
  into[offset + 11] = flags;
}

function writeU32(into: Uint8Array, offset: number, value: number): void {
  into[offset] = value >>> 24;
  into[offset + 1] = value >>> 16;
  into[offset + 2] = value >>> 8;
  into[offset + 3] = value;
}
