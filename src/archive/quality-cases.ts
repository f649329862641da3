// Quality cases: what is odd about series, and what people decided on it; and the comparison of objects that came under a known instance UID.
//
// Invariants: a comparison happens in the background, after its sender was answered; what waits for one is a row that outlives a restart; what came of it, and what
// people decide, is an event in the study's key group, so that a rebuild keeps it and a shredding takes it along. Nothing is ever overwritten or taken away here.
// Left out on purpose: which differences are trouble (the catalog's apply-quality.ts).

import { ArchiveError, type Clock, isArchiveError, type KeyGroup, type TenantId } from '../base/index.ts';
import type { Beside, Catalog, Compared, QualityCase, QualityCursor, QualityFilter } from '../catalog/index.ts';
import { PixelPool } from '../dicom/index.ts';
import { encodeEvent, type FactEvent, recordKind } from '../format/index.ts';
import type { Vault } from '../vault/index.ts';
import { type ComparedSide, compareInstances } from './compare-instances.ts';
import { studyFamily } from './instance-names.ts';
import type { Instances } from './instances.ts';

export type QualityDecision = { readonly state: 'open' | 'closed'; readonly who: string; readonly why: string };

/** A case with the objects of its series that came beside others. */
export type QualityShown = { readonly case: QualityCase; readonly beside: readonly Compared[] };

const pageRows = 200;
const textCharsMax = 1024;
/** An object that could not be compared is tried again so much later. */
const againMs = 10 * 60_000;
const failedMax = 1000;

export class QualityCases {
  readonly #vault: Vault;
  readonly #catalog: Catalog;
  readonly #instances: Instances;
  readonly #clock: Clock;
  /** One thread: nobody waits for it, and others need theirs. */
  readonly #pool: PixelPool;
  /** Objects that could not be compared, until when they are left alone. */
  readonly #failed = new Map<string, number>();

  constructor(parts: { vault: Vault; catalog: Catalog; instances: Instances; clock: Clock }) {
    this.#vault = parts.vault;
    this.#catalog = parts.catalog;
    this.#instances = parts.instances;
    this.#clock = parts.clock;
    this.#pool = new PixelPool({ clock: parts.clock, workers: 1 });
  }

  /** The latest trouble first. */
  async *list(filter: QualityFilter): AsyncGenerator<QualityCase> {
    let after: QualityCursor | undefined;
    do {
      const page = await this.#catalog.quality.cases(filter, { after, limit: pageRows });
      yield* page.rows;
      after = page.next;
    } while (after !== undefined);
  }

  /** A case by the beginning of its id. NOT_FOUND; ARGUMENT_INVALID when several begin so. */
  async show(id: string): Promise<QualityShown> {
    const found = await this.#find(id);
    const isOfUid = found.kind.startsWith('other-');
    return { case: found, beside: isOfUid ? await this.#catalog.quality.besideOfSeries(found) : [] };
  }

  /** How objects of an instance UID differ from the one that was there when each came; none where there is one alone. */
  async ofInstance(tenant: TenantId, instanceUid: string): Promise<Compared[]> {
    const claims = await this.#catalog.instances.claims(tenant, instanceUid);
    const found: Compared[] = [];
    for (const { id } of claims) {
      const compared = await this.#catalog.quality.compared(id);
      if (compared !== undefined) found.push(compared);
    }
    return found.sort((one, other) => one.createdMs - other.createdMs || (one.id < other.id ? -1 : 1));
  }

  /** Closes a case, or opens it again. Durable when it resolves. NOT_FOUND, ARGUMENT_INVALID. */
  async decide(id: string, decision: QualityDecision): Promise<QualityCase> {
    const { state, who, why } = decision;
    for (const text of [who, why])
      if (text.trim() === '' || text.length > textCharsMax)
        throw new ArchiveError('ARGUMENT_INVALID', 'a decision says who and why, in so many words and no more');
    const { id: _, kind, tenant, studyUid: study, seriesUid: series, lastMs } = await this.#find(id);
    const group = await this.#groupOf(tenant, study);
    // A clock that was set back must not leave a closed case open.
    const atMs = Math.max(Math.floor(this.#clock.nowMs()), lastMs);
    await this.#say(group, { type: 'quality', study, series, kind, state, who, why, atMs });
    return this.#find(id);
  }

  async #find(id: string): Promise<QualityCase> {
    const [found, second] = /^[0-9a-f]{4,16}$/.test(id) ? await this.#catalog.quality.casesById(id) : [];
    if (found === undefined)
      throw new ArchiveError('NOT_FOUND', 'there is no such quality case', { hint: 'see: stele quality list' });
    if (second !== undefined) throw new ArchiveError('ARGUMENT_INVALID', 'several quality cases begin with this id');
    return found;
  }

  async #groupOf(tenant: TenantId, study: string): Promise<KeyGroup> {
    const group = await this.#catalog.groups.ofFamily(tenant, studyFamily(study));
    if (group === undefined) throw new ArchiveError('NOT_FOUND', 'the study of this case is not here any more');
    return group;
  }

  async #say(group: KeyGroup, event: FactEvent): Promise<void> {
    await this.#vault.say('ingest', [{ kind: recordKind.event, group, plain: encodeEvent(event) }]);
  }

