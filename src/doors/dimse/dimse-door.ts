// The DICOM door: associations in, requests to the archive, answers out.
//
// Invariants: nobody is served whom the archive does not admit, and every refusal is kept there with its reason; one association's failure is its
// own; nothing of what a peer sent is in what is told to `onFault`. A stop lets what is being answered end.
// Left out on purpose: the protocol (dicom's upper layer), and everything that lasts (the archive).

import {
  type ApplicationEntity,
  type ArchiveGate,
  background,
  ofEntity,
  type Principal,
  visitor,
} from '../../archive/index.ts';
import type { Clock, TenantId } from '../../base/index.ts';
import {
  type Association,
  type AssociationCounts,
  type AssociationServer,
  type Decision,
  dimseStatus,
  type IncomingMessage,
  type IncomingRequest,
  isOtherThanStorage,
  listenAssociations,
  negotiate,
  type TlsClientOptions,
  type TlsServerOptions,
} from '../../dicom/index.ts';
import { CommitmentReports } from './commitment-service.ts';
import { answerFind } from './find-service.ts';
import { ForwardingSender } from './forwarding-service.ts';
import { answerStep } from './procedure-step-service.ts';
import { answerGet, answerMove } from './retrieve-service.ts';
import type { Served } from './served.ts';
import { performedStep, queryClass, servedClasses, storageCommitment, verification } from './sop-classes.ts';
import { answerStore } from './store-service.ts';

export type DimseOptions = {
  /** The archive now; throws BUSY while it is being made again. */
  readonly archive: () => ArchiveGate;
  readonly host: string;
  readonly port: number;
  /** Our own title, for what we call and answer. */
  readonly title: string;
  /** A second listener, over TLS. */
  readonly tls?: { readonly port: number; readonly server: TlsServerOptions } | undefined;
  /** For calling peers that the table says to call over TLS. */
  readonly tlsClient: TlsClientOptions;
  readonly clock: Clock;
  readonly onFault: (what: string, error: unknown) => void;
};

export type DimseDoor = {
  readonly host: string;
  readonly port: number;
  readonly tlsPort: number | undefined;
  readonly close: () => Promise<void>;
};

const stopMsMax = 5000;
const committing = background('commitments');
const forwarding = background('forwarding');

type Admitted = { readonly entity: ApplicationEntity; readonly tenant: TenantId; readonly principal: Principal };

