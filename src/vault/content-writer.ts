// ContentWriter: a stream of bytes becomes chunks, and chunks a tree (FORMAT.md 5).
//
// Invariants: memory is one chunk, one list a level, and what the append queue has in flight, whatever the length; nothing that names a chunk or a list
// becomes durable in an earlier group than it, nor at all when it failed (they are one chain); content of one chunk needs no list, content of no bytes no
// record. What is sent before the end waits for nothing: it goes with the last record in one group, unless much has come together before.

import { assert, emptyBytes, type KeyGroup, type RecordId, Sha256 } from '../base/index.ts';
import type { CodecHint, SharedMemory } from '../codec/index.ts';
import { chunkSizeBytesMax, encodeChunkList, type ListChild, listChildrenMax, recordKind } from '../format/index.ts';
import type { AppendQueue, Chain } from './append-queue.ts';
import { type Draft, factHint } from './draft.ts';

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

/** Chunks from here on are gathered in a slot of the shared memory, where there is one. */
const slotBytesMin = 64 * 1024;

/** A slot that a writer has now. Given back when the chunk was made, or when a writer was left in the middle and is collected. */
class SlotLease {
  readonly #memory: SharedMemory;
  readonly #kept: number;
  #slot: Uint8Array | undefined;

  /** `kept`: slots that stay for others. */
  constructor(memory: SharedMemory, kept: number) {
    this.#memory = memory;
    this.#kept = kept;
  }

  take(): Uint8Array | undefined {
    assert(this.#slot === undefined, 'a writer has one slot at a time');
    this.#slot = this.#memory.takeSlot(this.#kept);
    return this.#slot?.subarray(0, chunkSizeBytesMax);
  }

  /** Who gives the slot back, from now on; undefined when there is none. */
  handOver(): (() => void) | undefined {
    const slot = this.#slot;
    this.#slot = undefined;
    return slot === undefined ? undefined : () => this.#memory.giveSlot(slot);
  }
}

const leftBehind = new FinalizationRegistry<SlotLease>((lease) => lease.handOver()?.());

type Plain = { readonly bytes: Uint8Array; readonly release: (() => void) | undefined };

export class ContentWriter {
  readonly #queue: AppendQueue;
  readonly #lease: SlotLease | undefined;
  readonly #group: KeyGroup;
  readonly #hintAt: (offset: number) => CodecHint;
  readonly #digest = new Sha256();
  #buffer: Uint8Array = emptyBytes;
  #filled = 0;
  #chunkOffset = 0;
  #sizeBytes = 0;
  #first: RecordId | undefined;
  readonly #chain: Chain = { failure: undefined };
  /** Children not yet in a list, lowest level first. */
  readonly #levels: ListChild[][] = [];
  #contentDigest: Uint8Array | undefined;
  #finished = false;

