// Alarms: what is wrong, who took it up, and what is still to be told to whom.
//
// Invariants: an alarm that holds has a row, durable when it was told; what is to be told waits in a queue for each target until it was taken, across restarts, for some
// days; a target that takes nothing is an alarm itself; no notice names a patient or an object.
// Left out on purpose: deciding what is an alarm and when it is told (policy), and the protocols (the alarm door).

import { ArchiveError, type Clock } from '../base/index.ts';
import type { Catalog, SiteTable } from '../catalog/index.ts';
import {
  type AlarmFacts,
  type AlarmNotice,
  type AlarmState,
  alarmKey,
  findAlarms,
  planAlarms,
} from '../policy/index.ts';
import type { Sql } from '../sql/index.ts';
import type { Accounts } from './accounts.ts';
import { type AlarmTarget, stateOf, stateRow, targetOf, targetRow } from './alarm-rows.ts';
import type { ApplicationEntities } from './application-entities.ts';
import type { Forwarding } from './forwarding.ts';
import { hourOfWeek, PeerHabits } from './peer-habits.ts';

/** A notice on its way to one target. */
export type AlarmDelivery = {
  readonly id: number;
  readonly target: AlarmTarget;
  readonly notice: AlarmNotice;
  readonly tries: number;
};

/** What of the archive's status is told as an alarm of its own. */
export type Findings = {
  readonly hasFewCopies: boolean;
  readonly unreadableEntries: number;
  readonly isCatalogStopped: boolean;
};

/** As much of the archive's status as alarms are found from. */
export type StatusForAlarms = {
  readonly disks: readonly {
    readonly label: string;
    readonly state: 'present' | 'failing' | 'missing';
    readonly freeBytes: number | undefined;
    readonly totalBytes: number | undefined;
    readonly badPacks: number;
  }[];
  readonly counters: { readonly lostRecords: number };
  readonly keys: { readonly exports: readonly unknown[] };
  readonly findings: Findings;
};

const statesTable = 'alarms';
const targetsTable = 'alarm_targets';
const clockTable = 'alarm_clock';
const nameForm = /^[A-Za-z0-9._-]{1,64}$/;
const schemes: ReadonlySet<string> = new Set([
  'smtp:',
  'smtps:',
  'syslog:',
  'syslog+tcp:',
  'syslog+tls:',
  'snmp:',
  'http:',
  'https:',
]);
const targetsMax = 50;
const waitingMax = 1000;
const keptMs = 3 * 86_400_000;
const minuteMs = 60_000;
/** After so many tries a target counts as not reached. */
const triesBeforeAlarm = 4;
const pausesMs = [minuteMs, 5 * minuteMs, 15 * minuteMs, 60 * minuteMs];
const historyDays = 60;
const dayMs = 86_400_000;
const queueRowsMax = 10_000;

export class Alarms {
  readonly #accounts: Accounts;
  readonly #entities: ApplicationEntities;
  readonly #forwarding: Forwarding;
  readonly #sql: Sql;
  readonly #clock: Clock;
  readonly #habits: PeerHabits;
  readonly #states: SiteTable<AlarmState>;
  readonly #targets: SiteTable<AlarmTarget>;
  readonly #heartbeat: SiteTable<number>;

