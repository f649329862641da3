// The C-services as their user (PS3.7 chapter 9): C-ECHO, C-STORE, C-FIND, C-MOVE, C-GET on an open association.
//
// Invariants: a status of the peer is a value, whatever its class, for the caller must choose about it; an association that breaks is an error.
// Identifiers are bytes in the context's transfer syntax and bounded by `gatheredBytesMax`; what a C-STORE or C-GET carries is streamed.
// Who stops listening to a C-FIND, C-MOVE or C-GET cancels it, and the association can be used again when its loop has ended.
// Left out on purpose: making identifiers, and judging statuses (dimse-status.ts).

import { ArchiveError } from '../../base/index.ts';
import type { Association } from './association.ts';
import type { CommandSet } from './command-set.ts';
import { priority, type RequestKind, requestOf, type SubOperationCounts } from './dimse-commands.ts';
import { statusClass } from './dimse-status.ts';
import type { AcceptedContext, IncomingMessage } from './incoming-message.ts';
import { gatheredBytesMax } from './limits.ts';
import type { OutgoingData } from './message-writer.ts';
import type { IncomingResponse, Operation } from './operation.ts';
import { verificationSopClass } from './uid.ts';

/** A final answer: the status, and the command it came in for what else it says. */
export type Outcome = { readonly status: number; readonly command: CommandSet };

/** Where a request goes: a context of the association, or the first accepted one for the SOP class. */
type Target = { readonly sopClass: string; readonly context?: AcceptedContext | undefined };

type Patience = { readonly responseMs?: number | undefined };

/** DICOM_CONTEXT_REFUSED when the peer accepted none. */
export function contextOf(association: Association, { sopClass, context }: Target): AcceptedContext {
  const found = context ?? association.contextFor(sopClass);
  if (found === undefined) {
    throw new ArchiveError('DICOM_CONTEXT_REFUSED', `the peer accepted no presentation context for ${sopClass}`);
  }
  return found;
}

/** The one response of an operation that has one. */
export async function onlyResponse(operation: Operation): Promise<IncomingResponse> {
  for (;;) {
    const event = await operation.next();
    // Pending where nothing can be pending: the final one follows.
    if (event.kind === 'response' && statusClass(event.status) !== 'pending') return event;
  }
}

export async function cEcho(association: Association, options: Patience = {}): Promise<Outcome> {
  const sopClass = verificationSopClass;
  const { id } = contextOf(association, { sopClass });
  const operation = await association.request(
    requestOf('C-ECHO', { sopClass }),
    { kind: 'C-ECHO', contextId: id },
    undefined,
    options,
  );
  const { status, command } = await onlyResponse(operation);
  return { status, command };
}

export type StoreRequest = Target &
  Patience & {
    readonly sopInstance: string;
    /** The data set in the context's transfer syntax, without Part 10's file meta information. */
    readonly data: OutgoingData;
    readonly priority?: number;
    /** When this is a sub-operation of a C-MOVE: who asked for that, in which message. */
    readonly moveOriginator?: { readonly title: string; readonly messageId: number } | undefined;
  };

export async function cStore(association: Association, request: StoreRequest): Promise<Outcome> {
  const { sopClass, sopInstance, moveOriginator } = request;
  const { id } = contextOf(association, request);
  const fields = requestOf('C-STORE', {
    sopClass,
    sopInstance,
    priority: request.priority ?? priority.medium,
    ...(moveOriginator === undefined
      ? {}
      : { moveOriginator: moveOriginator.title, moveOriginatorMessageId: moveOriginator.messageId }),
  });
  const operation = await association.request(fields, { kind: 'C-STORE', contextId: id }, request.data, request);
  const { status, command } = await onlyResponse(operation);
  return { status, command };
}

type QueryRequest = Target &
  Patience & {
    /** In the context's transfer syntax. */
    readonly identifier: OutgoingData;
    readonly priority?: number;
    /** Cancels, as leaving the loop does. */
    readonly signal?: AbortSignal | undefined;
  };

export type FindRequest = QueryRequest;
export type FindMatch = { readonly status: number; readonly identifier: Uint8Array };

/**
 * The matches as they come; the value at the end is the final answer, which a loop that wants it takes from `next()`. A status of another class than
 * success, a cancelled one included, ends the loop like any other: whoever counts must look at it.
 */
export async function* cFind(association: Association, request: FindRequest): AsyncGenerator<FindMatch, Outcome> {
  for await (const response of query(association, 'C-FIND', request)) {
    if (statusClass(response.status) !== 'pending') return { status: response.status, command: response.command };
    const identifier = await response.data?.gather(gatheredBytesMax);
    if (identifier !== undefined) yield { status: response.status, identifier };
  }
  throw new ArchiveError('INTERNAL', 'a query ended without a final answer');
}

