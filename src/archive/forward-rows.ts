// What forwarding keeps: what waits to be sent, and who holds what. Site rows, one for a study and a destination, never one for an instance.
//
// Invariant: a row that is not understood is refused and never guessed.

import { type TenantId, tenantId } from '../base/index.ts';
import type { JsonObject, JsonValue } from '../catalog/index.ts';

/** A study for a destination. */
export type ForwardName = { readonly to: string; readonly tenant: TenantId; readonly study: string };

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

/** What a destination took of a study: the instances of these series (none named: of all) that came up to one of them, in the order of their ids. */
export type Holding = ForwardName & {
  readonly series: readonly string[];
  readonly instances: number;
  /** SHA-256 of their SOP Instance UIDs, sorted, one a line. */
  readonly digest: string;
  /** Id of the last of them. */
  readonly through: string;
  readonly sentMs: number;
};

export function forwardKey({ to, tenant, study }: ForwardName): string {
  return `${to}/${tenant}/${study}`;
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
  const { instances, digest, through, sentMs } = row;
  if (name === undefined || typeof instances !== 'number' || typeof sentMs !== 'number') return undefined;
  if (typeof digest !== 'string' || typeof through !== 'string') return undefined;
  return { ...name, series: textsOf(row['series']), instances, digest, through, sentMs };
}

function nameOf({ to, tenant, study }: JsonObject): ForwardName | undefined {
  if (typeof to !== 'string' || typeof tenant !== 'number' || typeof study !== 'string') return undefined;
  return { to, tenant: tenantId(tenant), study };
}

function textsOf(value: JsonValue | undefined): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}