/** DATA_LOCKED when the port is taken. */
export async function openDimse(options: DimseOptions): Promise<DimseDoor> {
  const admitted = new WeakMap<IncomingRequest, Admitted>();
  const { archive, title, tlsClient, clock } = options;
  const reports = new CommitmentReports({
    archive: () => archive().as(committing),
    title,
    tlsClient,
    clock,
    onFault: (error) => options.onFault('storage commitment', error),
  });
  const sender = new ForwardingSender({
    archive: () => archive().as(forwarding),
    title,
    tlsClient,
    clock,
    onFault: (error) => options.onFault('forwarding', error),
  });
  const listen = (port: number, tls: TlsServerOptions | undefined): Promise<AssociationServer> =>
    listenAssociations({
      host: options.host,
      port,
      tls,
      clock: options.clock,
      decide: (request, counts) => decide(request, counts, options, admitted),
      serve: async (association, request) => {
        const who = admitted.get(request);
        if (who !== undefined) await serve(association, who, options, reports);
      },
      onFault: (error) => options.onFault('association', error),
    });
  const servers: AssociationServer[] = [];
  const close = async (): Promise<void> => {
    await Promise.all([...servers.map((server) => server.close(stopMsMax)), reports.close(), sender.close()]);
  };
  try {
    const plain = await listen(options.port, undefined);
    servers.push(plain);
    const secure = options.tls === undefined ? undefined : await listen(options.tls.port, options.tls.server);
    if (secure !== undefined) servers.push(secure);
    return { host: options.host, port: plain.address.port, tlsPort: secure?.address.port, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function decide(
  request: IncomingRequest,
  counts: AssociationCounts,
  options: DimseOptions,
  admitted: WeakMap<IncomingRequest, Admitted>,
): Promise<Decision> {
  const caller = { calling: request.calling, called: request.called, address: request.remoteAddress };
  const { entities } = options.archive().as(visitor({ door: 'dimse', address: caller.address }));
  const admission = await entities.admit(caller, counts.ofCaller);
  if (admission.kind === 'refused') {
    return admission.reason === 'associations-too-many'
      ? { kind: 'reject', result: 'transient', reason: 'localLimit' }
      : { kind: 'reject', result: 'permanent', reason: 'callingAe' };
  }
  const { entity, tenant } = admission;
  admitted.set(request, { entity, tenant, principal: ofEntity(entity, { tenant, address: caller.address }) });
  const proposed = request.contexts.map((context) => context.abstractSyntax);
  const refused = new Set(proposed.filter((uid) => isOtherThanStorage(uid) && !servedClasses.has(uid)));
  const negotiated = negotiate(request, {
    served: servedClasses,
    refused,
    ...(entity.syntaxes.length === 0 ? {} : { transferSyntaxes: entity.syntaxes }),
    extended: (asked) => extendedAnswer(asked),
  });
  return { kind: 'accept', ...negotiated };
}

/** Relational queries, combined date and time, and fuzzy matching of names, in the order of PS3.4 C.5.1.1. */
function extendedAnswer(asked: { readonly sopClass: string; readonly info: Uint8Array }): Uint8Array | undefined {
  const known = queryClass(asked.sopClass);
  if (known === undefined) return undefined;
  const can = known.operation === 'find' ? [1, 0, 1, 0, 0] : [1];
  return Uint8Array.from(asked.info, (flag, index) => (flag === 1 ? (can[index] ?? 0) : 0));
}

async function serve(
  association: Association,
  { principal, ...who }: Admitted,
  options: DimseOptions,
  reports: CommitmentReports,
): Promise<void> {
  for await (const message of association.messages()) {
    const { title, tlsClient, clock } = options;
    const served: Served = { archive: options.archive().as(principal), association, title, tlsClient, clock, ...who };
    await answer(message, served, options, reports);
  }
}

async function answer(
  message: IncomingMessage,
  served: Served,
  options: DimseOptions,
  reports: CommitmentReports,
): Promise<void> {
  const { entity } = served;
  const may = (right: ApplicationEntity['may'][number]): boolean => entity.may.includes(right);
  const { abstractSyntax } = message.context;
  const kind = queryClass(abstractSyntax)?.operation;
  const fault = (what: string) => (error: unknown) => options.onFault(what, error);
  if (message.kind === 'C-ECHO' && abstractSyntax === verification)
    return message.respond({ status: may('echo') ? dimseStatus.success : dimseStatus.notAuthorized });
  if (message.kind === 'C-STORE' && !servedClasses.has(abstractSyntax))
    return may('store') ? answerStore(message, served, fault('C-STORE')) : refuse(message);
  if (message.kind === 'C-FIND' && kind === 'find')
    return may('find') ? answerFind(message, served, fault('C-FIND')) : refuse(message);
  if (message.kind === 'C-MOVE' && kind === 'move')
    return may('retrieve') ? answerMove(message, served, fault('C-MOVE')) : refuse(message);
  if (message.kind === 'C-GET' && kind === 'get')
    return may('retrieve') ? answerGet(message, served, fault('C-GET')) : refuse(message);
  if (message.kind === 'N-ACTION' && abstractSyntax === storageCommitment)
    return may('commit') ? reports.take(message, served) : refuse(message);
  if ((message.kind === 'N-CREATE' || message.kind === 'N-SET') && abstractSyntax === performedStep)
    return may('report') ? answerStep(message, served, fault(message.kind)) : refuse(message);
  return message.respond({ status: dimseStatus.unrecognizedOperation });
}

function refuse(message: IncomingMessage): Promise<void> {
  return message.respond({ status: dimseStatus.notAuthorized, errorComment: 'ACCESS_DENIED not for this AE title' });
}
