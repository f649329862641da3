// openAssociation(): from an address to an open association, as the side that asks for it.
//
// Invariants: what is accepted lies within what was proposed; whatever goes wrong, no socket is left behind; a refusal says what the peer's numbers
// mean.
// Left out on purpose: which contexts to propose (plan-contexts.ts), and trying again.

import net, { type Socket } from 'node:net';
import tls from 'node:tls';
import { ArchiveError, assert, type Clock, systemClock, toArchiveError } from '../../base/index.ts';
import { implementationClassUid, implementationVersionName, isUid } from '../data/uid.ts';
import {
  type AssociateAccept,
  type ContextProposal,
  decodeAssociateAccept,
  encodeAssociateRequest,
} from './associate-pdu.ts';
import { Association } from './association.ts';
import { Connection } from './connection.ts';
import { Deadline } from './deadline.ts';
import type { AcceptedContext } from './incoming-message.ts';
import { contextsMax, peerPduBytesMin, receivePduBytesDefault, type Timeouts, timeoutsDefault } from './limits.ts';
import { awaitPdu, lastWords } from './opening.ts';
import { decodeReject, pduType, type ReceivedRejection } from './pdu.ts';
import { pduError } from './protocol-error.ts';
import { ReceiveBuffers } from './receive-buffers.ts';
import { type TlsClientOptions, tlsClientOptions } from './tls-options.ts';
import { dicomApplicationContext } from './uid.ts';
import type { ExtendedNegotiation, RoleSelection, UserIdentity } from './user-information.ts';

export type OpenOptions = {
  readonly host: string;
  readonly port: number;
  readonly tls?: TlsClientOptions | undefined;
  /** Our AE title, and the peer's. */
  readonly calling: string;
  readonly called: string;
  /** At most 128; see `planContexts`. */
  readonly contexts: readonly ContextProposal[];
  readonly roles?: readonly RoleSelection[];
  readonly extended?: readonly ExtendedNegotiation[];
  readonly identity?: UserIdentity | undefined;
  readonly timeouts?: Partial<Timeouts>;
  /** What we announce as the longest PDU that we take. */
  readonly pduBytesMax?: number;
  /** Gives up opening; once it is open, aborts it. */
  readonly signal?: AbortSignal | undefined;
  readonly clock?: Clock;
};

export class AssociationRejected extends ArchiveError {
  readonly rejection: ReceivedRejection;

  constructor(rejection: ReceivedRejection) {
    const text = rejectTexts[rejection.reason] ?? `source ${rejection.source}, reason ${rejection.number}`;
    super(
      rejection.result === 'transient' ? 'DICOM_BUSY' : 'DICOM_REJECTED',
      `the peer refused the association: ${text}`,
    );
    this.rejection = rejection;
  }
}

const rejectTexts: Partial<Record<ReceivedRejection['reason'], string>> = {
  noReason: 'no reason given',
  applicationContext: 'it does not know the application context',
  callingAe: 'it does not know the calling AE title',
  calledAe: 'it does not go by the called AE title',
  provider: 'no reason given by its protocol machine',
  protocolVersion: 'it does not speak this version of the protocol',
  congestion: 'it is congested',
  localLimit: 'it has as many associations as it takes',
};

/**
 * ARGUMENT_INVALID for titles and UIDs that are none, DICOM_UNREACHABLE, DICOM_TIMEOUT, DICOM_REJECTED or DICOM_BUSY (as `AssociationRejected`), DICOM_ABORTED, DICOM_PROTOCOL; the signal's reason when
 * that was first. Safe to repeat.
 */
export async function openAssociation(options: OpenOptions): Promise<Association> {
  assert(
    options.contexts.length > 0 && options.contexts.length <= contextsMax,
    'an association proposes 1 to 128 contexts',
  );
  checkNames(options);
  const clock = options.clock ?? systemClock;
  const timeouts = { ...timeoutsDefault, ...options.timeouts };
  const buffers = options.tls === undefined ? new ReceiveBuffers() : undefined;
  const socket = await connect(options, clock, timeouts, buffers);
  const connection = new Connection(socket, { clock, timeouts, buffers });
  connection.write(
    encodeAssociateRequest({
      protocolVersion: 1,
      called: options.called,
      calling: options.calling,
      applicationContext: dicomApplicationContext,
      contexts: options.contexts,
      user: {
        pduBytesMax: options.pduBytesMax ?? receivePduBytesDefault,
        implementationClass: implementationClassUid,
        implementationVersion: implementationVersionName,
        roles: options.roles ?? [],
        extended: options.extended ?? [],
        ...(options.identity === undefined ? {} : { identity: options.identity }),
      },
    }),
  );
  const answer = await awaitPdu(connection, 'awaiting-answer', options.signal);
  if (answer.type === pduType.associateReject) {
    connection.close();
    throw new AssociationRejected(decodeReject(answer.body));
  }
  try {
    return open(connection, decodeAssociateAccept(answer.body), options, socket.remoteAddress ?? options.host);
  } catch (error) {
    connection.close(lastWords(error));
    throw error;
  }
}

