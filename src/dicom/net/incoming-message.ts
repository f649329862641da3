// IncomingMessage: a request of the peer, from its command to its final answer.
//
// Invariants: it is answered finally at most once; it is cancelled by the peer's C-CANCEL, or because the association is gone, whichever comes
// first, and never after its final answer.
// Left out on purpose: how answers are sent (association.ts).

import { ArchiveError, assert } from '../../base/index.ts';
import type { CommandSet } from './command-set.ts';
import type { AnswerFields, RequestKind } from './dimse-commands.ts';
import { statusClass } from './dimse-status.ts';
import type { IncomingData } from './incoming-data.ts';
import type { OutgoingData } from './message-writer.ts';

/** A presentation context as both sides agreed on it. */
export type AcceptedContext = {
  readonly id: number;
  readonly abstractSyntax: string;
  readonly transferSyntax: string;
  /** We may ask (SCU). */
  readonly isUser: boolean;
  /** We may be asked (SCP). */
  readonly isProvider: boolean;
};

type Answerer = (message: IncomingMessage, answer: AnswerFields, data: OutgoingData | undefined) => Promise<void>;

export class IncomingMessage {
  readonly kind: RequestKind;
  readonly messageId: number;
  readonly context: AcceptedContext;
  readonly command: CommandSet;
  /** Undefined when the command says that there is none. What is not read when the next message is asked for is thrown away. */
  readonly data: IncomingData | undefined;
  readonly #answerer: Answerer;
  #isAnswered = false;
  #cancelled: ArchiveError | undefined;
  #abort: AbortController | undefined;

  constructor(
    request: { readonly kind: RequestKind; readonly messageId: number; readonly command: CommandSet },
    context: AcceptedContext,
    data: IncomingData | undefined,
    answerer: Answerer,
  ) {
    this.kind = request.kind;
    this.messageId = request.messageId;
    this.command = request.command;
    this.context = context;
    this.data = data;
    this.#answerer = answerer;
  }

  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  /** DICOM_CANCELLED after a C-CANCEL, the association's error once that has ended; undefined as long as there is someone who waits. */
  get cancelled(): ArchiveError | undefined {
    return this.#cancelled;
  }

  /** The same as a signal, for what takes one. */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.#cancelled !== undefined) this.#abort.abort(this.#cancelled);
    return this.#abort.signal;
  }

  /**
   * Answers, with the ids and classes that the request named. A status of the pending class may be followed by others; any other is the last.
   * Resolves when the answer is on its way, later when the peer is slow to read. The association's error when it has ended.
   */
  respond(answer: AnswerFields, data?: OutgoingData): Promise<void> {
    assert(!this.#isAnswered, 'a request is answered finally once');
    if (statusClass(answer.status) === 'pending') return this.#answerer(this, answer, data);
    this.#isAnswered = true;
    return this.#answerer(this, answer, data).catch((error: unknown) => {
      // Its data could not be read, and nothing was sent: there may be another answer.
      this.#isAnswered = false;
      throw error;
    });
  }

  /** For the association. */
  cancel(reason: ArchiveError): void {
    if (this.#isAnswered || this.#cancelled !== undefined) return;
    this.#cancelled = reason;
    this.#abort?.abort(reason);
  }
}

export function cancelledError(): ArchiveError {
  return new ArchiveError('DICOM_CANCELLED', 'the peer cancelled the operation');
}
