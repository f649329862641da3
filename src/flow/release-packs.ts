// Letting go of packs that were emptied: what was written of them is sealed and read back first.
//
// Invariants: a pack is released only after everything of worth in it lies in sealed packs whose every copy was read back past the page cache and
// whose moved content was decoded again and compared with its SHA-256, and after the event `released`, which names those packs, is durable.
// Packs sealed since the emptied one was are where its content can be: also when a crash came between an earlier round's copies and this.

import {
  ArchiveError,
  bytesEqual,
  controlGroup,
  type HybridTime,
  type PackId,
  type RecordId,
  Sha256,
  systemTenant,
} from '../base/index.ts';
import { releaseBytes } from '../codec/index.ts';
import { encodeEvent, type PackClassName, recordKind } from '../format/index.ts';
import type { Pace, PackFacts, Run, Vault } from '../vault/index.ts';
import type { FlowNotes } from './flow-notes.ts';

export type Emptied = {
  readonly facts: PackFacts;
  readonly objects: number;
  readonly bytes: number;
  readonly contents: readonly { readonly ref: RecordId; readonly digest: Uint8Array }[];
  /** Why it may not go. */
  readonly blocked: string | undefined;
  /** Packs of the stream sealed after this may hold what was in it. */
  readonly movedAfter: HybridTime;
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

export type ReleaseParts = {
  readonly vault: Vault;
  readonly notes: FlowNotes;
  readonly nowMs: () => number;
  readonly pace: Pace;
  /** Called before a pack goes, with its writers' greatest sequences: nobody shall later take their absence for a loss. */
  readonly onRelease: (runs: readonly Run[]) => Promise<void>;
};

/** A pack whose trouble is known is not tried again until then. What is copied whole leaves copies behind each time it fails. */
const retryMs = { ingest: 10 * 60 * 1000, archive: 86_400_000, control: 86_400_000 } as const satisfies Record<
  PackClassName,
  number
>;
const packsPage = 64;
/** Packs that one event names: 35 bytes each, and an event is one record. */
const intoPacksMax = 20_000;

/** PACK_CORRUPT, RECORD_CORRUPT: what was written does not come back, and nothing is released. BUSY: it could not be sealed. */
export async function releasePacks(
  emptied: readonly Emptied[],
  stream: 'archive' | 'control',
  parts: ReleaseParts,
): Promise<Released[]> {
  const { vault, notes, nowMs, onRelease } = parts;
  await sealStream(stream, vault);
  const leaving = new Set(emptied.map((each) => each.facts.pack));
  const done: Released[] = [];
  for (const each of emptied) {
    const { pack } = each.facts;
    const { blocked } = each;
    if (blocked === undefined) {
      const into = await prove(each, { stream, leaving }, parts);
      const plain = encodeEvent({ type: 'released', pack, into });
      await vault.say('control', [{ kind: recordKind.event, group: controlGroup(systemTenant), plain }]);
      await onRelease(await vault.register.runsOf(pack));
      await vault.care.release(pack);
      await notes.forget(pack);
    } else await notes.trouble(pack, nowMs() + retryMs[each.facts.class], blocked);
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

async function sealStream(stream: 'archive' | 'control', vault: Vault): Promise<void> {
  await vault.stream(stream).roll();
  await vault.sealOpen('old');
  if (vault.livePacks().some((each) => each.class === stream))
    throw new ArchiveError('BUSY', 'what was written could not be sealed yet');
}

/** Packs in which what was in the emptied one lies, every copy of each verified on its medium, and its moved content decoded and compared. */
async function prove(
  emptied: Emptied,
  { stream, leaving }: { stream: PackClassName; leaving: ReadonlySet<PackId> },
  { vault, pace }: ReleaseParts,
): Promise<PackId[]> {
  const into: PackId[] = [];
  let after: PackId | undefined;
  for (let more = true; more; ) {
    const page = await vault.register.packsSealedAfter(emptied.movedAfter, stream, { after, limit: packsPage });
    for (const pack of page) {
      if (leaving.has(pack)) continue;
      for (const placement of await vault.register.placementsOf(pack)) {
        if (placement.verifiedMs > 0 && placement.state === 'good') continue;
        const report = await vault.care.verifyPlacement(placement, pace);
        if (report.problems.length > 0 || report.gone)
          throw new ArchiveError('PACK_CORRUPT', `pack ${pack} did not come back from its medium as it was written`);
      }
      into.push(pack);
    }
    if (into.length > intoPacksMax) throw new ArchiveError('LIMIT_EXCEEDED', 'a pack was emptied into too many others');
    after = page.at(-1) ?? after;
    more = page.length === packsPage;
  }
  for (const { ref, digest } of emptied.contents) {
    const read = new Sha256();
    for await (const piece of vault.contents.read(ref)) {
      read.update(piece);
      releaseBytes(piece);
    }
    if (!bytesEqual(read.digest(), digest))
      throw new ArchiveError('RECORD_CORRUPT', 'content that was moved does not come back as it was');
  }
  return into;
}
