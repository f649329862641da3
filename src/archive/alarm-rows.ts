// Rows of alarms: the site tables of what holds and who is told, and the text of a notice that waits.
//
// Invariant: a row that cannot be read is passed over, so that no damaged row keeps an alarm from being told.

import type { JsonObject, JsonValue } from '../catalog/index.ts';
import {
  type AlarmCause,
  type AlarmLanguage,
  type AlarmState,
  type AlarmWeight,
  alarmCauses,
} from '../policy/index.ts';

export const targetForms = ['text', 'json', 'wecom', 'dingtalk'] as const;
export type TargetForm = (typeof targetForms)[number];

/** Who is told: by mail, syslog, SNMP or a webhook, as the URL says. */
export type AlarmTarget = {
  readonly name: string;
  readonly url: string;
  /** What a webhook takes. */
  readonly form: TargetForm;
  /** What a webhook's requests are signed with. */
  readonly secret: string | undefined;
  readonly language: AlarmLanguage;
  /** Lighter ones are not told. */
  readonly least: AlarmWeight;
};

const text = (value: JsonValue | undefined): string | undefined => (typeof value === 'string' ? value : undefined);
const number = (value: JsonValue | undefined): number | undefined => (typeof value === 'number' ? value : undefined);

export function targetRow(target: AlarmTarget): JsonObject {
  const { name, url, form, secret, language, least } = target;
  return { name, url, form, language, least, ...(secret === undefined ? {} : { secret }) };
}

export function targetOf(row: JsonObject): AlarmTarget | undefined {
  const [name, url, form] = [text(row['name']), text(row['url']), targetForms.find((each) => each === row['form'])];
  if (name === undefined || url === undefined || form === undefined) return undefined;
  return {
    name,
    url,
    form,
    secret: text(row['secret']),
    language: row['language'] === 'zh' ? 'zh' : 'en',
    least: row['least'] === 'severe' ? 'severe' : 'warning',
  };
}

export function stateRow(state: AlarmState): JsonObject {
  const { cause, subject, weight, facts, sinceMs, toldMs, tellings, goneMs, takenBy } = state;
  return {
    cause,
    subject,
    weight,
    facts: { ...facts },
    sinceMs,
    toldMs,
    tellings,
    ...(goneMs === undefined ? {} : { goneMs }),
    ...(takenBy === undefined ? {} : { takenBy }),
  };
}

export function stateOf(row: JsonObject): AlarmState | undefined {
  const cause = text(row['cause']);
  const [subject, sinceMs] = [text(row['subject']), number(row['sinceMs'])];
  if (cause === undefined || !(cause in alarmCauses) || subject === undefined || sinceMs === undefined)
    return undefined;
  const { facts } = row;
  const isTable = typeof facts === 'object' && facts !== null && !Array.isArray(facts);
  const pairs = Object.entries(isTable ? facts : {}).filter(
    (pair): pair is [string, number] => typeof pair[1] === 'number',
  );
  return {
    cause: cause as AlarmCause,
    subject,
    weight: row['weight'] === 'severe' ? 'severe' : 'warning',
    facts: Object.fromEntries(pairs),
    sinceMs,
    toldMs: number(row['toldMs']) ?? sinceMs,
    tellings: number(row['tellings']) ?? 1,
    goneMs: number(row['goneMs']),
    takenBy: text(row['takenBy']),
  };
}
