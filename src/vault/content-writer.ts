// ContentWriter: a stream of bytes becomes chunks, and chunks a tree (FORMAT.md 5).
//
// Invariants: memory is one chunk, one list a level, and what the append queue has in flight, whatever the length; every chunk and list is durable
// before anything that names the content is appended; content of one chunk needs no list, content of no bytes no record.

import { assert, type KeyGroup, type RecordId, Sha256 } from '../base/index.ts';
import type { CodecHint } from '../codec/index.ts';
import { chunkSizeBytesMax, encodeChunkList, type ListChild, listChildrenMax, recordKind } from '../format/index.ts';
import type { AppendQueue } from './append-queue.ts';
import { factHint } from './draft.ts';

export type Content = {
  /** undefined for content of no bytes. */
  readonly ref: RecordId | undefined;
  /** The record with the least sequence that the content uses. */
  readonly first: RecordId | undefined;
  readonly sizeBytes: number;
  readonly digest: Uint8Array;
};

/** What is said of content once it is known: entries, events, site rows. */
export type FactDraft = { readonly kind: number; readonly group: KeyGroup; readonly plain: Uint8Array };

export type ContentHints = {
  /** How the bytes from this offset are best packed. */
  readonly hintAt: (offset: number) => CodecHint;
};

const listHint: CodecHint = { kind: 'bytes', effort: 'fast' };

export class ContentWriter {
  readonly #queue: AppendQueue;
  readonly #group: KeyGroup;
  readonly #hintAt: (offset: number) => CodecHint;
  readonly #digest = new Sha256();
  #buffer = new Uint8Array(0);
  #filled = 0;
  #chunkOffset = 0;
  #sizeBytes = 0;
  #first: RecordId | undefined;
  #outstanding = 0;
  #failure: { readonly reason: unknown } | undefined;
  #drained: (() => void) | undefined;
  /** Children not yet in a list, lowest level first. */
  readonly #levels: ListChild[][] = [];
  #ended = false;

