// ProtocolError: what a peer did that PS3.7 or PS3.8 does not allow, with the A-ABORT that answers it.
//
// Invariants: the message says which PDU, item or command was wrong and by which numbers, and repeats no text that the peer sent.

import { ArchiveError } from '../../base/index.ts';

/** PS3.8 table 9-26, for the service provider. */
export const abortReason = {
  notSpecified: 0,
  unrecognizedPdu: 1,
  unexpectedPdu: 2,
  unrecognizedParameter: 4,
  unexpectedParameter: 5,
  invalidParameter: 6,
} as const;
export type AbortReason = (typeof abortReason)[keyof typeof abortReason];

/** `user`: the application ends it (no reason is sent). `provider`: the protocol was broken. */
export type Abort = { readonly source: 'user' } | { readonly source: 'provider'; readonly reason: AbortReason };

export class ProtocolError extends ArchiveError {
  readonly abort: Abort;

  constructor(abort: Abort, message: string) {
    super('DICOM_PROTOCOL', message);
    this.abort = abort;
  }
}

/** Broken at the level of PDUs. */
export function pduError(reason: keyof typeof abortReason, message: string): ProtocolError {
  return new ProtocolError({ source: 'provider', reason: abortReason[reason] }, message);
}

/** Broken at the level of DIMSE messages, for which PS3.8 has no reasons. */
export function messageError(message: string): ProtocolError {
  return new ProtocolError({ source: 'user' }, message);
}
