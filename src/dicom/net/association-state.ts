// The states of an association and what each makes of the PDU that comes (PS3.8 9.2, table 9-10), as one table.
//
//   state              PS3.8       entered when
//   awaiting-request   Sta2        a connection came in
//   deciding           Sta3        its A-ASSOCIATE-RQ is being judged
//   awaiting-answer    Sta5        we sent an A-ASSOCIATE-RQ
//   open               Sta6        accepted, by either side
//   releasing          Sta7        we sent an A-RELEASE-RQ
//   release-asked      Sta8        the peer sent one, and we have answers to give first
//   release-crossed    Sta10, 11   both sent one: the requestor replied at once and waits for the reply; the acceptor waits first, then replies
//   closing            Sta13       the last word was sent; whatever comes is ignored
//
// Invariants: a PDU that a state does not expect leads to an A-ABORT (actions AA-1 and AA-8), an A-ABORT of the peer ends every state.
// Left out on purpose: doing it (association.ts, requestor.ts, server.ts), timers.

import { type ControlPduType, type PduType, pduNames, pduType } from './pdu.ts';
import { pduError } from './protocol-error.ts';

export type AssociationState =
  | 'awaiting-request'
  | 'deciding'
  | 'awaiting-answer'
  | 'open'
  | 'releasing'
  | 'release-asked'
  | 'release-crossed'
  | 'closing';

const expected: Record<AssociationState, readonly PduType[]> = {
  'awaiting-request': [pduType.associateRequest],
  deciding: [],
  'awaiting-answer': [pduType.associateAccept, pduType.associateReject],
  open: [pduType.data, pduType.releaseRequest],
  // AR-6: a peer may have had something on its way when we asked for the release.
  releasing: [pduType.data, pduType.releaseRequest, pduType.releaseReply],
  'release-asked': [],
  'release-crossed': [pduType.releaseReply],
  closing: [
    pduType.associateRequest,
    pduType.associateAccept,
    pduType.associateReject,
    pduType.data,
    pduType.releaseRequest,
    pduType.releaseReply,
  ],
};

/** Throws a ProtocolError for a PDU that the state does not expect. */
export function expectPdu(state: AssociationState, type: PduType): void {
  if (type === pduType.abort || expected[state].includes(type)) return;
  throw pduError('unexpectedPdu', `${pduNames[type]} came while the association was ${state}`);
}

/** The type of what a reader gives. */
export function typeOfRead(
  read: { readonly kind: 'piece' } | { readonly kind: 'pdu'; readonly type: ControlPduType },
): PduType {
  return read.kind === 'piece' ? pduType.data : read.type;
}
