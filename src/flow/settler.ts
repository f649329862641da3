// The settler: empties packs and lets go of them. Ingest packs group by group into archive packs; archive packs that are mostly dead, many small ones
// together, and control packs, record by record.
//
// Invariants: what is released was read back first (release-packs.ts); all that is decided follows from catalog and register, so a crash at any moment
// repeats at most one round and loses nothing; what is remembered between rounds is in the database (flow-notes.ts), and memory does not grow with
// the archive.
// One round takes packs, oldest first, until they fill an archive pack; `step` does one round.

import {
  ArchiveError,
  groupText,
  type HybridTime,
  hybridMs,
  isArchiveError,
  type KeyGroup,
  type PackId,
  parseGroupText,
  type RecordId,
} from '../base/index.ts';
import type { RangeCursor } from '../catalog/index.ts';
import { isFactKind } from '../format/index.ts';
import { type GroupFacts, isMostlyDead, planMerge, planSettle, smallBelowBytes } from '../policy/index.ts';
import type { PackFacts } from '../vault/index.ts';
import { compactControl } from './compact-control.ts';
import { type CopyParts, copyRecords, factIsWanted } from './copy-records.ts';
import { moveGroup } from './move-group.ts';
import type { MoveParts } from './move-parts.ts';
import { type Emptied, type Released, type ReleaseParts, releasePacks } from './release-packs.ts';

export type SettlerParts = CopyParts &
  MoveParts &
  ReleaseParts & {
    readonly quietMs: number;
    /** Plain bytes after which a round ends and its packs are sealed: a full pack. */
    readonly roundBytesMax: number;
  };

export type Step = {
  readonly state: 'busy' | 'idle';
  readonly released: readonly Released[];
  /** When there may be something to do again. */
  readonly againMs: number | undefined;
};

const packsPage = 64;
const groupsAtOnce = 20_000;

export class Settler {
  readonly #parts: SettlerParts;

  constructor(parts: SettlerParts) {
    this.#parts = parts;
  }

  /** One round. Safe to repeat; CLOSED when `pace` says to stop. */
  async step(): Promise<Step> {
    const { emptied, againMs } = await this.#emptyIngest();
    if (emptied.length > 0) return this.#released(emptied, 'archive', againMs);
    const movedAfter = await this.#parts.vault.register.latestSealed();
    const dead = await this.#emptyDead(movedAfter);
    if (dead.emptied.length > 0) return this.#released(dead.emptied, 'archive', againMs);
    if (dead.more) return { state: 'busy', released: [], againMs };
    const control = await this.#compactControl(movedAfter);
    if (control.length > 0) return this.#released(control, 'control', againMs);
    const merged = await this.#mergeSmall(movedAfter);
    if (merged.length > 0) return this.#released(merged, 'archive', againMs);
    return { state: 'idle', released: [], againMs };
  }

