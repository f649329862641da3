// Whom to tell of alarms, and when: at once, again if nobody answers, and when they are over; and a word once a day that telling still works.
//
// Invariants: an alarm is told when it begins and when it is over; in between again after one hour, four hours and then every day, unless somebody took it up; one
// that ends and begins again within some minutes is one; what is told at one time goes in one notice.

import type { Alarm, AlarmCause, AlarmWeight } from './find-alarms.ts';

export type AlarmState = {
  readonly cause: AlarmCause;
  readonly subject: string;
  readonly weight: AlarmWeight;
  readonly facts: Readonly<Record<string, number>>;
  readonly sinceMs: number;
  /** When it was told last, and how often so far. */
  readonly toldMs: number;
  readonly tellings: number;
  /** When it was not found any more; it is over some minutes later. */
  readonly goneMs: number | undefined;
  /** Who took it up. */
  readonly takenBy: string | undefined;
};

export type AlarmNotice = {
  readonly kind: 'alarm' | 'heartbeat' | 'test';
  readonly begun: readonly AlarmState[];
  readonly again: readonly AlarmState[];
  readonly over: readonly AlarmState[];
  /** All that hold. */
  readonly open: number;
};

export type AlarmPlan = { readonly states: readonly AlarmState[]; readonly notice: AlarmNotice | undefined };

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const overAfterMs = 10 * minuteMs;
const heartbeatMs = 24 * hourMs;

export const alarmKey = ({ cause, subject }: { readonly cause: AlarmCause; readonly subject: string }): string =>
  `${cause}/${subject}`;

export function planAlarms(
  before: readonly AlarmState[],
  found: readonly Alarm[],
  { nowMs, heartbeatAtMs }: { readonly nowMs: number; readonly heartbeatAtMs: number },
): AlarmPlan {
  const known = new Map(before.map((each) => [alarmKey(each), each]));
  const states: AlarmState[] = [];
  const begun: AlarmState[] = [];
  const again: AlarmState[] = [];
  const over: AlarmState[] = [];
  for (const alarm of found) {
    const state = known.get(alarmKey(alarm));
    known.delete(alarmKey(alarm));
    if (state === undefined) {
      const fresh: AlarmState = {
        ...alarm,
        sinceMs: nowMs,
        toldMs: nowMs,
        tellings: 1,
        goneMs: undefined,
        takenBy: undefined,
      };
      begun.push(fresh);
      states.push(fresh);
      continue;
    }
    const current = { ...state, facts: alarm.facts, weight: alarm.weight, goneMs: undefined };
    const isDue = state.takenBy === undefined && nowMs - state.toldMs >= pauseMs(state.tellings);
    if (isDue) {
      const told = { ...current, toldMs: nowMs, tellings: state.tellings + 1 };
      again.push(told);
      states.push(told);
    } else states.push(current);
  }
  for (const state of known.values()) {
    const goneMs = state.goneMs ?? nowMs;
    if (nowMs - goneMs >= overAfterMs) over.push(state);
    else states.push({ ...state, goneMs });
  }
  const open = states.filter((each) => each.goneMs === undefined).length;
  const hasNews = begun.length + again.length + over.length > 0;
  if (!hasNews && nowMs - heartbeatAtMs < heartbeatMs) return { states, notice: undefined };
  return { states, notice: { kind: hasNews ? 'alarm' : 'heartbeat', begun, again, over, open } };
}

/** After the first telling an hour, after the second four, then a day. */
function pauseMs(tellings: number): number {
  return tellings === 1 ? hourMs : tellings === 2 ? 4 * hourMs : 24 * hourMs;
}
