// The N-services as their user (PS3.7 chapter 10): N-EVENT-REPORT, N-GET, N-SET, N-ACTION, N-CREATE, N-DELETE on an open association.
//
// Invariants: as in dimse-user.ts: a status is a value, a broken association an error. The answer's data set comes whole, bounded by
// `gatheredBytesMax`.
// Left out on purpose: what events, actions and attributes mean.

import type { Association, RequestOptions } from './association.ts';
import type { CommandSet } from './command-set.ts';
import { type RequestKind, requestOf } from './dimse-commands.ts';
import { contextOf, type Outcome, onlyResponse } from './dimse-user.ts';
import type { AcceptedContext } from './incoming-message.ts';
import { gatheredBytesMax } from './limits.ts';
import type { OutgoingData } from './message-writer.ts';

export type InstanceRequest = {
  readonly sopClass: string;
  readonly sopInstance: string;
  /** By default the first accepted one for the SOP class. */
  readonly context?: AcceptedContext | undefined;
  /** A data set in the context's transfer syntax. */
  readonly data?: OutgoingData | undefined;
  readonly responseMs?: number | undefined;
};

export type NOutcome = Outcome & { readonly data: Uint8Array | undefined };

export function nEventReport(
  association: Association,
  request: InstanceRequest & { readonly eventType: number },
): Promise<NOutcome> {
  return invoke(association, 'N-EVENT-REPORT', request, { eventType: request.eventType });
}

export function nAction(
  association: Association,
  request: InstanceRequest & { readonly actionType: number },
): Promise<NOutcome> {
  return invoke(association, 'N-ACTION', request, { actionType: request.actionType });
}

/** Without an instance the peer makes its UID, which the outcome's command then names. */
export function nCreate(
  association: Association,
  request: Omit<InstanceRequest, 'sopInstance'> & { readonly sopInstance?: string | undefined },
): Promise<NOutcome> {
  return invoke(association, 'N-CREATE', request, {});
}

export function nSet(association: Association, request: InstanceRequest): Promise<NOutcome> {
  return invoke(association, 'N-SET', request, {});
}

/** Without attributes, all that the peer likes to tell. */
export function nGet(
  association: Association,
  request: Omit<InstanceRequest, 'data'> & { readonly attributes?: readonly number[] | undefined },
): Promise<NOutcome> {
  return invoke(association, 'N-GET', request, { attributes: request.attributes });
}

export function nDelete(association: Association, request: Omit<InstanceRequest, 'data'>): Promise<NOutcome> {
  return invoke(association, 'N-DELETE', request, {});
}

async function invoke(
  association: Association,
  kind: RequestKind,
  request: Omit<InstanceRequest, 'sopInstance'> & { readonly sopInstance?: string | undefined },
  fields: Partial<CommandSet>,
): Promise<NOutcome> {
  const { sopClass, sopInstance, responseMs } = request;
  const { id } = contextOf(association, request);
  const command = requestOf(kind, { ...fields, sopClass, sopInstance });
  const options: RequestOptions = { responseMs };
  const operation = await association.request(command, { kind, contextId: id }, request.data, options);
  const response = await onlyResponse(operation);
  const data = await response.data?.gather(gatheredBytesMax);
  return { status: response.status, command: response.command, data };
}