/** An answer to C-MOVE or C-GET. Counts that the peer left out are undefined. */
export type RetrieveProgress = { readonly [Count in keyof SubOperationCounts]: number | undefined };
export type RetrieveOutcome = Outcome &
  RetrieveProgress & {
    /** The data set of the final answer, which names what failed, in the context's transfer syntax. */
    readonly failedList: Uint8Array | undefined;
  };

export type MoveRequest = QueryRequest & { readonly destination: string };

/** Progress as the peer tells it; the value at the end is the final answer. */
export async function* cMove(
  association: Association,
  request: MoveRequest,
): AsyncGenerator<RetrieveProgress, RetrieveOutcome> {
  for await (const response of query(association, 'C-MOVE', request, { moveDestination: request.destination })) {
    if (statusClass(response.status) !== 'pending') return await retrieveOutcome(response);
    yield progressOf(response.command);
  }
  throw new ArchiveError('INTERNAL', 'a move ended without a final answer');
}

export type GetRequest = QueryRequest & {
  /**
   * Takes what comes: a C-STORE of the peer on this association, which it must answer. What it throws cancels the operation and comes out at the
   * end, after the object was answered with a failure.
   */
  readonly onStore: (message: IncomingMessage) => Promise<void>;
};

/** Progress as the peer tells it; the value at the end is the final answer. The storage classes that may come were proposed with the provider's role. */
export async function* cGet(
  association: Association,
  request: GetRequest,
): AsyncGenerator<RetrieveProgress, RetrieveOutcome> {
  for await (const response of query(association, 'C-GET', request, {}, request.onStore)) {
    if (statusClass(response.status) !== 'pending') return await retrieveOutcome(response);
    yield progressOf(response.command);
  }
  throw new ArchiveError('INTERNAL', 'a retrieval ended without a final answer');
}

function progressOf({ remaining, completed, failed, warning }: CommandSet): RetrieveProgress {
  return { remaining, completed, failed, warning };
}

async function retrieveOutcome({ status, command, data }: IncomingResponse): Promise<RetrieveOutcome> {
  const failedList = await data?.gather(gatheredBytesMax);
  return { status, command, ...progressOf(command), failedList };
}

const unableToProcess = 0xc000;

/** Every response of a query, the final one last. Left early, it cancels and waits for the final one. */
async function* query(
  association: Association,
  kind: RequestKind,
  request: QueryRequest,
  fields: Partial<CommandSet> = {},
  onStore?: (message: IncomingMessage) => Promise<void>,
): AsyncGenerator<IncomingResponse, void> {
  const { sopClass, signal } = request;
  const { id } = contextOf(association, request);
  const operation = await association.request(
    requestOf(kind, { ...fields, sopClass, priority: request.priority ?? priority.medium }),
    { kind, contextId: id },
    request.identifier,
    { responseMs: request.responseMs, takesRequests: onStore !== undefined },
  );
  // An association that has ended needs no cancel; its error comes out of `next`.
  const cancel = (): void => void operation.cancel().catch(() => undefined);
  signal?.addEventListener('abort', cancel);
  if (signal?.aborted === true) cancel();
  let failure: { readonly error: unknown } | undefined;
  try {
    for (;;) {
      const event = await operation.next();
      if (event.kind === 'response') {
        if (failure !== undefined && statusClass(event.status) !== 'pending') throw failure.error;
        if (failure === undefined) yield event;
        if (statusClass(event.status) !== 'pending') return;
      } else if (event.message.kind === 'C-STORE' && onStore !== undefined && failure === undefined) {
        try {
          await onStore(event.message);
        } catch (error) {
          failure = { error };
          cancel();
        }
        if (!event.message.isAnswered) await event.message.respond({ status: unableToProcess });
      } else {
        await event.message.respond({ status: failure === undefined ? unrecognizedOperation : unableToProcess });
      }
    }
  } finally {
    signal?.removeEventListener('abort', cancel);
    // What came already is counted against the association until it is taken, also when the final response is among it.
    if (!operation.isDrained) await leave(operation);
  }
}

const unrecognizedOperation = 0x0211;

/** What still comes after a cancel is answered or thrown away, until the final response. */
async function leave(operation: Operation): Promise<void> {
  await operation.cancel();
  for (;;) {
    const event = await operation.next();
    if (event.kind === 'request') await event.message.respond({ status: unableToProcess });
    else if (statusClass(event.status) !== 'pending') return;
  }
}
