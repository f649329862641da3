import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alarmLanguages, alarmText } from './alarm-texts.ts';
import {
  type AlarmCause,
  type AlarmFacts,
  alarmCauses,
  findAlarms,
  type PeerFacts,
  spaceEndMs,
} from './find-alarms.ts';
import { type AlarmNotice, type AlarmState, planAlarms } from './plan-alarms.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** A Monday. */
const monday = Date.UTC(2026, 0, 5);
const gib = 1024 ** 3;
const hourOfWeek = (ms: number): number => Math.floor((ms - monday) / hourMs) % 168;

function facts(more: Partial<AlarmFacts> = {}): AlarmFacts {
  return {
    nowMs: monday,
    hourOfWeek,
    disks: [],
    hasFewCopies: false,
    lostRecords: 0,
    unreadableEntries: 0,
    isCatalogStopped: false,
    isKeyringExported: true,
    certificateEndsMs: undefined,
    queues: [],
    peers: [],
    unreached: [],
    ...more,
  };
}

const disk = {
  label: 'a',
  state: 'present',
  freeBytes: 500 * gib,
  totalBytes: 1000 * gib,
  damagedPacks: 0,
  history: [],
} as const;
const causes = (more: Partial<AlarmFacts>): string[] =>
  findAlarms(facts(more)).map((each) => `${each.cause}/${each.subject}`);

test('nothing wrong is no alarm; each thing wrong is one, by its cause and subject', () => {
  assert.deepEqual(causes({ disks: [disk] }), []);
  assert.deepEqual(causes({ isCatalogStopped: true, lostRecords: 2, hasFewCopies: true, unreadableEntries: 1 }), [
    'catalog-stopped/',
    'content-lost/',
    'copies-few/',
    'entries-unreadable/',
  ]);
  assert.deepEqual(causes({ disks: [{ ...disk, state: 'missing', freeBytes: undefined, totalBytes: undefined }] }), [
    'disk-missing/a',
  ]);
  assert.deepEqual(causes({ disks: [{ ...disk, state: 'failing', damagedPacks: 3 }] }), [
    'disk-failing/a',
    'copy-damaged/a',
  ]);
  assert.deepEqual(causes({ disks: [{ ...disk, freeBytes: gib }] }), ['space-low/a']);
  assert.deepEqual(causes({ isKeyringExported: false, unreached: ['mail'] }), [
    'keyring-unexported/',
    'notice-failing/mail',
  ]);
  assert.deepEqual(causes({ certificateEndsMs: monday + 20 * dayMs }), ['certificate-ends/']);
  assert.deepEqual(causes({ certificateEndsMs: monday + 22 * dayMs }), []);
  const queues = [
    { name: 'PACS', waiting: 2, oldestMs: monday - 5 * hourMs },
    { name: 'WS', waiting: 1, oldestMs: monday - hourMs },
  ];
  assert.deepEqual(causes({ queues }), ['queue-stands/PACS']);
});

test('the day on which a disk is full is told a month before it', () => {
  const history = Array.from({ length: 10 }, (_, index) => ({
    atMs: monday - (10 - index) * dayMs,
    freeBytes: (600 - 10 * index) * gib,
  }));
  const filling = { ...disk, freeBytes: 500 * gib, history };
  const endMs = spaceEndMs(filling, monday);
  assert.equal(Math.round(((endMs ?? 0) - monday) / dayMs), 50);
  assert.deepEqual(causes({ disks: [filling] }), []);
  const sooner = {
    ...filling,
    freeBytes: 100 * gib,
    history: history.map((each) => ({ ...each, freeBytes: each.freeBytes - 400 * gib })),
  };
  assert.deepEqual(causes({ disks: [sooner] }), ['space-ends/a']);
  // Too short a time says nothing, nor does a disk that gains room.
  assert.equal(spaceEndMs({ freeBytes: gib, history: history.slice(-2) }, monday), undefined);
  assert.equal(spaceEndMs({ freeBytes: 900 * gib, history }, monday), undefined);
});

