// The facts of a sealed pack, from its footer, stretch by stretch: read here, checked and opened by the codec's workers.
//
// Invariants: a fact is handed on only when its head passed its checksum and its body the cipher's tag or its digest; where a footer is not laid out
// exactly as a writer makes it, or a record fails, the answer is `unsure`, and whoever asked walks that footer carefully (walk.ts) and says what is damage.
// Memory is one stretch for each that is waited for: `windowBytes`, or one record where that is longer, and `plainBytesMax` of what it unpacks to.
// Left out on purpose: which footer to read, and what facts mean.

import { ArchiveError, type HybridTime, type KeyGroup, type RecordId } from '../base/index.ts';
import { type CodecPool, type OpenedMany, type OpenManyJob, withoutKey } from '../codec/index.ts';
import {
  bodySizeBytesMax,
  headExtraBytesMax,
  headSizeBytes,
  type Locator,
  type ScannedFact,
  scanFooter,
} from '../format/index.ts';
import type { KeySource } from '../keys/index.ts';
import type { PackCopy } from './pack-copy.ts';

/** A fact that recovery found: opened, or why it cannot be. */
export type FoundFact = {
  readonly id: RecordId;
  readonly group: KeyGroup;
  readonly hybrid: HybridTime;
  readonly plain: Uint8Array | ArchiveError;
};

export type FactWorks = { readonly pool: Pick<CodecPool, 'openMany'>; readonly keys: KeySource };

/** Facts in the order of the footer, or word that it has to be walked; under way already. */
export type FactWindow = { readonly opened: Promise<readonly FoundFact[] | 'unsure'> };

const windowBytes = 1024 * 1024;
const plainBytesMax = 8 * 1024 * 1024;
const recordBytesMax = headSizeBytes + headExtraBytesMax + bodySizeBytesMax;

/** Stretch by stretch. The last is `unsure`, or ends the footer. */
export async function* factWindows(copy: PackCopy, locator: Locator, works: FactWorks): AsyncGenerator<FactWindow> {
  const from = copy.offsetInFile(locator, locator.footerOffset);
  const { footerSizeBytes } = locator;
  let length = windowBytes;
  for (let offset = 0; offset < footerSizeBytes; ) {
    const bytes = await copy.file.read(from + offset, Math.min(length, footerSizeBytes - offset));
    const stretch = scanFooter(bytes, { offset, footerSizeBytes, plainBytesMax });
    const isStuck = stretch?.sizeBytes === 0 && length >= recordBytesMax;
    if (stretch === undefined || isStuck || bytes.byteLength === 0) {
      yield { opened: Promise.resolve('unsure') };
      return;
    }
    // When not even one record ends in the window, the next is as long as the longest record.
    length = stretch.sizeBytes === 0 ? recordBytesMax : windowBytes;
    offset += stretch.sizeBytes;
    if (stretch.facts.length === 0) continue;
    const opened = openStretch(bytes, stretch.facts, works);
    // Whoever takes the window gets the error; one who stops before it must not end the process.
    opened.catch(() => undefined);
    yield { opened };
  }
}

async function openStretch(
  bytes: Uint8Array,
  facts: readonly ScannedFact[],
  { pool, keys }: FactWorks,
): Promise<readonly FoundFact[] | 'unsure'> {
  const keyed = keysOf(facts, keys);
  const places = new Uint32Array(facts.length * 2);
  facts.forEach(({ at, sizeBytes }, index) => places.set([at, sizeBytes], index * 2));
  let opened: OpenedMany;
  try {
    const { keyOf, keys: found, walks } = keyed;
    opened = await pool.openMany({ bytes, places, keyOf, keys: found, walks });
  } catch (error) {
    // A worker that died is no fault of the footer.
    if (!(error instanceof ArchiveError) || error.code === 'CLOSED') throw error;
    return 'unsure';
  }
  const failed = new Map(keyed.failed);
  for (const { index, code, message } of opened.failures) {
    // Rot in this copy, or a record that fails in every one: the careful walk tells which.
    if (code === 'RECORD_CORRUPT' || code === 'CODEC_FAULT') return 'unsure';
    failed.set(index, new ArchiveError(code, message));
  }
  const { plain, ends } = opened;
  let begin = 0;
  return facts.map(({ id, group, hybrid }, index) => {
    const end = ends[index] as number;
    const own = plain.subarray(begin, end);
    begin = end;
    return { id, group, hybrid, plain: failed.get(index) ?? own };
  });
}

type Keyed = Pick<OpenManyJob, 'keyOf' | 'keys' | 'walks'> & { readonly failed: Map<number, ArchiveError> };

/** The keys of these facts, each once for neighbours of one group, and which facts have none, and why. */
function keysOf(facts: readonly ScannedFact[], source: KeySource): Keyed {
  const groups: ScannedFact[] = [];
  const groupOf = facts.map((fact) => {
    const last = groups.at(-1);
    if (last?.group !== fact.group || last.cipher !== fact.cipher) groups.push(fact);
    return groups.length - 1;
  });
  const { keys, walks, places } = source.manyGroupKeys(groups);
  const keyOf = new Uint32Array(facts.length);
  const failed = new Map<number, ArchiveError>();
  for (const [index, group] of groupOf.entries()) {
    const place = places[group];
    if (place instanceof ArchiveError) failed.set(index, place);
    keyOf[index] = typeof place === 'number' ? place : withoutKey;
  }
  return { keyOf, keys, walks, failed };
}
