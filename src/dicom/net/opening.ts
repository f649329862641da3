// Opening: what happens on a connection before there is an association, for either role: one PDU awaited at a time, by ARTIM.
//
// Invariants: a PDU that is not expected gets an A-ABORT; a connection that fails or is silent ends here with an error.
// Left out on purpose: what to ask and answer (requestor.ts, server.ts).

import { ArchiveError, isArchiveError, toArchiveError } from '../../base/index.ts';
import { type AssociationState, expectPdu, typeOfRead } from './association-state.ts';
import type { Connection } from './connection.ts';
import { Deadline } from './deadline.ts';
import { decodeAbort, encodeAbort, pduType } from './pdu.ts';
import type { ControlPdu } from './pdu-reader.ts';
import { ProtocolError } from './protocol-error.ts';

/**
 * The next PDU, which the state expects. DICOM_PROTOCOL for another, DICOM_TIMEOUT when none comes within ARTIM, DICOM_ABORTED when the peer aborts
 * or hangs up; the connection is closed then.
 */
export function awaitPdu(connection: Connection, state: AssociationState, signal?: AbortSignal): Promise<ControlPdu> {
  const { promise, resolve, reject } = Promise.withResolvers<ControlPdu>();
  const fail = (error: ArchiveError): void => {
    connection.close(lastWords(error));
    reject(error);
  };
  const deadline = new Deadline(connection.clock, () => {
    fail(new ArchiveError('DICOM_TIMEOUT', `nothing came within ${connection.timeouts.associationMs} ms of opening`));
  });
  const onAbort = (): void => fail(toArchiveError(signal?.reason, 'CLOSED', 'opening an association was given up'));
  const readable = (): void => {
    try {
      const pdu = nextPdu(connection, state);
      if (pdu !== undefined) resolve(pdu);
    } catch (error) {
      fail(toArchiveError(error, 'INTERNAL', 'opening an association failed'));
    }
  };
  deadline.set(connection.timeouts.associationMs);
  signal?.addEventListener('abort', onAbort);
  connection.listen({ readable, lost: reject, isMidMessage: false });
  if (signal?.aborted === true) onAbort();
  else if (connection.lostError !== undefined) reject(connection.lostError);
  else {
    connection.resume();
    readable();
  }
  return promise.finally(() => {
    deadline.close();
    signal?.removeEventListener('abort', onAbort);
    connection.pause();
  });
}

/**
 * What `decision` resolves to, while the peer is watched: it must say nothing but A-ABORT now (PS3.8 Sta3), and may hang up. Errors as `awaitPdu`,
 * and those of the decision.
 */
export async function watchPeer<T>(connection: Connection, decision: Promise<T>): Promise<T> {
  const { promise: gone, reject } = Promise.withResolvers<never>();
  const readable = (): void => {
    try {
      nextPdu(connection, 'deciding');
    } catch (error) {
      const known = toArchiveError(error, 'INTERNAL', 'opening an association failed');
      connection.close(lastWords(known));
      reject(known);
    }
  };
  connection.listen({ readable, lost: reject, isMidMessage: false });
  connection.resume();
  readable();
  try {
    return await Promise.race([decision, gone]);
  } finally {
    connection.pause();
  }
}

/** The A-ABORT for an error; none for a peer that has said its own or has gone. */
export function lastWords(error: unknown): Uint8Array | undefined {
  if (error instanceof ProtocolError) return encodeAbort(error.abort);
  return isArchiveError(error, 'DICOM_ABORTED') ? undefined : encodeAbort({ source: 'user' });
}

function nextPdu(connection: Connection, state: AssociationState): ControlPdu | undefined {
  const read = connection.reader.next();
  if (read === undefined) {
    if (!connection.hasPeerEnded) return undefined;
    throw new ArchiveError('DICOM_ABORTED', 'the peer closed the connection while the association was opened');
  }
  expectPdu(state, typeOfRead(read));
  // A piece is never expected here.
  const pdu = read as ControlPdu;
  if (pdu.type !== pduType.abort) return pdu;
  const abort = decodeAbort(pdu.body);
  const by = abort.source === 'user' ? 'the application' : `the protocol machine, reason ${abort.reason}`;
  throw new ArchiveError('DICOM_ABORTED', `the peer aborted while the association was opened (${by})`);
}