  constructor(parts: {
    accounts: Accounts;
    catalog: Catalog;
    entities: ApplicationEntities;
    forwarding: Forwarding;
    sql: Sql;
    clock: Clock;
  }) {
    this.#accounts = parts.accounts;
    this.#entities = parts.entities;
    this.#forwarding = parts.forwarding;
    this.#sql = parts.sql;
    this.#clock = parts.clock;
    this.#habits = new PeerHabits(parts);
    this.#states = parts.catalog.site.table(statesTable, stateOf);
    this.#targets = parts.catalog.site.table(targetsTable, targetOf);
    this.#heartbeat = parts.catalog.site.table(clockTable, (row) =>
      typeof row['atMs'] === 'number' ? row['atMs'] : undefined,
    );
  }

  /** What holds, the oldest first. */
  async list(): Promise<AlarmState[]> {
    const rows = await this.#states.list();
    return rows.map((each) => each.row).sort((a, b) => a.sinceMs - b.sinceMs);
  }

  /** Somebody says that they see to it: it is told no more until it is over. NOT_FOUND. */
  async take(cause: string, subject: string, by: string): Promise<void> {
    const key = `${cause}/${subject}`;
    const state = await this.#states.get(key);
    if (state === undefined)
      throw new ArchiveError('NOT_FOUND', 'there is no such alarm', { hint: 'see: stele alarm list' });
    await this.#accounts.write([{ table: statesTable, key, row: stateRow({ ...state, takenBy: by }) }]);
  }

  async targets(): Promise<AlarmTarget[]> {
    return (await this.#targets.list()).map((each) => each.row);
  }

  /** Durable when it resolves. ARGUMENT_INVALID. */
  async setTarget(target: AlarmTarget): Promise<void> {
    checkTarget(target);
    const others = (await this.targets()).filter((each) => each.name !== target.name);
    if (others.length >= targetsMax)
      throw new ArchiveError('LIMIT_EXCEEDED', `alarms go to at most ${targetsMax} targets`);
    await this.#accounts.write([{ table: targetsTable, key: target.name, row: targetRow(target) }]);
  }

  /** NOT_FOUND. */
  async removeTarget(name: string): Promise<void> {
    await this.#targetNamed(name);
    await this.#accounts.write([{ table: targetsTable, key: name, row: null }]);
    await this.#sql.run('DELETE FROM alarm_outbox WHERE target = ?', [name]);
  }

  /** Queues a word that says only that it came. NOT_FOUND. */
  async test(name: string): Promise<void> {
    await this.#targetNamed(name);
    const open = (await this.list()).filter((each) => each.goneMs === undefined).length;
    await this.#queue([name], { kind: 'test', begun: [], again: [], over: [], open });
  }

  async #targetNamed(name: string): Promise<AlarmTarget> {
    const target = await this.#targets.get(name);
    if (target === undefined)
      throw new ArchiveError('NOT_FOUND', 'alarms go to no such target', { hint: 'see: stele alarm targets' });
    return target;
  }

  /** A peer sent something. */
  arrived(title: string): void {
    this.#habits.note(title);
  }

  /** Looks for what is wrong, and queues what is to be told of it. To be called every minute or so. */
  async look(status: StatusForAlarms, certificateEndsMs: number | undefined): Promise<void> {
    await this.#habits.keep();
    const nowMs = Math.floor(this.#clock.nowMs());
    const found = findAlarms(await this.#facts(status, certificateEndsMs, nowMs));
    const before = await this.list();
    const heartbeatAtMs = (await this.#heartbeat.get('heartbeat')) ?? 0;
    const { states, notice } = planAlarms(before, found, { nowMs, heartbeatAtMs });
    const after = new Map(states.map((each) => [alarmKey(each), each]));
    const known = new Map(before.map((each) => [alarmKey(each), each]));
    const changed = [...after].filter(([key, state]) => differs(known.get(key), state));
    const rows = [
      ...changed.map(([key, state]) => ({ table: statesTable, key, row: stateRow(state) })),
      ...[...known.keys()].filter((key) => !after.has(key)).map((key) => ({ table: statesTable, key, row: null })),
      ...(notice === undefined ? [] : [{ table: clockTable, key: 'heartbeat', row: { atMs: nowMs } }]),
    ];
    if (notice !== undefined) await this.#queueFor(notice);
    if (rows.length > 0) await this.#accounts.write(rows);
  }

  async #facts(status: StatusForAlarms, certificateEndsMs: number | undefined, nowMs: number): Promise<AlarmFacts> {
    const disks: AlarmFacts['disks'][number][] = [];
    for (const disk of status.disks) {
      const { label, freeBytes, totalBytes, badPacks } = disk;
      const history = await this.#historyOf(label, freeBytes, nowMs);
      disks.push({ label, state: disk.state, freeBytes, totalBytes, damagedPacks: badPacks, history });
    }
    const queues = new Map<string, { name: string; waiting: number; oldestMs: number }>();
    let seen = 0;
    for await (const { to, queuedMs, givenUp } of this.#forwarding.queue()) {
      seen += 1;
      if (seen > queueRowsMax) break;
      if (givenUp) continue;
      const queue = queues.get(to) ?? { name: to, waiting: 0, oldestMs: queuedMs };
      queue.waiting += 1;
      queue.oldestMs = Math.min(queue.oldestMs, queuedMs);
      queues.set(to, queue);
    }
    const peers = [];
    for (const { title } of await this.#entities.list()) {
      const habit = await this.#habits.of(title);
      if (habit !== undefined) peers.push(habit);
    }
    const unreached = await this.#sql.all<{ target: string }>(
      'SELECT DISTINCT target FROM alarm_outbox WHERE tries >= ? ORDER BY target',
      [triesBeforeAlarm],
    );
    return {
      nowMs,
      hourOfWeek,
      disks,
      hasFewCopies: status.findings.hasFewCopies,
      lostRecords: status.counters.lostRecords,
      unreadableEntries: status.findings.unreadableEntries,
      isCatalogStopped: status.findings.isCatalogStopped,
      isKeyringExported: status.keys.exports.length > 0,
      certificateEndsMs,
      queues: [...queues.values()],
      peers,
      unreached: unreached.map((each) => each.target),
    };
  }

  /** One figure a day, the first of the day. */
  async #historyOf(
    label: string,
    freeBytes: number | undefined,
    nowMs: number,
  ): Promise<AlarmFacts['disks'][number]['history']> {
    const day = Math.floor(nowMs / dayMs);
    if (freeBytes !== undefined) {
      await this.#sql.run(
        'INSERT INTO disk_days (label, day, at_ms, free_bytes) VALUES (?, ?, ?, ?) ON CONFLICT (label, day) DO NOTHING',
        [label, day, nowMs, freeBytes],
      );
      await this.#sql.run('DELETE FROM disk_days WHERE day < ?', [day - historyDays]);
    }
    const rows = await this.#sql.all<{ at_ms: number; free_bytes: number }>(
      'SELECT at_ms, free_bytes FROM disk_days WHERE label = ? AND day < ? ORDER BY day',
      [label, day],
    );
    return rows.map((row) => ({ atMs: row.at_ms, freeBytes: row.free_bytes }));
  }

  async #queueFor(notice: AlarmNotice): Promise<void> {
    const isSevere = [...notice.begun, ...notice.again, ...notice.over].some((each) => each.weight === 'severe');
    const targets = (await this.targets()).filter(
      (each) => notice.kind === 'heartbeat' || each.least === 'warning' || isSevere,
    );
    await this.#queue(
      targets.map((each) => each.name),
      notice,
    );
  }

  async #queue(targets: readonly string[], notice: AlarmNotice): Promise<void> {
    const nowMs = Math.floor(this.#clock.nowMs());
    await this.#sql.transaction(async (tx) => {
      const last = await tx.one<{ id: number | null }>('SELECT max(id) AS id FROM alarm_outbox');
      await tx.many(
        'INSERT INTO alarm_outbox (id, target, notice, created_ms, due_ms, tries) VALUES (?, ?, ?, ?, ?, 0)',
        targets.map((target, index) => [(last?.id ?? 0) + 1 + index, target, JSON.stringify(notice), nowMs, nowMs]),
      );
      // The newest matter most.
      await tx.run('DELETE FROM alarm_outbox WHERE created_ms < ? OR id <= (SELECT max(id) FROM alarm_outbox) - ?', [
        nowMs - keptMs,
        waitingMax,
      ]);
    });
  }

  /** What is to be sent now, the oldest first. */
  async due(): Promise<AlarmDelivery[]> {
    const rows = await this.#sql.all<{ id: number; target: string; notice: string; tries: number }>(
      'SELECT id, target, notice, tries FROM alarm_outbox WHERE due_ms <= ? ORDER BY id LIMIT 100',
      [Math.floor(this.#clock.nowMs())],
    );
    const targets = new Map((await this.targets()).map((each) => [each.name, each]));
    return rows.flatMap(({ id, target, notice, tries }) => {
      const known = targets.get(target);
      return known === undefined ? [] : [{ id, target: known, notice: JSON.parse(notice) as AlarmNotice, tries }];
    });
  }

  async delivered({ id }: AlarmDelivery): Promise<void> {
    await this.#sql.run('DELETE FROM alarm_outbox WHERE id = ?', [id]);
  }

  /** Tried again later, ever less often. */
  async failed({ id, tries }: AlarmDelivery): Promise<void> {
    const pauseMs = pausesMs[Math.min(tries, pausesMs.length - 1)] ?? minuteMs;
    const dueMs = Math.floor(this.#clock.nowMs()) + pauseMs;
    await this.#sql.run('UPDATE alarm_outbox SET tries = tries + 1, due_ms = ? WHERE id = ?', [dueMs, id]);
  }
}

/** Counts and times that go on changing are no news. */
function differs(before: AlarmState | undefined, now: AlarmState): boolean {
  return (
    before === undefined ||
    before.tellings !== now.tellings ||
    before.goneMs !== now.goneMs ||
    before.weight !== now.weight
  );
}

function checkTarget({ name, url }: AlarmTarget): void {
  if (!nameForm.test(name))
    throw new ArchiveError('ARGUMENT_INVALID', 'a target has a name of letters, digits, dots and dashes');
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !schemes.has(parsed.protocol) || parsed.hostname === '')
    throw new ArchiveError(
      'ARGUMENT_INVALID',
      'a target is a URL of smtp, smtps, syslog, syslog+tcp, syslog+tls, snmp, http or https',
      {
        hint: 'such as smtp://user:password@mail.example:587?from=stele@example&to=it@example',
      },
    );
  if (parsed.protocol.startsWith('smtp') && (!parsed.searchParams.has('from') || !parsed.searchParams.has('to')))
    throw new ArchiveError('ARGUMENT_INVALID', 'mail needs ?from=ADDRESS&to=ADDRESS in its URL');
}