test('a peer is silent when usual hours pass without a word, and not at night', () => {
  // Weekdays from 8 to 17, for four weeks.
  const hours = new Map(
    Array.from({ length: 5 }, (_, day) => day).flatMap((day) =>
      Array.from({ length: 9 }, (_, hour) => [24 * day + 8 + hour, 4] as const),
    ),
  );
  const peer = (lastMs: number, weeks = 4): PeerFacts => ({ title: 'CT1', lastMs, weeks, hours });
  const at = (day: number, hour: number): number => monday + day * dayMs + hour * hourMs;
  const silent = (nowMs: number, lastMs: number, weeks = 4): boolean =>
    causes({ nowMs, peers: [peer(lastMs, weeks)] }).length > 0;
  assert.equal(silent(at(0, 9), at(-3, 16.9)), false);
  assert.equal(silent(at(0, 12), at(-3, 16.9)), true);
  assert.equal(silent(at(1, 7.5), at(0, 16.9)), false);
  assert.equal(silent(at(6, 20), at(4, 16.9)), false);
  assert.equal(silent(at(0, 16), at(0, 15.5)), false);
  assert.equal(silent(at(0, 12), at(-3, 16.9), 2), false);
});

const alarm = { cause: 'disk-missing', subject: 'a', weight: 'severe', facts: {} } as const;

function live(
  found: (atMs: number) => boolean,
  untilMs: number,
  take?: (state: AlarmState, atMs: number) => AlarmState,
): [string, number][] {
  let states: readonly AlarmState[] = [];
  let heartbeatAtMs = 0;
  const told: [string, number][] = [];
  for (let nowMs = 0; nowMs <= untilMs; nowMs += 60_000) {
    const plan = planAlarms(states, found(nowMs) ? [alarm] : [], { nowMs, heartbeatAtMs });
    states = take === undefined ? plan.states : plan.states.map((each) => take(each, nowMs));
    if (plan.notice === undefined) continue;
    heartbeatAtMs = nowMs;
    const { kind, begun, again, over } = plan.notice;
    const what =
      kind === 'heartbeat'
        ? kind
        : begun.length > 0
          ? 'begun'
          : again.length > 0
            ? 'again'
            : over.length > 0
              ? 'over'
              : '?';
    told.push([what, nowMs / hourMs]);
  }
  return told;
}

test('an alarm is told at once, again when nobody takes it up, ever more rarely, and when it is over', () => {
  const told = live((atMs) => atMs < 60 * hourMs, 70 * hourMs);
  assert.deepEqual(
    told.map(([what, hour]) => `${what} ${hour.toFixed(1)}`),
    ['begun 0.0', 'again 1.0', 'again 5.0', 'again 29.0', 'again 53.0', 'over 60.2'],
  );
});

test('who takes it up is not told again, but that it is over', () => {
  const told = live(
    (atMs) => atMs < 30 * hourMs,
    31 * hourMs,
    (state, atMs) => (atMs >= 90 * 60_000 ? { ...state, takenBy: 'li' } : state),
  );
  // In between a word that telling still works.
  assert.deepEqual(
    told.map(([what]) => what),
    ['begun', 'again', 'heartbeat', 'over'],
  );
});

test('what comes and goes is one alarm', () => {
  const told = live((atMs) => atMs % (8 * 60_000) < 3 * 60_000 && atMs < 50 * 60_000, 2 * hourMs);
  assert.deepEqual(
    told.map(([what]) => what),
    ['begun', 'over'],
  );
});

test('while nothing is wrong, a word a day says that telling works', () => {
  const told = live(() => false, 72 * hourMs);
  assert.deepEqual(told, [
    ['heartbeat', 24],
    ['heartbeat', 48],
    ['heartbeat', 72],
  ]);
  const quiet: AlarmNotice | undefined = planAlarms([], [], { nowMs: dayMs, heartbeatAtMs: 1 }).notice;
  assert.equal(quiet, undefined);
});

test('every cause has a sentence in both languages, with nothing left out', () => {
  for (const cause of Object.keys(alarmCauses) as AlarmCause[]) {
    for (const language of alarmLanguages) {
      const said = alarmText(
        { cause, subject: 'XY1', facts: { atMs: monday, bytes: gib, count: 7, hours: 5 } },
        language,
      );
      assert.ok(said.length > 8 && !/[{}]|undefined|NaN/.test(said), said);
      assert.equal(/[\u4e00-\u9fff]/.test(said), language === 'zh', said);
    }
  }
  assert.equal(
    alarmText({ cause: 'space-ends', subject: 'a', facts: { atMs: monday } }, 'en'),
    'disk a will be full on about 2026-01-05: run stele disk add',
  );
});
