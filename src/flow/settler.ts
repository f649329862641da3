// The settler: empties packs and lets go of them. Ingest packs group by group into archive packs, archive packs that are mostly dead and control
// packs that are mostly superseded record by record.
//
// Invariants: a pack is released only after everything of worth in it lies in sealed packs whose every copy was read back past the page cache and
// whose moved content was decoded again and compared with its SHA-256, and after the event `released` is durable. All that is decided follows from
// catalog and register, so a crash at any moment repeats at most one round and loses nothing.
// One round takes packs, oldest first, until they fill an archive pack; `step` does one round.

import {
  ArchiveError,
  bytesEqual,
  controlGroup,
  groupText,
  hybridMs,
  isArchiveError,
  type KeyGroup,
  type PackId,
  parseGroupText,
  type RecordId,
  Sha256,
  sameRecord,
  systemTenant,
} from '../base/index.ts';
import type { Catalog, RangeCursor } from '../catalog/index.ts';
import { decodeFact, encodeEvent, type IndexRow, isFactKind, type PackClassName, recordKind } from '../format/index.ts';
import type { KeySource } from '../keys/index.ts';
import { type GroupFacts, isMostlyDead, planControl, planSettle } from '../policy/index.ts';
import type { FoundRecord, Pace, PackFacts, Run, Vault } from '../vault/index.ts';
import { moveGroup } from './move-group.ts';

export type SettlerParts = {
  readonly vault: Vault;
  readonly catalog: Catalog;
  readonly keys: Pick<KeySource, 'contains'>;
  readonly nowMs: () => number;
  readonly quietMs: number;
  /** Plain bytes after which a round ends and its packs are sealed. */
  readonly roundBytesMax: number;
  readonly pace: Pace;
  /** Called before a pack goes, with its writers' greatest sequences: nobody shall later take their absence for a loss. */
  readonly onRelease: (runs: readonly Run[]) => Promise<void>;
};

export type Released = {
  readonly pack: PackId;
  readonly class: PackClassName;
  readonly movedObjects: number;
  readonly movedBytes: number;
  /** False: emptied as far as could be, and something in it could not be moved. */
  readonly released: boolean;
  readonly code: string | undefined;
};

export type Step = {
  readonly state: 'busy' | 'idle';
  readonly released: readonly Released[] /** When there may be something to do again. */;
  readonly againMs: number | undefined;
};

type Emptied = {
  readonly facts: PackFacts;
  readonly objects: number;
  readonly bytes: number;
  readonly contents: readonly { readonly ref: RecordId; readonly digest: Uint8Array }[];
  /** Why it may not go. */
  readonly blocked: string | undefined;
};

const packsPage = 64;
const groupsAtOnce = 20_000;
const copyBytesMax = 8 * 1024 * 1024;
const copyRecordsMax = 1024;
/** Packs whose trouble is known are not tried again until then. */
const retryMs = 10 * 60 * 1000;

export class Settler {
  readonly #parts: SettlerParts;
  readonly #troubled = new Map<PackId, number>();
  /** The last pack of a stream up to which all were read back. */
  readonly #provenThrough = new Map<PackClassName, PackId | undefined>();
  /** Archive packs looked at for dead records, and the number of shreddings then. */
  readonly #lookedAt = new Map<PackId, number>();

  constructor(parts: SettlerParts) {
    this.#parts = parts;
  }

