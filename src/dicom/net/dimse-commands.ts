// The DIMSE commands: their numbers, what each request must say, and the response that fits it (PS3.7 chapters 9 and 10).
//
// Invariants: a response repeats class, instance, event and action type of its request under the names that PS3.7 gives them there.
// Left out on purpose: bytes (command-set.ts), and statuses' meaning (dimse-status.ts).

import type { CommandSet } from './command-set.ts';
import { statusClass } from './dimse-status.ts';
import { messageError } from './protocol-error.ts';

const requestFields = {
  'C-STORE': 0x0001,
  'C-GET': 0x0010,
  'C-FIND': 0x0020,
  'C-MOVE': 0x0021,
  'C-ECHO': 0x0030,
  'N-EVENT-REPORT': 0x0100,
  'N-GET': 0x0110,
  'N-SET': 0x0120,
  'N-ACTION': 0x0130,
  'N-CREATE': 0x0140,
  'N-DELETE': 0x0150,
} as const;
export type RequestKind = keyof typeof requestFields;

export const cancelField = 0x0fff;
const responseBit = 0x8000;

export const priority = { medium: 0, high: 1, low: 2 } as const;

export function requestField(kind: RequestKind): number {
  return requestFields[kind];
}

const kindOfField = new Map<number, RequestKind>();
for (const [kind, field] of Object.entries(requestFields)) kindOfField.set(field, kind as RequestKind);

/** Of an N-service on an instance that exists already: its request names class and instance as requested, its response as affected. */
const namesRequested = new Set<RequestKind>(['N-GET', 'N-SET', 'N-ACTION', 'N-DELETE']);

export type ReceivedCommand =
  | { readonly kind: 'request'; readonly name: RequestKind; readonly messageId: number }
  | { readonly kind: 'response'; readonly name: RequestKind; readonly respondedTo: number; readonly status: number }
  | { readonly kind: 'cancel'; readonly respondedTo: number };

/** What a command is, with what nothing can go on without; anything else it lacks is for whoever serves it to judge. */
export function classifyCommand(command: CommandSet): ReceivedCommand {
  const { commandField } = command;
  if (commandField === cancelField) {
    if (command.hasDataSet) throw messageError('a C-CANCEL comes with a data set');
    return { kind: 'cancel', respondedTo: needed(command.messageIdRespondedTo, 'a C-CANCEL names no message') };
  }
  const name = kindOfField.get(commandField & ~responseBit);
  if (name === undefined) throw messageError(`a command field of ${commandField} is none`);
  if ((commandField & responseBit) === 0) {
    return { kind: 'request', name, messageId: needed(command.messageId, `a ${name} request has no message id`) };
  }
  const respondedTo = needed(command.messageIdRespondedTo, `a ${name} response names no message`);
  return { kind: 'response', name, respondedTo, status: needed(command.status, `a ${name} response has no status`) };
}

function needed(value: number | undefined, problem: string): number {
  if (value === undefined) throw messageError(problem);
  return value;
}

export function sopClassOf(command: CommandSet): string | undefined {
  return command.affectedSopClass ?? command.requestedSopClass;
}

export function sopInstanceOf(command: CommandSet): string | undefined {
  return command.affectedSopInstance ?? command.requestedSopInstance;
}

/** What C-MOVE and C-GET have done so far. `remaining` is sent in pending and cancelled answers only, as PS3.7 has it. */
export type SubOperationCounts = {
  readonly remaining: number;
  readonly completed: number;
  readonly failed: number;
  readonly warning: number;
};

export type AnswerFields = {
  readonly status: number;
  /** A word on what went wrong, shown to people at the other side. Names no patient. */
  readonly errorComment?: string;
  readonly errorId?: number;
  readonly offendingElements?: readonly number[];
  readonly counts?: SubOperationCounts;
  /** An N-CREATE whose request left the instance to us. */
  readonly sopInstance?: string;
};

const countMax = 0xffff;

export function responseTo(request: CommandSet, answer: AnswerFields, hasDataSet: boolean): CommandSet {
  const { counts } = answer;
  const outcome = statusClass(answer.status);
  const clipped = (count: number): number => Math.min(count, countMax);
  return {
    commandField: request.commandField | responseBit,
    messageIdRespondedTo: request.messageId,
    affectedSopClass: sopClassOf(request),
    affectedSopInstance: sopInstanceOf(request) ?? answer.sopInstance,
    eventType: request.eventType,
    actionType: request.actionType,
    status: answer.status,
    errorComment: answer.errorComment,
    errorId: answer.errorId,
    offendingElements: answer.offendingElements,
    ...(counts === undefined
      ? {}
      : {
          remaining: outcome === 'pending' || outcome === 'cancel' ? clipped(counts.remaining) : undefined,
          completed: clipped(counts.completed),
          failed: clipped(counts.failed),
          warning: clipped(counts.warning),
        }),
    hasDataSet,
  };
}

export type RequestFields = Omit<CommandSet, 'commandField' | 'hasDataSet' | 'messageId'> & {
  readonly sopClass: string;
  readonly sopInstance?: string | undefined;
};

/** A request with class and instance under the names that its kind gives them. */
export function requestOf(kind: RequestKind, fields: RequestFields): Omit<CommandSet, 'messageId' | 'hasDataSet'> {
  const { sopClass, sopInstance, ...rest } = fields;
  const names = namesRequested.has(kind)
    ? { requestedSopClass: sopClass, requestedSopInstance: sopInstance }
    : { affectedSopClass: sopClass, affectedSopInstance: sopInstance };
  return { ...rest, ...names, commandField: requestFields[kind] };
}
