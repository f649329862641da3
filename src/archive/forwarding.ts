// Forwarding: studies that rules send on, from the moment they are stored until their destinations have them.
//
// Invariants: whoever is told that an instance is stored may rely on its being sent, too: what waits is written before that, once for a study and
// a destination; it goes when every instance of the series that were taken was taken by the peer, and not before, also when more came
// meanwhile; it is tried for `keptMs`, ever less often, across restarts, and then kept for somebody to see. What a destination holds is told by a count and digests, and is
// compared before only what is new is sent: where they differ, all is sent again, which a receiver takes as the same, unless every rule that sends there says
// once.
// Memory is bounded: what was decided and what waits quietly is kept for the latest ones only, and found in the rows otherwise.
// Left out on purpose: associations (the DICOM door), and undoing at a destination what was hidden here.

import { ArchiveError, type Clock, hexOf, sha256, type TenantId, utf8Bytes } from '../base/index.ts';
import type { Catalog, FoundInstance, SearchCondition, SiteTable } from '../catalog/index.ts';
import type { Accounts, SiteWrite } from './accounts.ts';
import {
  type Forward,
  type ForwardKind,
  type ForwardName,
  forwardKey,
  forwardOfRow,
  type Holding,
  holdingOfRow,
  rowOfForward,
  rowOfHolding,
} from './forward-rows.ts';
import { checkRule, type ForwardRule, rowOfRule, ruleOfRow, takesSeries } from './forward-rules.ts';
import type { StoredInstance, StoreInstance } from './instances.ts';
import { KeyTurns } from './key-turns.ts';

/** What there is to send of a study, in the order of ids. */
export type ForwardPlan = {
  readonly forward: Forward;
  readonly series: readonly string[];
  /** What the destination has already. */
  readonly held: readonly FoundInstance[];
  readonly missing: readonly FoundInstance[];
  /** What the ledger said when it was planned. */
  readonly before: Holding | undefined;
  /** What it holds is not what is here, and stays so: its rules say once. */
  readonly isOlder: boolean;
};

/** What a destination holds, against what is here now. */
export type Standing = {
  readonly holding: Holding;
  readonly state: 'current' | 'older';
  /** Instances that came since, of the series that were sent. */
  readonly added: number;
  /** Whether what was sent is not what is here of it any more. */
  readonly changed: boolean;
};

export type Due = { readonly due: readonly Forward[]; readonly nextMs: number | undefined };

const rulesTable = 'forward_rules';
const queueTable = 'forward_queue';
const ledgerTable = 'forward_ledger';
const rulesMax = 100;
const seriesMax = 1000;
const decidedMax = 10_000;
const waitingMax = 10_000;
/** Studies of one destination that are handed out at once. */
const dueMax = 100;
const keptMs = 7 * 86_400_000;
const firstRetryMs = 30_000;
const retryMsMax = 60 * 60_000;
/** A destination that does not answer is tried with one study so often. */
const pauseMsMax = 5 * 60_000;
/** A study that never becomes quiet goes in parts, after so many times its quiet time. */
const quietTimesMax = 20;

/** A destination that takes a series, and for how long its study must be quiet first. */
type Taker = { readonly to: string; readonly what: ForwardKind; readonly quietMs: number };

/** A study on its way in, whose row is written. */
type Waiting = { readonly series: Set<string>; readonly firstMs: number; lastMs: number; quietMs: number };

export class Forwarding {
  readonly #catalog: Catalog;
  readonly #accounts: Accounts;
  readonly #clock: Clock;
  readonly #ruleTable: SiteTable<ForwardRule>;
  readonly #queueTable: SiteTable<Forward>;
  readonly #ledgerTable: SiteTable<Holding>;
  #rules: Promise<readonly ForwardRule[]> | undefined;
  readonly #decided = new Map<string, Promise<readonly Taker[]>>();
  readonly #waiting = new Map<string, Waiting>();
  readonly #paused = new Map<string, number>();
  /** By study and destination. */
  readonly #turns = new KeyTurns();
  #sleepsUntilMs = Number.POSITIVE_INFINITY;
  #woken = Promise.withResolvers<void>();

