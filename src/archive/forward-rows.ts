// What forwarding keeps: what waits to be sent, and who holds what. Site rows, one for a study and a destination, never one for an instance.
//
// Invariant: a row that is not understood is refused and never guessed.

import { type TenantId, tenantId } from '../base/index.ts';
import type { JsonObject, JsonValue } from '../catalog/index.ts';

/** The instances of a study, or only the notice that they are available here. */
export const forwardKinds = ['instances', 'notice'] as const;
export type ForwardKind = (typeof forwardKinds)[number];

/** A study for a destination. */
export type ForwardName = {
  readonly to: string;
  readonly tenant: TenantId;
  readonly study: string;
  readonly what: ForwardKind;
};

/** What waits to be sent. */
export type Forward = ForwardName & {
  /** Series that a rule took; empty: all. */
  readonly series: readonly string[];
  readonly queuedMs: number;
  readonly tries: number;
  readonly nextMs: number;
  /** Tried for as long as it is tried; nothing happens to it until somebody asks. */
  readonly givenUp: boolean;
  /** A code or a count, never a name. */
  readonly lastError: string | undefined;
};

/**
 * What a destination took of a study, or was told of it: the instances of these series (none named: of all) that came up to one of them, in the order of their
 * ids.
 */
export type Holding = ForwardName & {
  readonly series: readonly string[];
  readonly instances: number;
  /** SHA-256 of their SOP Instance UIDs, sorted, one a line. */
  readonly digest: string;
  /** The same of their UIDs, each with the id of what was stored: another one where other bytes took an instance's place, or a correction changed the study. */
  readonly content: string;
  /** Counts the contents that the destination was given, from 1. */
  readonly version: number;
  /** Id of the last of them. */
  readonly through: string;
  readonly sentMs: number;
};

export function forwardKey({ to, tenant, study, what }: ForwardName): string {
  return `${to}/${tenant}/${study}${what === 'instances' ? '' : `/${what}`}`;
}

export function rowOfForward({ lastError, ...rest }: Forward): JsonObject {
  return lastError === undefined ? rest : { ...rest, lastError };
}

export function rowOfHolding(holding: Holding): JsonObject {
  return { ...holding };
}

export function forwardOfRow(row: JsonObject): Forward | undefined {
  const name = nameOf(row);
  const { queuedMs, tries, nextMs, givenUp, lastError } = row;
  if (name === undefined || typeof queuedMs !== 'number' || typeof tries !== 'number' || typeof nextMs !== 'number')
    return undefined;
  return {
    ...name,
    series: textsOf(row['series']),
    queuedMs,
    tries,
    nextMs,
    givenUp: givenUp === true,
    lastError: typeof lastError === 'string' ? lastError : undefined,
  };
}

export function holdingOfRow(row: JsonObject): Holding | undefined {
  const name = nameOf(row);
  const { instances, digest, content, version, through, sentMs } = row;
  if (name === undefined || typeof instances !== 'number' || typeof sentMs !== 'number') return undefined;
  if (typeof digest !== 'string' || typeof through !== 'string') return undefined;
  const told = {
    // A row of before versions were told is older than whatever is here.
    content: typeof content === 'string' ? content : '',
    version: typeof version === 'number' ? version : 1,
  };
  return { ...name, series: textsOf(row['series']), instances, digest, ...told, through, sentMs };
}

function nameOf({ to, tenant, study, what }: JsonObject): ForwardName | undefined {
  const kind = forwardKinds.find((each) => each === (what ?? 'instances'));
  if (typeof to !== 'string' || typeof tenant !== 'number' || typeof study !== 'string') return undefined;
  return kind === undefined ? undefined : { to, tenant: tenantId(tenant), study, what: kind };
}

function textsOf(value: JsonValue | undefined): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}