  async #released(
    emptied: readonly Emptied[],
    stream: 'archive' | 'control',
    againMs: number | undefined,
  ): Promise<Step> {
    return { state: 'busy', released: await releasePacks(emptied, stream, this.#parts), againMs };
  }

  /** Packs of a page that are not to be left alone. */
  async #untroubled(page: readonly PackFacts[]): Promise<PackFacts[]> {
    const { notes, nowMs } = this.#parts;
    if (page.length === 0) return [];
    const troubled = await notes.troubled(
      page.map((each) => each.pack),
      nowMs(),
    );
    return page.filter((each) => !troubled.has(each.pack));
  }

  async #emptyIngest(): Promise<{ emptied: Emptied[]; againMs: number | undefined }> {
    const { vault, roundBytesMax } = this.#parts;
    const emptied: Emptied[] = [];
    let againMs: number | undefined;
    let bytes = 0;
    let after: PackId | undefined;
    for (let more = true; more; ) {
      const page = await vault.register.packsAfter(after, packsPage, 'ingest');
      for (const facts of await this.#untroubled(page)) {
        const due = await this.#dueIngest(facts);
        if (due.untilMs !== undefined) {
          againMs = Math.min(againMs ?? due.untilMs, due.untilMs);
          continue;
        }
        const each = await this.#emptyGroups(facts, due.groups);
        emptied.push(each);
        bytes += each.bytes;
        if (bytes >= roundBytesMax) return { emptied, againMs };
      }
      after = page.at(-1)?.pack;
      more = page.length === packsPage;
    }
    return { emptied, againMs };
  }

  async #dueIngest(facts: PackFacts): Promise<{ groups: readonly string[]; untilMs?: number }> {
    const { catalog, nowMs, quietMs } = this.#parts;
    const groups: GroupFacts[] = [];
    for (const group of await this.#groupsIn(facts.pack)) {
      const row = await catalog.groups.find(group);
      groups.push({ name: groupText(group), lastMs: row?.last === undefined ? 0 : hybridMs(row.last) });
    }
    const plan = planSettle({ sealedMs: hybridMs(facts.sealed), groups }, { quietMs }, nowMs());
    return plan.kind === 'wait' ? { groups: [], untilMs: plan.untilMs } : { groups: plan.groups };
  }

  /** Groups with content that the catalog still knows in this pack; the first so many of them. */
  async #groupsIn(pack: PackId): Promise<KeyGroup[]> {
    const { vault, catalog, keys } = this.#parts;
    const groups = new Map<string, KeyGroup>();
    for (const run of await vault.register.runsOf(pack)) {
      let after: RangeCursor | undefined;
      do {
        const page = await catalog.objects.inRange(run, { after, limit: 500 });
        for (const row of page.rows) if (keys.contains(row.group)) groups.set(groupText(row.group), row.group);
        after = page.next;
      } while (after !== undefined && groups.size < groupsAtOnce);
    }
    return [...groups.values()];
  }

  async #emptyGroups(facts: PackFacts, groups: readonly string[]): Promise<Emptied> {
    const contents: { ref: RecordId; digest: Uint8Array }[] = [];
    let objects = 0;
    let bytes = 0;
    const blocked = await this.#whyBlocked(async () => {
      for (let names = groups; names.length > 0; ) {
        for (const text of names) {
          const group = parseGroupText(text);
          if (group === undefined) throw new ArchiveError('INTERNAL', 'a group is not in its form');
          const moved = await moveGroup(group, this.#parts);
          objects += moved.objects;
          bytes += moved.bytes;
          contents.push(...moved.contents);
        }
        // More groups than are held at once: what is left now is what was not moved yet.
        names = names.length < groupsAtOnce ? [] : (await this.#groupsIn(facts.pack)).map(groupText);
      }
      bytes += await this.#copy(facts.pack, 'facts');
      // The catalog's last word: nothing that is live has content here any more.
      if ((await this.#groupsIn(facts.pack)).length > 0)
        throw new ArchiveError('BUSY', 'something was added meanwhile');
    });
    // Nothing of a pack is moved before its last record was written.
    return { facts, objects, bytes, contents, blocked, movedAfter: facts.hybridGreatest };
  }

  /** Everything that counts in a pack of the archive class, as it is, into the archive stream. */
  async #emptyWhole(facts: PackFacts, movedAfter: HybridTime): Promise<Emptied> {
    let bytes = 0;
    const blocked = await this.#whyBlocked(async () => {
      bytes = await this.#copy(facts.pack, 'all');
    });
    return { facts, objects: 0, bytes, contents: [], blocked, movedAfter };
  }

  #copy(pack: PackId, what: 'facts' | 'all'): Promise<number> {
    const rows = this.#parts.vault.care.rowsOf(pack);
    return copyRecords(
      rows,
      'archive',
      async (row, read) => (isFactKind(row.kind) ? factIsWanted(row, read, this.#parts) : what === 'all'),
      this.#parts,
    );
  }

  /** The code of what keeps a pack from being emptied. CLOSED goes on. */
  async #whyBlocked(work: () => Promise<void>): Promise<string | undefined> {
    try {
      await work();
      return undefined;
    } catch (error) {
      if (isArchiveError(error, 'CLOSED') || !(error instanceof ArchiveError)) throw error;
      return error.code;
    }
  }

  /** Archive packs die only by shredding: all are looked at again when there was another, a page a round. */
  async #emptyDead(movedAfter: HybridTime): Promise<{ emptied: Emptied[]; more: boolean }> {
    const { vault, catalog, notes } = this.#parts;
    const shreds = await catalog.groups.shredCount();
    const before = await notes.deadLook();
    if (before.shreds === shreds && before.done) return { emptied: [], more: false };
    const from = before.shreds === shreds ? before.after : undefined;
    const page = await vault.register.packsAfter(from, packsPage, 'archive');
    const emptied: Emptied[] = [];
    for (const facts of await this.#untroubled(page)) {
      if (await this.#isMostlyDead(facts)) emptied.push(await this.#emptyWhole(facts, movedAfter));
    }
    // The next look begins behind a pack that stays.
    const last = page.findLast((facts) => !emptied.some((each) => each.facts === facts));
    const more = page.length === packsPage || emptied.length > 0;
    await notes.setDeadLook({ shreds, after: last?.pack ?? from, done: !more });
    return { emptied, more };
  }

  async #isMostlyDead(facts: PackFacts): Promise<boolean> {
    const { vault, keys, pace } = this.#parts;
    let liveBytes = 0;
    let deadBytes = 0;
    for await (const row of vault.care.rowsOf(facts.pack)) {
      if (keys.contains(row.group)) liveBytes += row.sizeBytes;
      else deadBytes += row.sizeBytes;
    }
    await pace(0);
    return isMostlyDead({ liveBytes, deadBytes });
  }

  async #compactControl(movedAfter: HybridTime): Promise<Emptied[]> {
    const packs = await this.#untroubled(await this.#parts.vault.register.packsAfter(undefined, packsPage, 'control'));
    return compactControl(packs, movedAfter, this.#parts);
  }

  async #mergeSmall(movedAfter: HybridTime): Promise<Emptied[]> {
    const { vault, roundBytesMax } = this.#parts;
    const small = await this.#untroubled(
      await vault.register.packsBelow(smallBelowBytes(roundBytesMax), 'archive', packsPage),
    );
    const plan = planMerge(small, roundBytesMax);
    const emptied: Emptied[] = [];
    for (const facts of small) if (plan.includes(facts.pack)) emptied.push(await this.#emptyWhole(facts, movedAfter));
    return emptied;
  }
}
