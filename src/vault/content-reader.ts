// ContentReader: content by its reference, whole or a range, chunk by chunk.
//
// Invariants: every record is checked when it is read; memory is one list a level and `readAheadMax` chunks; a range reads only the
// chunks it touches and the lists above them.

import { ArchiveError, assert, type RecordId, recordIdText } from '../base/index.ts';
import { type ChunkList, decodeChunkList, type ListChild, listLevelMax, recordKind } from '../format/index.ts';
import type { FoundHead } from './record-reader.ts';

export type OpenedRecord = { readonly found: FoundHead; readonly plain: Uint8Array };
export type OpenRecord = (id: RecordId) => Promise<OpenedRecord>;

export type ContentInfo = {
  readonly sizeBytes: number;
  readonly digest: Uint8Array | undefined;
  readonly levels: number;
};

export class ContentReader {
  readonly #open: OpenRecord;
  readonly #readAheadMax: number;

  constructor(open: OpenRecord, readAheadMax: number) {
    assert(readAheadMax >= 1, 'at least the chunk at hand is read');
    this.#open = open;
    this.#readAheadMax = readAheadMax;
  }

  async info(ref: RecordId): Promise<ContentInfo> {
    const root = await this.#open(ref);
    if (root.found.head.kind === recordKind.chunk)
      return { sizeBytes: root.plain.byteLength, digest: undefined, levels: 0 };
    const list = listOf(root, ref);
    return { sizeBytes: list.sizeBytes, digest: list.digest, levels: list.level };
  }

  /** The bytes from `from` up to `to`, in pieces of at most a chunk. */
  async *read(ref: RecordId, from = 0, to = Number.POSITIVE_INFINITY): AsyncGenerator<Uint8Array> {
    for await (const { plain, offset } of this.chunks(ref, from, to)) {
      const begin = Math.max(0, from - offset);
      const end = Math.min(plain.byteLength, to - offset);
      if (begin < end) yield begin === 0 && end === plain.byteLength ? plain : plain.subarray(begin, end);
    }
  }

  /** Whole chunks that touch the range, in order, with what they are made of. */
  async *chunks(
    ref: RecordId,
    from = 0,
    to = Number.POSITIVE_INFINITY,
  ): AsyncGenerator<OpenedRecord & { readonly offset: number; readonly id: RecordId }> {
    const root = await this.#open(ref);
    if (root.found.head.kind === recordKind.chunk) {
      yield { ...root, offset: 0, id: ref };
      return;
    }
    const ahead: { id: RecordId; offset: number; opened: Promise<OpenedRecord> }[] = [];
    const take = async (): Promise<OpenedRecord & { offset: number; id: RecordId }> => {
      const next = ahead.shift() as (typeof ahead)[number];
      return { ...(await next.opened), offset: next.offset, id: next.id };
    };
    try {
      for await (const leaf of this.#leaves(listOf(root, ref), 0, from, to, listLevelMax)) {
        const opened = this.#open(leaf.id);
        // Whoever stops reading early must not leave a rejection behind.
        opened.catch(() => undefined);
        ahead.push({ id: leaf.id, offset: leaf.offset, opened });
        if (ahead.length >= this.#readAheadMax) yield await take();
      }
      while (ahead.length > 0) yield await take();
    } finally {
      await Promise.allSettled(ahead.map((each) => each.opened));
    }
  }

  /** Every record the content consists of: lists first seen, then what is below them. */
  async *records(ref: RecordId): AsyncGenerator<{ readonly id: RecordId; readonly kind: number }> {
    const root = await this.#open(ref);
    yield { id: ref, kind: root.found.head.kind };
    if (root.found.head.kind !== recordKind.chunk) yield* this.#below(listOf(root, ref));
  }

  async *#below(list: ChunkList): AsyncGenerator<{ id: RecordId; kind: number }> {
    for (const child of list.children) {
      if (list.level === 1) {
        yield { id: child.id, kind: recordKind.chunk };
        continue;
      }
      yield { id: child.id, kind: recordKind.chunkList };
      yield* this.#below(listOf(await this.#open(child.id), child.id));
    }
  }

  async *#leaves(
    list: ChunkList,
    base: number,
    from: number,
    to: number,
    levelMax: number,
  ): AsyncGenerator<{ id: RecordId; offset: number }> {
    if (list.level > levelMax) throw new ArchiveError('RECORD_CORRUPT', 'a chunk list is above itself');
    let offset = base;
    for (const child of list.children) {
      const end = offset + child.sizeBytes;
      if (offset >= to) return;
      if (end > from) {
        if (list.level === 1) yield { id: child.id, offset };
        else yield* this.#leaves(await this.#child(child), offset, from, to, list.level - 1);
      }
      offset = end;
    }
  }

  async #child(child: ListChild): Promise<ChunkList> {
    const list = listOf(await this.#open(child.id), child.id);
    if (list.sizeBytes !== child.sizeBytes)
      throw new ArchiveError('RECORD_CORRUPT', 'a chunk list is not as long as the one above says');
    return list;
  }
}

function listOf(opened: OpenedRecord, id: RecordId): ChunkList {
  if (opened.found.head.kind !== recordKind.chunkList) {
    throw new ArchiveError('RECORD_CORRUPT', `record ${recordIdText(id)} is neither chunk nor chunk list`);
  }
  return decodeChunkList(opened.plain);
}