  /** One round. Safe to repeat; CLOSED when `pace` says to stop. */
  async step(): Promise<Step> {
    const { emptied, againMs } = await this.#emptySome();
    if (emptied.length === 0) {
      const control = await this.#compactControl();
      if (control.length > 0) return { state: 'busy', released: control, againMs };
      return { state: 'idle', released: [], againMs };
    }
    return { state: 'busy', released: await this.#release(emptied, 'archive'), againMs };
  }

  async #emptySome(): Promise<{ emptied: Emptied[]; againMs: number | undefined }> {
    const { vault, nowMs, roundBytesMax } = this.#parts;
    const emptied: Emptied[] = [];
    let againMs: number | undefined;
    let bytes = 0;
    for (const name of ['ingest', 'archive'] as const) {
      let after: PackId | undefined;
      for (let more = true; more; ) {
        const page = await vault.register.packsAfter(after, packsPage, name);
        for (const facts of page) {
          if ((this.#troubled.get(facts.pack) ?? 0) > nowMs()) continue;
          const due = name === 'ingest' ? await this.#dueIngest(facts) : await this.#dueArchive(facts);
          if (due !== undefined && due.untilMs !== undefined) againMs = Math.min(againMs ?? due.untilMs, due.untilMs);
          if (due === undefined || due.untilMs !== undefined) continue;
          const each = await this.#empty(facts, name, due.groups);
          emptied.push(each);
          bytes += each.bytes;
          if (bytes >= roundBytesMax) return { emptied, againMs };
        }
        after = page.at(-1)?.pack;
        more = page.length === packsPage;
      }
    }
    return { emptied, againMs };
  }

  async #dueIngest(facts: PackFacts): Promise<{ groups: readonly string[]; untilMs?: number } | undefined> {
    const { catalog, nowMs, quietMs } = this.#parts;
    const groups: GroupFacts[] = [];
    for (const group of await this.#groupsIn(facts.pack)) {
      const row = await catalog.groups.find(group);
      groups.push({ name: groupText(group), lastMs: row?.last === undefined ? 0 : hybridMs(row.last) });
    }
    const plan = planSettle({ sealedMs: hybridMs(facts.sealed), groups }, { quietMs }, nowMs());
    return plan.kind === 'wait' ? { groups: [], untilMs: plan.untilMs } : { groups: plan.groups };
  }

  /** Archive packs die only by shredding: they are looked at again when there was another. */
  async #dueArchive(facts: PackFacts): Promise<{ groups: readonly string[]; untilMs?: number } | undefined> {
    const { vault, catalog, keys } = this.#parts;
    const shreds = (await catalog.groups.shreds()).length;
    if (shreds === (this.#lookedAt.get(facts.pack) ?? 0)) return undefined;
    let liveBytes = 0;
    let deadBytes = 0;
    for await (const row of vault.care.rowsOf(facts.pack)) {
      if (keys.contains(row.group)) liveBytes += row.sizeBytes;
      else deadBytes += row.sizeBytes;
    }
    this.#lookedAt.set(facts.pack, shreds);
    return isMostlyDead({ liveBytes, deadBytes }) ? { groups: [] } : undefined;
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

  async #empty(facts: PackFacts, name: PackClassName, groups: readonly string[]): Promise<Emptied> {
    const contents: { ref: RecordId; digest: Uint8Array }[] = [];
    let objects = 0;
    let bytes = 0;
    let blocked: string | undefined;
    try {
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
      bytes += await this.#copyRecords(facts.pack, name === 'ingest' ? (row) => isFactKind(row.kind) : () => true);
    } catch (error) {
      if (isArchiveError(error, 'CLOSED') || !(error instanceof ArchiveError)) throw error;
      blocked = error.code;
    }
    // The catalog's last word: nothing that is live has content here any more.
    if (name === 'ingest' && blocked === undefined && (await this.#groupsIn(facts.pack)).length > 0) blocked = 'BUSY';
    return { facts, objects, bytes, contents, blocked };
  }

  /** Copies what is wanted of a pack, as it is, into the archive stream. */
  async #copyRecords(pack: PackId, wanted: (row: IndexRow) => boolean): Promise<number> {
    const { vault, keys, pace } = this.#parts;
    let batch: FoundRecord[] = [];
    let batchBytes = 0;
    let bytes = 0;
    const flush = async (): Promise<void> => {
      if (batch.length > 0) await vault.copyRecords('archive', batch);
      batch = [];
      batchBytes = 0;
    };
    for await (const row of vault.care.rowsOf(pack)) {
      if (!wanted(row) || !keys.contains(row.group)) continue;
      const record = await vault.read(row.id);
      if (isFactKind(row.kind) && !(await this.#factIsWanted(row, record))) continue;
      batch.push(record);
      batchBytes += row.sizeBytes;
      bytes += row.sizeBytes;
      await pace(row.sizeBytes);
      if (batchBytes >= copyBytesMax || batch.length >= copyRecordsMax) await flush();
    }
    await flush();
    return bytes;
  }

  /** An entry is wanted while it is the one that counts; events always; what cannot be read is kept for a version that can. */
  async #factIsWanted(row: IndexRow, record: FoundRecord): Promise<boolean> {
    if (row.kind !== recordKind.entry) return true;
    const { vault, catalog } = this.#parts;
    try {
      const fact = decodeFact(await vault.openFact(record));
      if (fact.type !== 'object') return true;
      const known = await catalog.objects.version(fact.id);
      return known === undefined || sameRecord(known.version.record, row.id);
    } catch (error) {
      if (
        isArchiveError(error, 'RECORD_CORRUPT') ||
        isArchiveError(error, 'PACK_NEWER') ||
        isArchiveError(error, 'CODEC_UNKNOWN')
      )
        return true;
      throw error;
    }
  }

  /** Site rows by table and key: the latest of these packs that the newer ones do not overrule, and every event. */
  async #compactControl(): Promise<Released[]> {
    const { vault, nowMs } = this.#parts;
    const packs = (await vault.register.packsAfter(undefined, packsPage, 'control')).filter(
      (each) => (this.#troubled.get(each.pack) ?? 0) <= nowMs(),
    );
    if (!planControl(packs.length)) return [];
    const kept = new Map<string, FoundRecord>();
    const seen = new Set<string>();
    for (const { pack } of packs) {
      for await (const row of vault.care.rowsOf(pack)) {
        const record = await vault.read(row.id);
        const id = `${row.id.writer}.${row.id.sequence}`;
        if (seen.has(id)) continue;
        seen.add(id);
        const name = row.kind === recordKind.site ? await this.#siteName(record) : undefined;
        const before = name === undefined ? undefined : kept.get(name);
        if (before === undefined || isLater(record, before)) kept.set(name ?? id, record);
      }
    }
    await vault.copyRecords('control', [...kept.values()]);
    const emptied = packs.map((facts) => ({ facts, objects: 0, bytes: 0, contents: [], blocked: undefined }));
    return this.#release(emptied, 'control');
  }

  async #siteName(record: FoundRecord): Promise<string | undefined> {
    const fact = decodeFact(await this.#parts.vault.openFact(record));
    return fact.type === 'site' ? `site ${JSON.stringify([fact.table, fact.key])}` : undefined;
  }

  /** Seals what was written, reads it back, and lets go of the packs it came from. */
  async #release(emptied: readonly Emptied[], stream: 'archive' | 'control'): Promise<Released[]> {
    const { vault, nowMs, onRelease } = this.#parts;
    const into = await this.#sealAndProve(stream, emptied);
    const done: Released[] = [];
    for (const each of emptied) {
      const { pack } = each.facts;
      const blocked = each.blocked;
      if (blocked === undefined) {
        const plain = encodeEvent({ type: 'released', pack, into });
        await vault.say('control', [{ kind: recordKind.event, group: controlGroup(systemTenant), plain }]);
        await onRelease(await vault.register.runsOf(pack));
        await vault.care.release(pack);
      } else this.#troubled.set(pack, nowMs() + retryMs);
      done.push({
        pack,
        class: each.facts.class,
        movedObjects: each.objects,
        movedBytes: each.bytes,
        released: blocked === undefined,
        code: blocked,
      });
    }
    return done;
  }

  /** The packs that the stream wrote since, every copy of each verified on its medium and all moved content decoded and compared. */
  async #sealAndProve(stream: 'archive' | 'control', emptied: readonly Emptied[]): Promise<PackId[]> {
    const { vault, pace } = this.#parts;
    await vault.stream(stream).roll();
    await vault.sealOpen('old');
    if (vault.livePacks().some((each) => each.class === stream)) {
      throw new ArchiveError('BUSY', 'what was written could not be sealed yet');
    }
    const leaving = new Set(emptied.map((each) => each.facts.pack));
    const { packs, last } = await this.#unproven(stream);
    const into = packs.filter((pack) => !leaving.has(pack));
    for (const pack of into) {
      for (const placement of await vault.register.placementsOf(pack)) {
        if (placement.verifiedMs > 0 && placement.state === 'good') continue;
        const report = await vault.care.verifyPlacement(placement, pace);
        if (report.problems.length > 0 || report.gone)
          throw new ArchiveError('PACK_CORRUPT', `pack ${pack} did not come back from its medium as it was written`);
      }
    }
    for (const { ref, digest } of emptied.flatMap((each) => each.contents)) {
      const read = new Sha256();
      for await (const piece of vault.contents.read(ref)) read.update(piece);
      if (!bytesEqual(read.digest(), digest))
        throw new ArchiveError('RECORD_CORRUPT', 'content that was moved does not come back as it was');
    }
    this.#provenThrough.set(stream, last);
    return into;
  }

  /** Packs of the stream not verified yet: those of this round, and those that a round before left unproven. */
  async #unproven(stream: PackClassName): Promise<{ packs: PackId[]; last: PackId | undefined }> {
    const { vault } = this.#parts;
    const packs: PackId[] = [];
    let after = this.#provenThrough.get(stream);
    for (let more = true; more; ) {
      const page = await vault.register.packsAfter(after, packsPage, stream);
      for (const { pack } of page) {
        const placements = await vault.register.placementsOf(pack);
        if (placements.some((each) => each.kind === 'pack' && each.verifiedMs === 0)) packs.push(pack);
      }
      after = page.at(-1)?.pack ?? after;
      more = page.length === packsPage;
    }
    return { packs, last: after };
  }
}

function isLater(a: FoundRecord, b: FoundRecord): boolean {
  if (a.head.hybrid !== b.head.hybrid) return a.head.hybrid > b.head.hybrid;
  if (a.head.id.writer !== b.head.id.writer) return a.head.id.writer > b.head.id.writer;
  return a.head.id.sequence > b.head.id.sequence;
}
