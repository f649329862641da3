// Association: what both sides do once it is accepted (PS3.8 Sta6 and later), and the messages that run over it, in either direction.
//
// Invariants:
// - One message is sent at a time, whole; requests of ours and answers to the peer wait their turn in order.
// - Reading goes on while we answer or send, so a C-CANCEL, an A-ABORT and responses reach whoever they are for; it stops, and the socket with it,
//   while `heldBytesMax` of data sets or `heldMessagesMax` of messages wait for somebody here.
// - A release is replied to when every request is answered. Whatever breaks the protocol, and every timer that runs out, ends it with an A-ABORT.
// - The end is told to everyone who waits, once, with one error; a clean release is the end without one.
// Left out on purpose: opening (requestor.ts, server.ts), services (dimse-user.ts), what requests mean.

import { ArchiveError, assert, type Clock, defined, toArchiveError } from '../../base/index.ts';
import { type AssociationState, expectPdu, typeOfRead } from './association-state.ts';
import type { CommandSet } from './command-set.ts';
import type { Connection } from './connection.ts';
import { Deadline } from './deadline.ts';
import { type AnswerFields, cancelField, classifyCommand, type RequestKind, responseTo } from './dimse-commands.ts';
import { statusClass } from './dimse-status.ts';
import { type AcceptedContext, cancelledError, IncomingMessage } from './incoming-message.ts';
import { heldBytesMax, heldMessagesMax, type Timeouts } from './limits.ts';
import { type AssembledMessage, MessageAssembler } from './message-assembler.ts';
import { fragmentCapacity, type OutgoingData, openData, sendMessage } from './message-writer.ts';
import { Operation } from './operation.ts';
import { decodeAbort, encodeAbort, encodeReleaseReply, encodeReleaseRequest, pduType } from './pdu.ts';
import type { ControlPdu, Piece } from './pdu-reader.ts';
import { type Abort, messageError, ProtocolError } from './protocol-error.ts';
import type { ExtendedNegotiation, UserIdentity } from './user-information.ts';

/** What is known of an association from its opening. */
export type AssociationFacts = {
  readonly role: 'requestor' | 'acceptor';
  readonly called: string;
  readonly calling: string;
  readonly remoteAddress: string;
  readonly contexts: ReadonlyMap<number, AcceptedContext>;
  /** The longest PDU that the peer takes; 0 is no maximum. */
  readonly peerPduBytesMax: number;
  readonly peerImplementation: { readonly class: string; readonly version: string | undefined };
  readonly extended: readonly ExtendedNegotiation[];
  /** Of the requestor, unchecked. */
  readonly identity: UserIdentity | undefined;
  /** The acceptor's answer to it. */
  readonly identityAnswer: Uint8Array | undefined;
};

export type RequestOptions = {
  /** Other than the association's; for a C-MOVE of a peer that says nothing until it has recalled a tape. */
  readonly responseMs?: number | undefined;
  /** Requests of the peer come through this operation as long as it runs. */
  readonly takesRequests?: boolean;
};

const messageIdMax = 0xffff;

export class Association {
  readonly facts: AssociationFacts;
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #timeouts: Timeouts;
  readonly #capacity: number;
  readonly #assembler: MessageAssembler;
  readonly #readDeadline: Deadline;
  readonly #ended = Promise.withResolvers<ArchiveError | undefined>();
  #state: AssociationState = 'open';
  #end: { readonly error: ArchiveError | undefined } | undefined;
  #isPumping = false;
  /** The socket is paused, because too much waits here. */
  #isBlocked = false;
  #isStopping = false;
  #heldBytes = 0;
  #heldMessages = 0;
  /** Requests that nobody has taken yet. */
  readonly #waiting: IncomingMessage[] = [];
  /** Requests that are not answered finally, taken or not. */
  readonly #serving = new Map<number, IncomingMessage>();
  #taker: PromiseWithResolvers<void> | undefined;
  #taken: IncomingMessage | undefined;
  readonly #operations = new Map<number, Operation>();
  #messageId = 0;
  #sending: Promise<void> | undefined;

  constructor(connection: Connection, facts: AssociationFacts) {
    this.facts = facts;
    this.#connection = connection;
    this.#clock = connection.clock;
    this.#timeouts = connection.timeouts;
    this.#capacity = fragmentCapacity(facts.peerPduBytesMax);
    this.#assembler = new MessageAssembler(facts.contexts, (change) => this.#hold(change));
    this.#readDeadline = new Deadline(this.#clock, () => this.#fault(this.#silence()));
    const assembler = this.#assembler;
    connection.listen({
      readable: () => this.#pump(),
      lost: (error) => this.#finish(error),
      get isMidMessage() {
        return assembler.isMidMessage;
      },
    });
    if (connection.lostError !== undefined) this.#finish(connection.lostError);
    else this.#pump();
  }