  constructor(queue: AppendQueue, group: KeyGroup, hints: ContentHints) {
    this.#queue = queue;
    this.#group = group;
    this.#hintAt = hints.hintAt;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Takes the next bytes; resolves when there is room for more. The bytes are copied: the caller keeps its buffer. */
  async write(bytes: Uint8Array): Promise<void> {
    assert(!this.#ended, 'content that ended takes no more bytes');
    this.#digest.update(bytes);
    this.#sizeBytes += bytes.byteLength;
    for (let from = 0; from < bytes.byteLength; ) {
      if (this.#filled === this.#buffer.byteLength) await this.#makeRoom(bytes.byteLength - from);
      const count = Math.min(bytes.byteLength - from, this.#buffer.byteLength - this.#filled);
      this.#buffer.set(bytes.subarray(from, from + count), this.#filled);
      this.#filled += count;
      from += count;
    }
  }

  /** Ends the chunk here: a frame begins, or something that is to be read by itself. */
  async cut(): Promise<void> {
    if (this.#filled > 0) await this.#flushChunk();
  }

  /** Grows the chunk at hand up to its limit, then sends it off. */
  async #makeRoom(more: number): Promise<void> {
    if (this.#filled === chunkSizeBytesMax) await this.#flushChunk();
    const wanted = Math.min(chunkSizeBytesMax, Math.max(this.#filled + more, 2 * this.#filled));
    const grown = new Uint8Array(wanted);
    grown.set(this.#buffer.subarray(0, this.#filled));
    this.#buffer = grown;
  }

  async #flushChunk(): Promise<void> {
    const plain = this.#takeChunk();
    const hint = this.#hintAt(this.#chunkOffset);
    this.#chunkOffset += plain.byteLength;
    await this.#append(recordKind.chunk, plain, hint, 0);
  }

  #takeChunk(): Uint8Array {
    const plain = this.#filled === this.#buffer.byteLength ? this.#buffer : this.#buffer.slice(0, this.#filled);
    this.#buffer = new Uint8Array(0);
    this.#filled = 0;
    return plain;
  }

  /** Sends a record off and notes it as a child of `level`; resolves when the queue has room, not when it is durable. */
  async #append(
    kind: number,
    plain: Uint8Array,
    hint: CodecHint,
    level: number,
    below = plain.byteLength,
  ): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure.reason;
    await new Promise<void>((accepted, refused) => {
      this.#outstanding += 1;
      this.#queue
        .append(plain.byteLength, (nextId) => {
          const id = nextId();
          this.#first ??= id;
          const children = this.#levels[level] ?? [];
          this.#levels[level] = children;
          children.push({ id, sizeBytes: below });
          accepted();
          return [{ id, kind, group: this.#group, plain, hint }];
        })
        .then(
          () => this.#settled(),
          (reason: unknown) => {
            this.#failure ??= { reason };
            refused(reason);
            this.#settled();
          },
        );
    });
    const children = this.#levels[level] as ListChild[];
    if (children.length === listChildrenMax) await this.#closeList(level);
  }

  #settled(): void {
    this.#outstanding -= 1;
    if (this.#outstanding === 0) this.#drained?.();
  }

  async #closeList(level: number): Promise<void> {
    const children = this.#levels[level] as ListChild[];
    this.#levels[level] = [];
    const sizeBytes = children.reduce((sum, child) => sum + child.sizeBytes, 0);
    const plain = encodeChunkList({ level: level + 1, sizeBytes, digest: undefined, children });
    await this.#append(recordKind.chunkList, plain, listHint, level + 1, sizeBytes);
  }

  async #drain(): Promise<void> {
    if (this.#outstanding > 0) {
      await new Promise<void>((resolve) => {
        this.#drained = resolve;
      });
      this.#drained = undefined;
    }
    if (this.#failure !== undefined) throw this.#failure.reason;
  }

  /**
   * Ends the content and appends what `say` makes of it, in one group with the last record where the content is small. Durable and
   * applied when it resolves.
   */
  async finish(say: (content: Content) => FactDraft[]): Promise<Content> {
    assert(!this.#ended, 'content ends once');
    const digest = this.#digest.digest();
    const single = this.#levels.length === 0 && this.#filled > 0;
    if (!single) {
      await this.cut();
      await this.#drain();
      // Lists above the lowest may be open: each becomes a child of the one above it, until one is left.
      while (this.#levels.length > 1) {
        const level = this.#levels.findIndex((children) => children.length > 0);
        if (level === this.#levels.length - 1) break;
        await this.#closeList(level);
        await this.#drain();
      }
    }
    this.#ended = true;
    let content: Content = { ref: undefined, first: undefined, sizeBytes: this.#sizeBytes, digest };
    const last = this.#lastRecord(single, digest);
    // Room is asked for before the facts are known; they are small, and what they hold beyond this is let in with them.
    await this.#queue.append(last?.plain.byteLength ?? 0, (nextId) => {
      const ref = last === undefined ? undefined : nextId();
      content = { ...content, ref, first: this.#first ?? ref };
      const drafts = say(content).map((fact) => ({ fact }));
      const hint = this.#hintAt(this.#chunkOffset);
      const lead =
        last === undefined || ref === undefined
          ? []
          : [{ id: ref, kind: last.kind, group: this.#group, plain: last.plain, hint: single ? hint : listHint }];
      return [...lead, ...drafts.map(({ fact }) => ({ id: nextId(), ...fact, hint: factHint(fact.plain) }))];
    });
    return content;
  }

  /** The record that the content is known by: its only chunk, or the topmost list. */
  #lastRecord(single: boolean, digest: Uint8Array): { kind: number; plain: Uint8Array } | undefined {
    if (single) return { kind: recordKind.chunk, plain: this.#takeChunk() };
    if (this.#sizeBytes === 0) return undefined;
    const level = this.#levels.length - 1;
    const children = this.#levels[level] as ListChild[];
    assert(children.length > 0, 'content of several chunks has a list');
    return {
      kind: recordKind.chunkList,
      plain: encodeChunkList({ level: level + 1, sizeBytes: this.#sizeBytes, digest, children }),
    };
  }
}