  constructor(parts: { catalog: Catalog; accounts: Accounts; clock: Clock }) {
    this.#catalog = parts.catalog;
    this.#accounts = parts.accounts;
    this.#clock = parts.clock;
    const { site } = parts.catalog;
    this.#ruleTable = site.table(rulesTable, ruleOfRow);
    this.#queueTable = site.table(queueTable, forwardOfRow);
    this.#ledgerTable = site.table(ledgerTable, holdingOfRow);
  }

  async rules(): Promise<readonly ForwardRule[]> {
    this.#rules ??= this.#ruleTable.list().then(
      (rows) => rows.map((each) => each.row),
      (error: unknown) => {
        this.#rules = undefined;
        throw error;
      },
    );
    return this.#rules;
  }

  /** Makes or changes a rule. Durable when it resolves; what is stored from then on goes by it. ARGUMENT_INVALID, LIMIT_EXCEEDED. */
  async setRule(rule: ForwardRule): Promise<void> {
    checkRule(rule);
    const rules = await this.rules();
    if (rules.length >= rulesMax && !rules.some((each) => each.name === rule.name))
      throw new ArchiveError('LIMIT_EXCEEDED', `there are at most ${rulesMax} rules`);
    await this.#writeRule({ table: rulesTable, key: rule.name, row: rowOfRule(rule) });
  }

  /** What it has queued stays queued. NOT_FOUND. */
  async removeRule(name: string): Promise<void> {
    if (!(await this.rules()).some((each) => each.name === name))
      throw new ArchiveError('NOT_FOUND', 'there is no such rule', { hint: 'see: stele forward list' });
    await this.#writeRule({ table: rulesTable, key: name, row: null });
  }

  async #writeRule(write: SiteWrite): Promise<void> {
    try {
      await this.#accounts.write([write]);
    } finally {
      this.#rules = undefined;
      this.#decided.clear();
    }
  }

  /** Notes what was stored, before its sender is told. Durable when it resolves; safe to repeat. */
  async note(stored: StoredInstance, { tenant, source }: StoreInstance): Promise<void> {
    if ((await this.rules()).length === 0) return;
    const { studyUid: study, seriesUid: series } = stored;
    for (const taker of await this.#takersOf({ tenant, study, series, source })) {
      const name = { to: taker.to, tenant, study, what: taker.what };
      const waiting = this.#waiting.get(forwardKey(name));
      if (waiting?.series.has(series) === true) this.#arrived(waiting, taker);
      else await this.#turns.inTurn(forwardKey(name), () => this.#queue(name, series, taker));
    }
  }

  #arrived(waiting: Waiting, { quietMs }: Taker): void {
    waiting.lastMs = this.#clock.nowMs();
    waiting.quietMs = Math.max(waiting.quietMs, quietMs);
  }

  #takersOf(of: {
    tenant: TenantId;
    study: string;
    series: string;
    source: string | undefined;
  }): Promise<readonly Taker[]> {
    const hour = new Date(this.#clock.nowMs()).getHours();
    const name = JSON.stringify([of.tenant, of.study, of.series, of.source ?? '', hour]);
    const known = this.#decided.get(name);
    if (known !== undefined) return known;
    if (this.#decided.size >= decidedMax) this.#decided.clear();
    const deciding = this.#decide(of, hour);
    this.#decided.set(name, deciding);
    // Decided again by the next instance of the series.
    deciding.catch(() => this.#decided.delete(name));
    return deciding;
  }

  async #decide(
    of: { tenant: TenantId; study: string; series: string; source: string | undefined },
    hour: number,
  ): Promise<readonly Taker[]> {
    const conditions = [equals('studyUid', of.study), equals('seriesUid', of.series)];
    const page = await this.#catalog.search.series({ tenant: of.tenant, conditions }, { limit: 1 });
    const [found] = page.rows;
    // Hidden as soon as it came: there is nothing to send.
    if (found === undefined) return [];
    const facts = { source: of.source, modality: found.modality, description: found.study.description, hour };
    const takers = new Map<string, Taker>();
    for (const rule of await this.rules()) {
      if (!takesSeries(rule, facts)) continue;
      const { to, what } = rule;
      const known = takers.get(`${what}/${to}`)?.quietMs ?? 0;
      takers.set(`${what}/${to}`, { to, what, quietMs: Math.max(known, rule.quietSeconds * 1000) });
    }
    return [...takers.values()];
  }

  async #queue(name: ForwardName, series: string, taker: Taker): Promise<void> {
    const key = forwardKey(name);
    const waiting = this.#waiting.get(key);
    if (waiting?.series.has(series) === true) return this.#arrived(waiting, taker);
    const row = await this.#queueTable.get(key);
    const nowMs = Math.floor(this.#clock.nowMs());
    const known = row?.series ?? [];
    const isTaken = row !== undefined && (known.length === 0 || known.includes(series));
    if (row === undefined || row.givenUp || !isTaken) {
      const nextMs = nowMs + taker.quietMs;
      const fresh = { queuedMs: nowMs, tries: 0, nextMs, givenUp: false, lastError: undefined };
      const state = row === undefined || row.givenUp ? fresh : row;
      await this.#write({ ...state, ...name, series: isTaken ? known : seriesWith(known, [series]) });
    }
    if (waiting === undefined && this.#waiting.size >= waitingMax)
      for (const oldest of this.#waiting.keys()) {
        this.#waiting.delete(oldest);
        break;
      }
    const now = waiting ?? { series: new Set<string>(), firstMs: nowMs, lastMs: nowMs, quietMs: taker.quietMs };
    now.series.add(series);
    this.#arrived(now, taker);
    this.#waiting.set(key, now);
    if (nowMs + taker.quietMs < this.#sleepsUntilMs) this.#wake();
  }

  /**
   * Has a whole study sent, whatever rules say, unless the destination holds it as it is; what somebody gave up before is tried again. Durable when it resolves;
   * safe to repeat.
   */
  async ask(name: ForwardName): Promise<'queued' | 'waiting' | 'held'> {
    return this.#turns.inTurn(forwardKey(name), async () => {
      const row = await this.#queueTable.get(forwardKey(name));
      if (row !== undefined && !row.givenUp && row.series.length === 0) return 'waiting';
      const nowMs = Math.floor(this.#clock.nowMs());
      const fresh = { queuedMs: nowMs, tries: 0, nextMs: nowMs, givenUp: false, lastError: undefined };
      const asked: Forward = { ...fresh, ...name, series: [] };
      const holding = await this.#ledgerTable.get(forwardKey(name));
      if (
        row === undefined &&
        holding?.series.length === 0 &&
        (await this.#planWith(asked, holding)).missing.length === 0
      )
        return 'held';
      await this.#write(asked);
      this.#waiting.delete(forwardKey(name));
      this.#wake();
      return 'queued';
    });
  }

  /** What is to be sent now, without what goes to `busy` destinations, and when something else will be. */
  async due(busy: ReadonlySet<string>): Promise<Due> {
    const nowMs = this.#clock.nowMs();
    for (const [to, untilMs] of this.#paused) if (untilMs <= nowMs) this.#paused.delete(to);
    const due: Forward[] = [];
    const counts = new Map<string, number>();
    let nextMs: number | undefined;
    for await (const { row } of this.#queueTable.each()) {
      if (row.givenUp || busy.has(row.to)) continue;
      const readyMs = Math.max(this.#readyMs(row), this.#paused.get(row.to) ?? 0);
      const count = counts.get(row.to) ?? 0;
      if (readyMs > nowMs) nextMs = Math.min(nextMs ?? readyMs, readyMs);
      else if (count < dueMax) {
        due.push(row);
        counts.set(row.to, count + 1);
      }
    }
    return { due, nextMs };
  }

  #readyMs(row: Forward): number {
    const waiting = this.#waiting.get(forwardKey(row));
    if (waiting === undefined) return row.nextMs;
    const { firstMs, lastMs, quietMs } = waiting;
    return Math.max(row.nextMs, Math.min(lastMs + quietMs, firstMs + quietTimesMax * quietMs));
  }

  /** Leaves a destination that does not answer alone until then, or until somebody asks for a retry. */
  pause(to: string, untilMs: number): void {
    this.#paused.set(to, Math.min(untilMs, this.#clock.nowMs() + pauseMsMax));
  }

  /** Resolves when something else may be due than `due` said last, or when `signal` says so, or after `ms`. */
  async waitForNews(ms: number, signal: AbortSignal): Promise<void> {
    this.#sleepsUntilMs = this.#clock.nowMs() + ms;
    const ended = new AbortController();
    const stop = AbortSignal.any([signal, ended.signal]);
    await Promise.race([this.#clock.wait(ms, stop), this.#woken.promise]);
    ended.abort();
    this.#woken = Promise.withResolvers();
    this.#sleepsUntilMs = Number.POSITIVE_INFINITY;
  }

  #wake(): void {
    this.#woken.resolve();
  }

  /** What the destination lacks of a study. */
  async plan(forward: Forward): Promise<ForwardPlan> {
    return this.#planWith(forward, await this.#ledgerTable.get(forwardKey(forward)));
  }

  async #planWith(forward: Forward, holding: Holding | undefined): Promise<ForwardPlan> {
    const isWhole = forward.series.length === 0 || holding?.series.length === 0;
    const series = isWhole ? [] : seriesWith(holding?.series ?? [], forward.series);
    const wanted = new Set(series);
    const all = await this.#instancesOf(forward, wanted);
    const held = holding === undefined ? [] : all.filter((each) => each.id <= holding.through);
    const isSame = holding !== undefined && held.length === holding.instances && contentOf(held) === holding.content;
    const isOlder = holding !== undefined && !isSame && (await this.#isOnce(forward));
    if (isSame || isOlder) return { forward, series, held, missing: all.slice(held.length), before: holding, isOlder };
    return { forward, series, held: [], missing: all, before: holding, isOlder };
  }

  /** In the order of their ids; of no series named, all. */
  async #instancesOf({ tenant, study }: ForwardName, series: ReadonlySet<string>): Promise<FoundInstance[]> {
    const all: FoundInstance[] = [];
    const search = { tenant, conditions: [equals('studyUid', study)] };
    for (let after: Parameters<Catalog['search']['instances']>[1]['after']; ; ) {
      const page = await this.#catalog.search.instances(search, { after, limit: 1000 });
      for (const each of page.rows) if (series.size === 0 || series.has(each.seriesUid)) all.push(each);
      if (page.next === undefined) return all.sort((one, other) => (one.id < other.id ? -1 : 1));
      after = page.next;
    }
  }

  /** Whether all rules that send there say so; who was asked for by hand is sent all. */
  async #isOnce({ to, what }: ForwardName): Promise<boolean> {
    const rules = (await this.rules()).filter((rule) => rule.enabled && rule.to === to && rule.what === what);
    return rules.length > 0 && rules.every((rule) => rule.once);
  }

  /**
   * Notes what the destination took of a plan, by ids. `error` says in codes and counts why it was not all; without it the rest was not tried, and is
   * as soon as may be.
   */
  async sent(plan: ForwardPlan, took: ReadonlySet<string>, error?: string): Promise<Forward | undefined> {
    const { forward } = plan;
    return this.#turns.inTurn(forwardKey(forward), async () => {
      // From here on whatever is stored waits for this turn, and was seen below or comes after it.
      this.#waiting.delete(forwardKey(forward));
      const nowMs = Math.floor(this.#clock.nowMs());
      const firstLeft = plan.missing.findIndex((each) => !took.has(each.id));
      const taken = firstLeft < 0 ? plan.missing : plan.missing.slice(0, firstLeft);
      const holding = taken.length === 0 ? undefined : holdingOf(plan, taken, nowMs);
      const row = await this.#queueTable.get(forwardKey(forward));
      let next: Forward | undefined;
      if (row !== undefined && firstLeft >= 0) next = error === undefined ? row : later(row, nowMs, error);
      else if (row !== undefined) {
        const known = holding ?? (await this.#ledgerTable.get(forwardKey(forward)));
        const { missing } = await this.#planWith(row, known);
        const again = { queuedMs: nowMs, tries: 0, nextMs: nowMs + firstRetryMs, givenUp: false, lastError: undefined };
        if (missing.length > 0) next = { ...row, ...again };
      }
      const writes: SiteWrite[] = [];
      const key = forwardKey(forward);
      if (holding !== undefined) writes.push({ table: ledgerTable, key, row: rowOfHolding(holding) });
      if (row !== undefined)
        writes.push({ table: queueTable, key, row: next === undefined ? null : rowOfForward(next) });
      if (writes.length > 0) await this.#accounts.write(writes);
      return next;
    });
  }

  /** What waits, in the order of destinations. */
  async *queue(): AsyncGenerator<Forward> {
    for await (const { row } of this.#queueTable.each()) yield row;
  }

  /** Who holds what, in the order of destinations. */
  async *ledger(to?: string): AsyncGenerator<Holding> {
    for await (const { row } of this.#ledgerTable.each(to === undefined ? '' : `${to}/`))
      if (to === undefined || row.to === to) yield row;
  }

  /** The same, against what is here now. */
  async *standings(to?: string): AsyncGenerator<Standing> {
    for await (const holding of this.ledger(to)) yield this.#standingOf(holding);
  }

  async #standingOf(holding: Holding): Promise<Standing> {
    const all = await this.#instancesOf(holding, new Set(holding.series));
    const held = all.filter((each) => each.id <= holding.through);
    const added = all.length - held.length;
    const changed = held.length !== holding.instances || contentOf(held) !== holding.content;
    return { holding, state: added > 0 || changed ? 'older' : 'current', added, changed };
  }

  /** Has studies of a patient that was amended sent again to who holds them otherwise, where a rule does not say once. Durable when it resolves. */
  async amended(tenant: TenantId, patient: { readonly patientId: string; readonly issuer: string }): Promise<void> {
    const rules = (await this.rules()).filter((rule) => rule.enabled && !rule.once);
    const targets = new Map(rules.map(({ to, what, quietSeconds }) => [`${what}/${to}`, { to, what, quietSeconds }]));
    if (targets.size === 0) return;
    const conditions = [equals('patientId', patient.patientId), equals('issuer', patient.issuer)];
    for (let after: Parameters<Catalog['search']['studies']>[1]['after']; ; ) {
      const page = await this.#catalog.search.studies({ tenant, conditions }, { after, limit: 1000 });
      for (const { studyUid: study } of page.rows)
        for (const { to, what, quietSeconds } of targets.values())
          await this.#sendIfOlder({ to, what, tenant, study }, quietSeconds * 1000);
      if (page.next === undefined) break;
      after = page.next;
    }
    this.#wake();
  }

  async #sendIfOlder(name: ForwardName, waitMs: number): Promise<boolean> {
    const key = forwardKey(name);
    return this.#turns.inTurn(key, async () => {
      const holding = await this.#ledgerTable.get(key);
      if (holding === undefined || (await this.#standingOf(holding)).state === 'current') return false;
      const row = await this.#queueTable.get(key);
      if (row !== undefined && !row.givenUp) return true;
      const nowMs = Math.floor(this.#clock.nowMs());
      const fresh = { queuedMs: nowMs, tries: 0, nextMs: nowMs + waitMs, givenUp: false, lastError: undefined };
      await this.#write({ ...fresh, ...name, series: holding.series });
      return true;
    });
  }

  /** Has every study of which a destination, or any, holds an older version sent again; how many. */
  async sendOlder(to?: string): Promise<number> {
    let count = 0;
    for await (const { to: title, what, tenant, study } of this.ledger(to))
      if (await this.#sendIfOlder({ to: title, what, tenant, study }, 0)) count += 1;
    this.#wake();
    return count;
  }

  /** Has what waits for a destination, or for any, sent as soon as may be, what was given up too; how many studies. */
  retry(to?: string): Promise<number> {
    const nowMs = Math.floor(this.#clock.nowMs());
    const fresh = { queuedMs: nowMs, tries: 0, nextMs: nowMs, givenUp: false };
    this.#paused.clear();
    return this.#change(to, (row) => ({ ...row, ...fresh }));
  }

  /** Sends nothing of what waits for a destination; how many studies. */
  drop(to: string): Promise<number> {
    return this.#change(to, () => undefined);
  }

  async #change(to: string | undefined, change: (row: Forward) => Forward | undefined): Promise<number> {
    let count = 0;
    for await (const listed of this.queue()) {
      if (to !== undefined && listed.to !== to) continue;
      await this.#turns.inTurn(forwardKey(listed), async () => {
        const row = await this.#queueTable.get(forwardKey(listed));
        if (row === undefined) return;
        count += 1;
        this.#waiting.delete(forwardKey(row));
        const next = change(row);
        await this.#accounts.write([
          { table: queueTable, key: forwardKey(row), row: next === undefined ? null : rowOfForward(next) },
        ]);
      });
    }
    this.#wake();
    return count;
  }

  #write(forward: Forward): Promise<void> {
    return this.#accounts.write([{ table: queueTable, key: forwardKey(forward), row: rowOfForward(forward) }]);
  }
}