  constructor(queue: AppendQueue, group: KeyGroup, hints: ContentHints, memory: SharedMemory | undefined) {
    this.#queue = queue;
    if (memory !== undefined) {
      // What is rewritten leaves most of the slots to what arrives.
      const kept = queue.options.class === 'ingest' ? 0 : Math.floor(memory.sizes.slots * 0.75);
      this.#lease = new SlotLease(memory, kept);
      leftBehind.register(this, this.#lease);
    }
    this.#group = group;
    this.#hintAt = hints.hintAt;
  }

  get group(): KeyGroup {
    return this.#group;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Nothing was sent yet: the content so far is in hand, as long as it is at most one chunk and was not cut. */
  get isHeld(): boolean {
    return this.#levels.length === 0;
  }

  /** Says that no more bytes come; their digest. Safe to repeat. */
  end(): Uint8Array {
    this.#contentDigest ??= this.#digest.digest();
    return this.#contentDigest;
  }

  /** Gives the content up. What was sent stays without a name, and settling leaves it behind. */
  abandon(): void {
    this.#finished = true;
    this.#lease?.handOver()?.();
    this.#buffer = emptyBytes;
    this.#filled = 0;
  }

  /** Takes the next bytes; resolves when there is room for more. The bytes are copied: the caller keeps its buffer. */
  async write(bytes: Uint8Array): Promise<void> {
    assert(this.#contentDigest === undefined && !this.#finished, 'content that ended takes no more bytes');
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
    const grown = (wanted >= slotBytesMin ? this.#lease?.take() : undefined) ?? new Uint8Array(wanted);
    grown.set(this.#buffer.subarray(0, this.#filled));
    this.#buffer = grown;
  }

  async #flushChunk(): Promise<void> {
    const plain = this.#takeChunk();
    const hint = this.#hintAt(this.#chunkOffset);
    this.#chunkOffset += plain.bytes.byteLength;
    await this.#append(recordKind.chunk, plain, hint, 0);
  }

  #takeChunk(): Plain {
    const release = this.#lease?.handOver();
    const whole = this.#filled === this.#buffer.byteLength;
    const bytes = this.#buffer.subarray(0, this.#filled);
    this.#buffer = emptyBytes;
    this.#filled = 0;
    // A part of a buffer would be copied on its way to a worker, and keep the rest of it in memory until then.
    return { bytes: whole || release !== undefined ? bytes : bytes.slice(), release };
  }

  /** Sends a record off and notes it as a child of `level`; resolves when the queue has room, not when it is durable. */
  async #append(
    kind: number,
    { bytes: plain, release }: Plain,
    hint: CodecHint,
    level: number,
    below = plain.byteLength,
  ): Promise<void> {
    let taken = false;
    try {
      this.#check();
      await new Promise<void>((accepted, refused) => {
        const build = (nextId: () => RecordId): Draft[] => {
          const id = nextId();
          this.#first ??= id;
          const children = this.#levels[level] ?? [];
          this.#levels[level] = children;
          children.push({ id, sizeBytes: below });
          taken = true;
          accepted();
          return [{ id, kind, group: this.#group, plain, hint, release }];
        };
        // Once it is accepted, what fails is kept in the chain.
        this.#queue.append(plain.byteLength, build, { lazy: true, chain: this.#chain }).catch(refused);
      });
    } catch (error) {
      if (!taken) release?.();
      throw error;
    }
    const children = this.#levels[level] as ListChild[];
    if (children.length === listChildrenMax) await this.#closeList(level);
  }

  #check(): void {
    if (this.#chain.failure !== undefined) throw this.#chain.failure.reason;
  }

  async #closeList(level: number): Promise<void> {
    const children = this.#levels[level] as ListChild[];
    this.#levels[level] = [];
    const sizeBytes = children.reduce((sum, child) => sum + child.sizeBytes, 0);
    const plain = encodeChunkList({ level: level + 1, sizeBytes, digest: undefined, children });
    await this.#append(recordKind.chunkList, { bytes: plain, release: undefined }, listHint, level + 1, sizeBytes);
  }

  /**
   * Ends the content and appends what `say` makes of it, in one group with the last record where the content is small. Durable and
   * applied when it resolves.
   */
  async finish(say: (content: Content) => FactDraft[]): Promise<Content> {
    assert(!this.#finished, 'content is finished once');
    const digest = this.end();
    const single = this.#levels.length === 0 && this.#filled > 0;
    if (!single) {
      await this.cut();
      // Lists above the lowest may be open: each becomes a child of the one above it, until one is left.
      while (this.#levels.length > 1) {
        const level = this.#levels.findIndex((children) => children.length > 0);
        if (level === this.#levels.length - 1) break;
        await this.#closeList(level);
      }
    }
    this.#finished = true;
    let content: Content = { ref: undefined, first: undefined, sizeBytes: this.#sizeBytes, digest };
    const last = this.#lastRecord(single, digest);
    let taken = false;
    const build = (nextId: () => RecordId): Draft[] => {
      const ref = last === undefined ? undefined : nextId();
      content = { ...content, ref, first: this.#first ?? ref };
      const facts = say(content);
      const hint = single ? this.#hintAt(this.#chunkOffset) : listHint;
      taken = true;
      const lead =
        last === undefined || ref === undefined
          ? []
          : [{ id: ref, kind: last.kind, group: this.#group, plain: last.bytes, hint, release: last.release }];
      return [...lead, ...facts.map((fact) => ({ id: nextId(), ...fact, hint: factHint(fact.plain) }))];
    };
    try {
      this.#check();
      // Room is asked for before the facts are known; they are small, and what they hold beyond this is let in with them.
      await this.#queue.append(last?.bytes.byteLength ?? 0, build, { chain: this.#chain });
    } catch (error) {
      if (!taken) last?.release?.();
      throw error;
    }
    return content;
  }

  /** The record that the content is known by: its only chunk, or the topmost list. */
  #lastRecord(single: boolean, digest: Uint8Array): (Plain & { readonly kind: number }) | undefined {
    if (single) return { kind: recordKind.chunk, ...this.#takeChunk() };
    if (this.#sizeBytes === 0) return undefined;
    const level = this.#levels.length - 1;
    const children = this.#levels[level] as ListChild[];
    assert(children.length > 0, 'content of several chunks has a list');
    return {
      kind: recordKind.chunkList,
      bytes: encodeChunkList({ level: level + 1, sizeBytes: this.#sizeBytes, digest, children }),
      release: undefined,
    };
  }
}