  /** Resolves when it is over: undefined after a release, else why. Never rejects. */
  get ended(): Promise<ArchiveError | undefined> {
    return this.#ended.promise;
  }

  /** Why it has ended, when it has and was not released. What waits for an association that ends gets this very error. */
  get endError(): ArchiveError | undefined {
    return this.#end?.error;
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** Of this association: an accepted context for a SOP class, in one transfer syntax or in any. */
  contextFor(abstractSyntax: string, transferSyntax?: string): AcceptedContext | undefined {
    for (const context of this.facts.contexts.values()) {
      if (context.abstractSyntax !== abstractSyntax) continue;
      if (transferSyntax === undefined || context.transferSyntax === transferSyntax) return context;
    }
    return undefined;
  }

  /**
   * The peer's requests, in order, until it releases the association. What was not read of a message's data set is thrown away when the next is
   * asked for; its answer may come later. Throws the association's error when that ends otherwise. For one taker.
   */
  messages(): AsyncIterableIterator<IncomingMessage, undefined> {
    const iterator: AsyncIterableIterator<IncomingMessage, undefined> = {
      next: async () => {
        const message = await this.#nextMessage();
        return message === undefined ? { done: true, value: undefined } : { done: false, value: message };
      },
      return: () => Promise.resolve({ done: true, value: undefined }),
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  /**
   * Sends a request; resolves when all of it is on its way. When the data cannot be read at all its error comes out and nothing was sent; when it
   * breaks off in the middle the association is aborted, since a message cannot be taken back.
   */
  async request(
    command: Omit<CommandSet, 'messageId' | 'hasDataSet'>,
    to: { readonly kind: RequestKind; readonly contextId: number },
    data?: OutgoingData,
    options: RequestOptions = {},
  ): Promise<Operation> {
    const { kind, contextId } = to;
    assert(this.facts.contexts.has(contextId), 'a request goes out in an accepted context');
    // A peer that has asked for the release takes answers, and nothing new.
    if (this.#state !== 'open') throw this.#end?.error ?? endedError();
    const messageId = this.#nextMessageId();
    const operation = new Operation({
      kind,
      messageId,
      contextId,
      responseMs: options.responseMs ?? this.#timeouts.responseMs,
      takesRequests: options.takesRequests ?? false,
      onTaken: () => this.#gaveOut(),
      cancel: () => this.#send(contextId, { commandField: cancelField, messageIdRespondedTo: messageId }, undefined),
    });
    this.#operations.set(messageId, operation);
    try {
      await this.#send(contextId, { ...command, messageId }, data);
    } catch (error) {
      this.#operations.delete(messageId);
      throw error;
    }
    operation.isSent = true;
    this.#settle();
    return operation;
  }

  /** Ends it in order; resolves when it is over, also when the peer just hangs up then. No request of ours is under way. */
  async release(): Promise<void> {
    assert(this.#operations.size === 0, 'an association is released when its operations have ended');
    while (this.#sending !== undefined) await this.#sending;
    if (this.#state === 'open') {
      this.#state = 'releasing';
      this.#connection.write(encodeReleaseRequest());
      this.#pump();
    }
    await this.#ended.promise;
  }

  /** Resolves when none of the bytes that were given to be sent is needed any more: the system has them, or the connection is gone. Never rejects. */
  handedOver(): Promise<void> {
    return this.#connection.handedOver();
  }

  /** At once. Everyone who waits gets `error`, or DICOM_ABORTED. */
  abort(error?: ArchiveError): void {
    this.#fault(error ?? new ArchiveError('DICOM_ABORTED', 'the association was aborted at this side'));
  }

  /** Takes nothing new: ends when what is being served is answered, at once if nothing is. */
  stop(): void {
    this.#isStopping = true;
    this.#settle();
  }

  // ---- reading

  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    try {
      while (this.#mayRead()) {
        const read = this.#connection.reader.next();
        if (read !== undefined) {
          this.#take(read);
        } else if (this.#connection.hasPeerEnded) {
          this.#finish(new ArchiveError('DICOM_ABORTED', 'the peer closed the connection without a release'));
        } else {
          break;
        }
      }
    } catch (error) {
      this.#fault(toArchiveError(error, 'INTERNAL', 'reading an association failed'));
    } finally {
      this.#isPumping = false;
    }
    if (this.#end !== undefined) return;
    this.#isBlocked = !this.#mayRead();
    if (this.#isBlocked) this.#connection.pause();
    else this.#connection.resume();
    this.#settle();
  }

  #mayRead(): boolean {
    if (this.#end !== undefined) return false;
    return (
      this.#heldBytes < heldBytesMax && this.#heldMessages < heldMessagesMax && this.#serving.size < heldMessagesMax
    );
  }

  /** Sets the timer for what is due from the peer now. */
  #watch(): void {
    if (this.#end !== undefined) return;
    const ms = this.#isPumping ? undefined : this.#dueMs();
    if (ms === undefined || !Number.isFinite(ms)) this.#readDeadline.clear();
    else this.#readDeadline.set(ms);
  }

  #dueMs(): number | undefined {
    if (!this.#mayRead()) return undefined;
    if (this.#state !== 'open' && this.#state !== 'release-asked') return this.#timeouts.associationMs;
    if (this.#assembler.isMidMessage || !this.#connection.reader.isBetweenPdus) return this.#timeouts.stallMs;
    let responseMs = Number.POSITIVE_INFINITY;
    for (const operation of this.#operations.values()) {
      // While we store what a C-GET brings, its peer waits for us.
      const waitsForUs = operation.takesRequests && this.#serving.size > 0;
      if (operation.isSent && !waitsForUs) responseMs = Math.min(responseMs, operation.responseMs);
    }
    if (this.#operations.size > 0) return responseMs;
    return this.#serving.size > 0 ? undefined : this.#timeouts.idleMs;
  }

  #silence(): ArchiveError {
    const what = this.#assembler.isMidMessage
      ? 'within a message'
      : this.#operations.size > 0
        ? 'while it owed an answer'
        : 'on an open association';
    return new ArchiveError('DICOM_TIMEOUT', `the peer was silent ${what} for too long`);
  }

  #take(read: Piece | ControlPdu): void {
    expectPdu(this.#state, typeOfRead(read));
    if (read.kind === 'piece') {
      const message = this.#assembler.take(read);
      if (message !== undefined) this.#deliver(message);
      return;
    }
    switch (read.type) {
      case pduType.abort:
        this.#finish(abortedError(decodeAbort(read.body)));
        break;
      case pduType.releaseRequest:
        this.#takeReleaseRequest();
        break;
      case pduType.releaseReply:
        // AR-3 where we asked first and alone, or are the requestor; the acceptor of a crossed release replies now (AR-10, AR-4).
        if (this.#state === 'release-crossed' && this.facts.role === 'acceptor') this.#finishReleased('reply');
        else this.#finishReleased('close');
        break;
      default:
        assert(false, 'no state of an open association expects an A-ASSOCIATE');
    }
  }

  #takeReleaseRequest(): void {
    if (this.#assembler.isMidMessage) throw messageError('the peer asks for a release in the middle of a message');
    if (this.#state === 'releasing') {
      this.#state = 'release-crossed';
      if (this.facts.role === 'requestor') this.#connection.write(encodeReleaseReply());
      return;
    }
    this.#state = 'release-asked';
  }

  #deliver(assembled: AssembledMessage): void {
    const { contextId, command, data } = assembled;
    const received = classifyCommand(command);
    switch (received.kind) {
      case 'cancel':
        this.#serving.get(received.respondedTo)?.cancel(cancelledError());
        return;
      case 'response': {
        const operation = this.#operations.get(received.respondedTo);
        if (operation === undefined || operation.kind !== received.name || operation.contextId !== contextId) {
          throw messageError(`a ${received.name} response answers no request`);
        }
        const { status } = received;
        if (statusClass(status) !== 'pending') this.#operations.delete(received.respondedTo);
        this.#heldMessages += 1;
        operation.push({ kind: 'response', status, command, data });
        return;
      }
      default:
        this.#deliverRequest({ kind: received.name, messageId: received.messageId, command }, assembled);
    }
  }

  #deliverRequest(
    request: { readonly kind: RequestKind; readonly messageId: number; readonly command: CommandSet },
    { contextId, data }: AssembledMessage,
  ): void {
    // Asked while we release: there is no way to answer any more (PS3.8 Sta7).
    if (this.#state !== 'open') {
      data?.discard();
      return;
    }
    if (this.#serving.has(request.messageId)) throw messageError('two requests under way have one message id');
    const context = defined(this.facts.contexts.get(contextId), 'the assembler takes accepted contexts only');
    const message = new IncomingMessage(request, context, data, (...answer) => this.#answer(...answer));
    this.#serving.set(request.messageId, message);
    this.#heldMessages += 1;
    for (const operation of this.#operations.values()) {
      if (!operation.takesRequests) continue;
      operation.push({ kind: 'request', message });
      return;
    }
    this.#waiting.push(message);
    this.#wakeTaker();
  }

  async #nextMessage(): Promise<IncomingMessage | undefined> {
    const before = this.#taken?.data;
    if (before !== undefined && !before.isDone) before.discard();
    this.#taken = undefined;
    for (;;) {
      const message = this.#waiting.shift();
      if (message !== undefined) {
        this.#taken = message;
        this.#gaveOut();
        return message;
      }
      if (this.#end?.error !== undefined) throw this.#end.error;
      if (this.#end !== undefined) return undefined;
      this.#taker ??= Promise.withResolvers<void>();
      await this.#taker.promise;
    }
  }

  #wakeTaker(): void {
    const taker = this.#taker;
    this.#taker = undefined;
    taker?.resolve();
  }

  #gaveOut(): void {
    this.#heldMessages -= 1;
    this.#unblock();
  }

  #hold(change: number): void {
    this.#heldBytes += change;
    this.#unblock();
  }

  /** After anything that reading may have stopped for. */
  #unblock(): void {
    if (this.#isBlocked && this.#mayRead()) this.#pump();
  }

  // ---- sending

  async #answer(message: IncomingMessage, answer: AnswerFields, data: OutgoingData | undefined): Promise<void> {
    const isFinal = message.isAnswered;
    await this.#send(message.context.id, responseTo(message.command, answer, false), data, () => {
      // Before it is sent: its id may be used again as soon as the peer has it.
      if (isFinal) this.#serving.delete(message.messageId);
    });
  }

  async #send(
    contextId: number,
    command: Omit<CommandSet, 'hasDataSet'>,
    data: OutgoingData | undefined,
    onTurn?: () => void,
  ): Promise<void> {
    // Before our turn, so that a source that is slow to begin keeps nobody else waiting.
    const opened = data === undefined ? undefined : await openData(data);
    const before = this.#sending;
    const turn = Promise.withResolvers<void>();
    this.#sending = turn.promise;
    try {
      if (before !== undefined) await before;
      this.#assertAlive();
      onTurn?.();
      try {
        await sendMessage(this.#connection, { contextId, command, data: opened }, this.#capacity);
      } catch (error) {
        this.#fault(toArchiveError(error, 'DICOM_ABORTED', 'a message could not be sent to its end'));
        throw this.#end?.error ?? endedError();
      }
    } finally {
      if (this.#sending === turn.promise) this.#sending = undefined;
      turn.resolve();
      this.#unblock();
      this.#settle();
      await opened?.close();
    }
  }

  #assertAlive(): void {
    if (this.#end !== undefined) throw this.#end.error ?? endedError();
    if (this.#state !== 'open' && this.#state !== 'release-asked') throw endedError();
  }

  #nextMessageId(): number {
    do {
      this.#messageId = this.#messageId === messageIdMax ? 1 : this.#messageId + 1;
    } while (this.#operations.has(this.#messageId));
    return this.#messageId;
  }

  // ---- ending

  /** After anything that someone may have waited for before ending: a last answer, a release, a wish to stop. */
  #settle(): void {
    if (this.#end !== undefined) return;
    if (this.#serving.size > 0 || this.#sending !== undefined) {
      this.#watch();
      return;
    }
    if (this.#state === 'release-asked') this.#finishReleased('reply');
    else if (this.#isStopping && this.#operations.size === 0 && !this.#assembler.isMidMessage) {
      this.abort(new ArchiveError('CLOSED', 'the server is stopping'));
    } else this.#watch();
  }

  #finishReleased(by: 'reply' | 'close'): void {
    if (by === 'reply') this.#connection.close(encodeReleaseReply(), 'wait');
    else this.#connection.close();
    this.#finish(undefined);
  }

  /** Ends with an A-ABORT of ours. */
  #fault(error: ArchiveError): void {
    if (this.#end !== undefined) return;
    this.#connection.close(encodeAbort(error instanceof ProtocolError ? error.abort : { source: 'user' }));
    this.#finish(error);
  }

  #finish(error: ArchiveError | undefined): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    this.#state = 'closing';
    this.#readDeadline.close();
    this.#connection.close();
    const reason = error ?? endedError();
    this.#assembler.fail(reason);
    for (const message of this.#serving.values()) message.cancel(reason);
    for (const operation of this.#operations.values()) operation.fail(reason);
    this.#operations.clear();
    this.#serving.clear();
    for (const message of this.#waiting) message.data?.discard();
    this.#waiting.length = 0;
    this.#wakeTaker();
    this.#ended.resolve(error);
  }
}

function endedError(): ArchiveError {
  return new ArchiveError('DICOM_ABORTED', 'the association has ended');
}

function abortedError(abort: Abort): ArchiveError {
  const by = abort.source === 'user' ? 'the application' : `the protocol machine, reason ${abort.reason}`;
  return new ArchiveError('DICOM_ABORTED', `the peer aborted the association (${by})`);
}
