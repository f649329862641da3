// Whole contents that lie close together, opened in one go: one read and one work for a worker, whatever their number.
//
// Invariants: this is the quick way and never the only one: what it cannot open, for whatever reason, it answers with undefined, and whoever wants it reads it
// with care (content-reader.ts), which finds, tells and mends what is wrong. Opened bytes lie in memory that is lent until `release`, which is called
// once; at most two slots are held a stretch, and some always stay for those who write.
// Left out on purpose: records without a cipher (they are told good from bad by a second hash, and come the other way), and content larger than a slot.

import { ArchiveError, assert, type KeyGroup, type RecordId } from '../base/index.ts';
import { type CodecPool, checkedCipher, type SharedMemory, sharedSlotBytes } from '../codec/index.ts';
import { blockSizeBytes } from '../format/index.ts';
import type { KeySource } from '../keys/index.ts';
import type { RecordPlace, RecordReader } from './record-reader.ts';

/** Content that is wanted from its first byte to its last. */
export type WholeContent = {
  readonly ref: RecordId;
  /** Of its first record; all of them are its reference's writer's. */
  readonly firstSequence: bigint;
  readonly sizeBytes: number;
  readonly group: KeyGroup;
};

export type LentContents = {
  /** Of each content its bytes, or undefined where it has to be read another way. */
  readonly contents: readonly (Uint8Array | undefined)[];
  /** The bytes are good until then. */
  readonly release: () => void;
};

/** Neighbours from the first of some contents on. */
export type Stretch = { readonly contents: readonly WholeContent[]; readonly span: Span | undefined };

type Span = { readonly place: RecordPlace; readonly endOffset: number; readonly plainSizeBytes: number };

/** Slots that stay for what is being stored: as many as it has in flight. */
const slotsKept = 16;
/** A stretch is worth a worker's message; less than this is not. */
const contentsMax = 256;

export class ContentStretches {
  readonly #reader: RecordReader;
  readonly #pool: CodecPool;
  readonly #keys: KeySource;

  constructor(parts: { reader: RecordReader; pool: CodecPool; keys: KeySource }) {
    this.#reader = parts.reader;
    this.#pool = parts.pool;
    this.#keys = parts.keys;
  }

  /** As many of these as go together, from the first on, and at least one. */
  next(wanted: readonly WholeContent[]): Stretch {
    const [first] = wanted;
    assert(first !== undefined, 'there is a first content');
    let span = this.#pool.memory === undefined ? undefined : this.#spanOf(first);
    let count = 1;
    while (span !== undefined && count < Math.min(wanted.length, contentsMax)) {
      const content = wanted[count] as WholeContent;
      const longer = isBeside(first, content) ? together(span, this.#spanOf(content)) : undefined;
      if (longer === undefined) break;
      span = longer;
      count += 1;
    }
    return { contents: wanted.slice(0, count), span };
  }

  /** Where all its records lie, when that is known without asking anybody and fits. */
  #spanOf({ ref, firstSequence, sizeBytes }: WholeContent): Span | undefined {
    if (sizeBytes > sharedSlotBytes) return undefined;
    const last = this.#reader.placeOf(ref);
    if (last === undefined || last.row.cipher === 0) return undefined;
    const first = firstSequence === ref.sequence ? last : this.#reader.placeOf({ ...ref, sequence: firstSequence });
    if (first === undefined) return undefined;
    return together(spanAt(first, sizeBytes), spanAt(last, 0));
  }

  async open({ contents, span }: Stretch): Promise<LentContents> {
    const lent = span === undefined ? undefined : await this.#openSpan(contents, span).catch(unlessArchiveError);
    return lent ?? { contents: contents.map(() => undefined), release: () => undefined };
  }

  async #openSpan(contents: readonly WholeContent[], span: Span): Promise<LentContents | undefined> {
    const memory = this.#pool.memory as SharedMemory;
    const [first] = contents as readonly [WholeContent];
    const { place, endOffset, plainSizeBytes } = span;
    const packed = memory.takeSlot(slotsKept);
    const plain = memory.takeSlot(slotsKept);
    const release = (): void => {
      if (plain !== undefined) memory.giveSlot(plain);
    };
    let opened: Uint8Array | undefined;
    try {
      if (packed === undefined || plain === undefined) return undefined;
      const bytes = await this.#reader.readStretch(place, endOffset - place.row.offset, packed);
      if (bytes === undefined) return undefined;
      opened = await this.#pool.openContents({
        bytes,
        offsetInBlock: place.row.offset % blockSizeBytes,
        writer: first.ref.writer,
        group: first.group,
        keys: this.#keys.groupKeys(first.group, checkedCipher(place.row.cipher)),
        refs: BigUint64Array.from(contents, (each) => each.ref.sequence),
        sizesBytes: Uint32Array.from(contents, (each) => each.sizeBytes),
        into: plain.subarray(0, plainSizeBytes),
      });
    } finally {
      if (packed !== undefined) memory.giveSlot(packed);
      if (opened === undefined) release();
    }
    let end = 0;
    const lent = contents.map(({ sizeBytes }, index) => {
      end += sizeBytes;
      return opened[index] === 1 ? (plain as Uint8Array).subarray(end - sizeBytes, end) : undefined;
    });
    return { contents: lent, release };
  }
}

/** Keys that are gone, a pool that is full: whoever reads with care says so. */
function unlessArchiveError(error: unknown): undefined {
  if (!(error instanceof ArchiveError)) throw error;
}

function isBeside(one: WholeContent, other: WholeContent): boolean {
  const sameGroup = one.group.group === other.group.group && one.group.tenant === other.group.tenant;
  return sameGroup && one.group.year === other.group.year && one.ref.writer === other.ref.writer;
}

function spanAt(place: RecordPlace, plainSizeBytes: number): Span {
  return { place, endOffset: place.row.offset + place.row.sizeBytes, plainSizeBytes };
}

/** Undefined where they are too far from each other, or too much. */
function together(one: Span, other: Span | undefined): Span | undefined {
  if (other === undefined || !one.place.isBeside(other.place)) return undefined;
  const place = one.place.row.offset <= other.place.row.offset ? one.place : other.place;
  const endOffset = Math.max(one.endOffset, other.endOffset);
  const plainSizeBytes = one.plainSizeBytes + other.plainSizeBytes;
  const fits = endOffset - place.row.offset <= sharedSlotBytes && plainSizeBytes <= sharedSlotBytes;
  return fits ? { place, endOffset, plainSizeBytes } : undefined;
}