  /** Objects that wait to be compared. */
  async *waiting(): AsyncGenerator<Beside> {
    let after: Beside | undefined;
    do {
      const rows = await this.#catalog.quality.waiting({ after, limit: pageRows });
      yield* rows;
      after = rows.length < pageRows ? undefined : rows.at(-1);
    } while (after !== undefined);
  }

  /** Compares one object that waits. Durable when it resolves; `idle`: none can be compared now. What cannot be read is told, and tried again later. */
  async compareNext(signal: AbortSignal): Promise<'busy' | 'idle'> {
    const nowMs = this.#clock.monotonicMs();
    for (const [id, untilMs] of this.#failed) if (untilMs <= nowMs) this.#failed.delete(id);
    for await (const next of this.waiting()) {
      if (signal.aborted) return 'idle';
      if (this.#failed.has(next.id)) continue;
      try {
        if (await this.#compare(next, signal)) return 'busy';
        this.#leave(next.id, nowMs);
      } catch (error) {
        if (signal.aborted) return 'idle';
        this.#leave(next.id, nowMs);
        // Its study was destroyed meanwhile: nobody asks any more.
        if (isArchiveError(error, 'KEY_SHREDDED') || isArchiveError(error, 'NOT_FOUND')) return 'busy';
        throw error;
      }
    }
    return 'idle';
  }

  /** Compares all that waits, one after the other; where one could not be compared, the code of the reason. */
  async *compareAll(signal: AbortSignal): AsyncGenerator<{ readonly code: string | undefined }> {
    while (!signal.aborted) {
      try {
        if ((await this.compareNext(signal)) === 'idle') return;
        yield { code: undefined };
      } catch (error) {
        if (!(error instanceof ArchiveError)) throw error;
        yield { code: error.code };
      }
    }
  }

  #leave(id: string, nowMs: number): void {
    if (this.#failed.size >= failedMax) this.#failed.clear();
    this.#failed.set(id, nowMs + againMs);
  }

  /** False: the one that was there is gone. */
  async #compare(next: Beside, signal: AbortSignal): Promise<boolean> {
    const claims = await this.#catalog.instances.claims(next.tenant, next.instanceUid);
    const self = claims.find((each) => each.id === next.id);
    // Ids begin with the time at which they were drawn: what was shown before this one came is what it differs from.
    const before = claims.filter((each) => each.id < next.id).sort((a, b) => b.rank - a.rank || (a.id < b.id ? -1 : 1));
    const other = before[0] ?? claims.find((each) => each.id !== next.id);
    if (self === undefined || other === undefined) return false;
    const group = await this.#groupOf(next.tenant, next.studyUid);
    const found = await compareInstances(await this.#side(other), await this.#side(self), {
      pool: this.#pool,
      setOf: (dataSet) => dataSet.characterSet(),
      signal,
    });
    const { id, studyUid: study, seriesUid: series, instanceUid: instance, source, createdMs } = next;
    await this.#say(group, {
      type: 'compared',
      id,
      with: other.id,
      study,
      series,
      instance,
      source,
      createdMs,
      ...found,
    });
    return true;
  }

  async #side(claim: {
    readonly id: string;
    readonly instanceUid: string;
    readonly syntaxUid: string;
  }): Promise<ComparedSide> {
    const row = await this.#instances.object(claim);
    return {
      syntax: claim.syntaxUid,
      sizeBytes: row.sizeBytes,
      read: (from, to) => this.#instances.read(row, from, to),
    };
  }
}
