// Operation: a request of ours, from its message id to its final response.
//
// Invariants: responses come out in the order in which they arrived; the last one is final, or an error says why there is none.
// Left out on purpose: sending it, and what responses mean (dimse-user.ts).

import { type ArchiveError, assert } from '../../base/index.ts';
import type { CommandSet } from './command-set.ts';
import type { RequestKind } from './dimse-commands.ts';
import { statusClass } from './dimse-status.ts';
import type { IncomingData } from './incoming-data.ts';
import type { IncomingMessage } from './incoming-message.ts';

export type IncomingResponse = {
  readonly kind: 'response';
  readonly status: number;
  readonly command: CommandSet;
  /** To be read, or thrown away, before the next is asked for. */
  readonly data: IncomingData | undefined;
};

/** While an operation runs that takes requests, those of the peer come through it: the sub-operations of a C-GET. */
export type OperationEvent = IncomingResponse | { readonly kind: 'request'; readonly message: IncomingMessage };

export type OperationOptions = {
  readonly kind: RequestKind;
  readonly messageId: number;
  readonly contextId: number;
  readonly responseMs: number;
  readonly takesRequests: boolean;
  /** Called as each event is taken out. */
  readonly onTaken: () => void;
  readonly cancel: () => Promise<void>;
};

export class Operation {
  readonly kind: RequestKind;
  readonly messageId: number;
  readonly contextId: number;
  readonly responseMs: number;
  readonly takesRequests: boolean;
  /** All of the request is on its way, so the peer owes an answer. */
  isSent = false;
  readonly #onTaken: () => void;
  readonly #cancel: () => Promise<void>;
  readonly #events: OperationEvent[] = [];
  #last: IncomingData | undefined;
  #waiting: PromiseWithResolvers<void> | undefined;
  #failure: ArchiveError | undefined;
  #isFinal = false;
  #isFinalTaken = false;
  #isCancelled = false;

  constructor(options: OperationOptions) {
    this.kind = options.kind;
    this.messageId = options.messageId;
    this.contextId = options.contextId;
    this.responseMs = options.responseMs;
    this.takesRequests = options.takesRequests;
    this.#onTaken = options.onTaken;
    this.#cancel = options.cancel;
  }

  /** The final response has arrived, or never will. */
  get isOver(): boolean {
    return this.#isFinal || this.#failure !== undefined;
  }

  /** Nothing is left to be taken. */
  get isDrained(): boolean {
    return this.#isFinalTaken || this.#failure !== undefined;
  }

  /** What comes next. The association's error when it has ended before the final response. Not asked for after the final one. */
  async next(): Promise<OperationEvent> {
    if (this.#last !== undefined && !this.#last.isDone) this.#last.discard();
    for (;;) {
      const event = this.#events.shift();
      if (event !== undefined) {
        this.#last = event.kind === 'response' ? event.data : event.message.data;
        if (event.kind === 'response' && statusClass(event.status) !== 'pending') this.#isFinalTaken = true;
        this.#onTaken();
        return event;
      }
      if (this.#failure !== undefined) throw this.#failure;
      assert(!this.#isFinal, 'nothing follows a final response');
      this.#waiting ??= Promise.withResolvers<void>();
      await this.#waiting.promise;
    }
  }

  /** Asks the peer to stop (C-CANCEL); its final response still comes. Safe to repeat, and of no effect when it is over. */
  async cancel(): Promise<void> {
    if (this.#isCancelled || this.isOver) return;
    this.#isCancelled = true;
    await this.#cancel();
  }

  /** For the association. */
  push(event: OperationEvent): void {
    this.#events.push(event);
    if (event.kind === 'response' && statusClass(event.status) !== 'pending') this.#isFinal = true;
    this.#wake();
  }

  /** For the association. What has arrived whole can still be taken. */
  fail(error: ArchiveError): void {
    if (this.isOver) return;
    this.#failure = error;
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve();
  }
}
