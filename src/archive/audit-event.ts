// An audited event: what it says, as the text that is hashed and kept.
//
// Invariants: a text begins with its number in the chain and the hash of the text before it; times are milliseconds since 1970; it says our ids and UIDs, names of
// accounts and titles, and never a name of a patient; what this version does not know in a text is left as it is.

import { hash } from 'node:crypto';
import type { TenantId } from '../base/index.ts';
import { type Principal, whoOf } from './principal.ts';
import type { Action } from './rights.ts';

/** What an event says of a call beside who and when: our ids and UIDs, never a name of a patient. */
export type About = {
  readonly tenant?: TenantId | undefined;
  readonly study?: string | undefined;
  /** Of what is no study: a bucket, a user, a title, a key group. */
  readonly subject?: string | undefined;
  /** Where an answer is a refusal. */
  readonly result?: string | undefined;
};

/** Where a chain goes on from: the end of the one before. */
export type ChainEnd = { readonly chain: string; readonly number: number; readonly hash: string };

export type AuditEvent = {
  readonly atMs: number;
  /** An action of the table of rights, `log.in`, `log.out`, `audit.begin` or `command`. */
  readonly action: string;
  /** `ok` or the code of an error. */
  readonly result: string;
  /** `user:NAME`, `token:NAME/TOKEN`, `entity:TITLE`, `operator:ACCOUNT`, `task:NAME`, `visitor:` and what was claimed. */
  readonly who: string;
  readonly from: string | undefined;
  readonly door: string;
  readonly tenant: number | undefined;
  readonly study: string | undefined;
  readonly subject: string | undefined;
  /** How many calls it stands for, and until when. */
  readonly count: number;
  readonly untilMs: number | undefined;
  /** Of `audit.begin`. */
  readonly follows: ChainEnd | undefined;
};

export type ChainedEvent = AuditEvent & { readonly number: number; readonly before: string };

/** What the guard tells of calls. `result` is `ok` or the code of an error. */
export type CallTeller = {
  /** Counted with others of its kind. Never throws. BUSY, before the call: nothing more can be told now. */
  readonly checkRoom: () => void;
  readonly note: (principal: Principal, action: Action, about: About, result: string) => void;
  /** Durable when it resolves. */
  readonly say: (principal: Principal, action: Action, about: About, result: string) => Promise<void>;
};

const wordCharsMax = 256;
export const beginAction = 'audit.begin';
export const noHash = '0'.repeat(64);

export function hashOfText(text: string): string {
  return hash('sha256', text, 'hex');
}

export function eventOf(
  principal: Principal,
  action: string,
  about: About,
  said: { readonly atMs: number; readonly result: string },
): AuditEvent {
  return {
    ...said,
    action,
    who: whoOf(principal),
    from: principal.address,
    door: principal.door,
    tenant: about.tenant,
    study: printable(about.study),
    subject: printable(about.subject),
    count: 1,
    untilMs: undefined,
    follows: undefined,
  };
}

/** What a caller called itself is shown to people: no control characters, and not without end. */
function printable(text: string | undefined): string | undefined {
  return text?.replace(/[\x00-\x1f\x7f-\x9f]/g, '?').slice(0, wordCharsMax);
}

export function textOfEvent(event: AuditEvent, number: number, before: string): string {
  const { follows } = event;
  return JSON.stringify({
    n: number,
    before,
    at: event.atMs,
    action: event.action,
    result: event.result,
    who: event.who,
    from: event.from,
    door: event.door,
    tenant: event.tenant,
    study: event.study,
    subject: event.subject,
    count: event.count === 1 ? undefined : event.count,
    until: event.untilMs,
    follows: follows === undefined ? undefined : [follows.chain, follows.number, follows.hash],
  });
}

/** The beginning that the text of an event in its place has. */
export function placeText(number: number, before: string): string {
  return `{"n":${number},"before":"${before}"`;
}

/** undefined: this is no text of an event. */
export function eventOfText(text: string): ChainedEvent | undefined {
  let json: Record<string, unknown>;
  try {
    const read: unknown = JSON.parse(text);
    if (typeof read !== 'object' || read === null) return undefined;
    json = read as Record<string, unknown>;
  } catch {
    return undefined;
  }
  const { n, before, at } = json;
  if (typeof n !== 'number' || !Number.isSafeInteger(n) || n < 1 || typeof before !== 'string') return undefined;
  const word = (name: string): string | undefined => (typeof json[name] === 'string' ? json[name] : undefined);
  const count = (name: string): number | undefined =>
    typeof json[name] === 'number' && Number.isSafeInteger(json[name]) ? json[name] : undefined;
  return {
    number: n,
    before,
    atMs: typeof at === 'number' && Number.isSafeInteger(at) ? at : 0,
    action: word('action') ?? '',
    result: word('result') ?? '',
    who: word('who') ?? '',
    from: word('from'),
    door: word('door') ?? '',
    tenant: count('tenant'),
    study: word('study'),
    subject: word('subject'),
    count: count('count') ?? 1,
    untilMs: count('until'),
    follows: endOf(json['follows']),
  };
}

function endOf(value: unknown): ChainEnd | undefined {
  if (!Array.isArray(value)) return undefined;
  const [chain, number, digest] = value as unknown[];
  if (typeof chain !== 'string' || typeof number !== 'number' || typeof digest !== 'string') return undefined;
  return { chain, number, hash: digest };
}