/** Titles come from people, and UIDs from data sets: neither is sure to be what the protocol can say. */
function checkNames({ calling, called, contexts }: OpenOptions): void {
  for (const title of [calling, called]) {
    if (!/^[\x20-\x7e]{1,16}$/.test(title) || title.trim() === '') {
      throw new ArchiveError('ARGUMENT_INVALID', 'an AE title has 1 to 16 characters of ASCII', {
        hint: 'correct the AE title',
      });
    }
  }
  for (const { abstractSyntax, transferSyntaxes } of contexts) {
    if (isUid(abstractSyntax) && transferSyntaxes.every(isUid)) continue;
    throw new ArchiveError('ARGUMENT_INVALID', 'a SOP class or transfer syntax to propose is no UID', {
      hint: 'leave it out of what is to be sent',
    });
  }
}

function open(
  connection: Connection,
  accept: AssociateAccept,
  options: OpenOptions,
  remoteAddress: string,
): Association {
  const { user } = accept;
  if (user.pduBytesMax > 0 && user.pduBytesMax < peerPduBytesMin) {
    throw pduError('invalidParameter', `the peer takes PDUs of ${user.pduBytesMax} bytes at most`);
  }
  const association = new Association(connection, {
    role: 'requestor',
    called: options.called,
    calling: options.calling,
    remoteAddress,
    contexts: acceptedContexts(accept, options),
    peerPduBytesMax: user.pduBytesMax,
    peerImplementation: { class: user.implementationClass, version: user.implementationVersion },
    extended: user.extended ?? [],
    identity: undefined,
    identityAnswer: user.identityAnswer,
  });
  const { signal } = options;
  if (signal !== undefined) {
    const onAbort = (): void =>
      association.abort(toArchiveError(signal.reason, 'CLOSED', 'the association was given up'));
    signal.addEventListener('abort', onAbort);
    void association.ended.then(() => signal.removeEventListener('abort', onAbort));
    if (signal.aborted) onAbort();
  }
  return association;
}

/** What a peer accepts beyond what was proposed is as if it had not. */
function acceptedContexts(accept: AssociateAccept, options: OpenOptions): ReadonlyMap<number, AcceptedContext> {
  const contexts = new Map<number, AcceptedContext>();
  for (const { id, result, transferSyntax } of accept.contexts) {
    const proposal = options.contexts.find((each) => each.id === id);
    if (result !== 'accepted' || proposal === undefined || !proposal.transferSyntaxes.includes(transferSyntax))
      continue;
    const { abstractSyntax } = proposal;
    const asked = options.roles?.find((each) => each.sopClass === abstractSyntax);
    const given = accept.user.roles?.find((each) => each.sopClass === abstractSyntax);
    // Without an answer, or without a question, the requestor is user and the acceptor provider (PS3.7 D.3.3.4).
    const roles = asked !== undefined && given !== undefined ? given : { scu: true, scp: false };
    contexts.set(id, { id, abstractSyntax, transferSyntax, isUser: roles.scu, isProvider: roles.scp });
  }
  return contexts;
}

async function connect(
  options: OpenOptions,
  clock: Clock,
  timeouts: Timeouts,
  buffers: ReceiveBuffers | undefined,
): Promise<Socket> {
  const { host, port, signal } = options;
  if (signal?.aborted === true) throw toArchiveError(signal.reason, 'CLOSED', 'opening an association was given up');
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket =
    options.tls === undefined
      ? net.connect({ host, port, noDelay: true, onread: buffers?.onread })
      : tls.connect({ ...tlsClientOptions(options.tls), host, port });
  const onAbort = (): void => reject(toArchiveError(signal?.reason, 'CLOSED', 'opening an association was given up'));
  const deadline = new Deadline(clock, () => {
    reject(new ArchiveError('DICOM_TIMEOUT', `no connection within ${timeouts.connectMs} ms`));
  });
  const onError = (cause: Error): void => reject(unreachable(cause));
  const onClose = (): void => reject(unreachable(undefined));
  socket.once(options.tls === undefined ? 'connect' : 'secureConnect', resolve);
  socket.once('error', onError);
  socket.once('close', onClose);
  signal?.addEventListener('abort', onAbort);
  deadline.set(timeouts.connectMs);
  try {
    await promise;
    return socket;
  } catch (error) {
    // Errors that come after we gave up are of no interest, and must not be left without a listener.
    socket.on('error', () => undefined);
    socket.destroy();
    throw error;
  } finally {
    deadline.close();
    signal?.removeEventListener('abort', onAbort);
    socket.off('error', onError);
    socket.off('close', onClose);
  }
}

function unreachable(cause: Error | undefined): ArchiveError {
  const code = cause === undefined ? 'closed' : ((cause as NodeJS.ErrnoException).code ?? cause.name);
  return new ArchiveError('DICOM_UNREACHABLE', `the peer cannot be reached (${code})`, { cause });
}