function equals(field: SearchCondition['field'], value: string): SearchCondition {
  return { field, match: { kind: 'equals', values: [value] } };
}

/** Both together; none, which is the whole study, when they are too many to name. */
function seriesWith(some: readonly string[], more: readonly string[]): string[] {
  const series = [...new Set([...some, ...more])];
  return series.length > seriesMax ? [] : series;
}

function digestOf(instances: readonly FoundInstance[]): string {
  return linesDigest(instances.map((each) => each.instanceUid));
}

function contentOf(instances: readonly FoundInstance[]): string {
  return linesDigest(instances.map((each) => `${each.instanceUid} ${each.id} ${each.amended ?? ''}`));
}

function linesDigest(lines: readonly string[]): string {
  return hexOf(sha256(utf8Bytes([...lines].sort().join('\n'))));
}

function holdingOf(plan: ForwardPlan, taken: readonly FoundInstance[], nowMs: number): Holding {
  const { forward, series, before, held, isOlder } = plan;
  const { to, tenant, study, what } = forward;
  const all = [...held, ...taken];
  const through = all.at(-1)?.id ?? '';
  // What stays older must never look like what is here.
  const content = before !== undefined && isOlder ? linesDigest([before.content, contentOf(taken)]) : contentOf(all);
  const version = before === undefined ? 1 : before.version + (before.content === content ? 0 : 1);
  const facts = { instances: all.length, digest: digestOf(all), content, version, through, sentMs: nowMs };
  return { to, tenant, study, what, series, ...facts };
}

/** Later again, ever less often; kept without trying when it was queued too long ago. */
function later(row: Forward, nowMs: number, lastError: string): Forward {
  const waitMs = Math.min(retryMsMax, firstRetryMs * 2 ** Math.min(row.tries, 20));
  const givenUp = nowMs - row.queuedMs > keptMs;
  return { ...row, tries: row.tries + 1, nextMs: nowMs + waitMs, givenUp, lastError };
}
