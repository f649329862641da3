// ContentWriter: a stream of bytes becomes chunks, and chunks a tree (FORMAT.md 5).
//
// Invariants: memory is one chunk, one list a level, and what the append queue has in flight, whatever the length; nothing that names a chunk or a list
// becomes durable in an earlier group than it, nor at all when it failed (they are one chain); content of one chunk needs no list, content of no bytes no
// record. What is sent before the end waits for nothing: it goes with the last record in one group, unless much has come together before.

import { assert, type KeyGroup, type RecordId } from '../base/index.ts';
import type { CodecHint } from '../codec/index.ts';
import { encodeChunkList, type ListChild, listChildrenMax, recordKind } from '../format/index.ts';
import type { AppendQueue, Chain } from './append-queue.ts';
import { ContentMemory, type Plain } from './content-memory.ts';
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

export class ContentWriter {
  readonly #queue: AppendQueue;
  readonly #group: KeyGroup;
  readonly #hintAt: (offset: number) => CodecHint;
  readonly #memory: ContentMemory;
  #chunkOffset = 0;
  #sizeBytes = 0;
  #first: RecordId | undefined;
  readonly #chain: Chain = { failure: undefined };
  /** Children not yet in a list, lowest level first. */
  readonly #levels: ListChild[][] = [];
  #digest: Uint8Array | Promise<Uint8Array> | undefined;
  #finished = false;

  constructor(queue: AppendQueue, group: KeyGroup, hints: ContentHints) {
    const { memory, works, class: stream } = queue.options;
    const isArriving = stream === 'ingest';
    this.#queue = queue;
    this.#group = group;
    this.#hintAt = hints.hintAt;
    this.#memory = new ContentMemory({
      memory,
      // What is rewritten leaves most of the slots to what arrives, and may wait.
      kept: isArriving || memory === undefined ? 0 : Math.floor(memory.sizes.slots * 0.75),
      digest: (bytes) => works.digest(bytes, { patient: !isArriving }),
    });
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

  /** Says that no more bytes come; their digest. Safe to repeat. INTERNAL: a worker died over it. */
  end(): Uint8Array | Promise<Uint8Array> {
    if (this.#digest === undefined) {
      this.#digest = this.#memory.digest();
      // Whoever waits for it is told; content that is given up meanwhile has nobody who does.
      if (this.#digest instanceof Promise) this.#digest.catch(() => undefined);
    }
    return this.#digest;
  }

  /** Gives the content up. What was sent stays without a name, and settling leaves it behind. */
  abandon(): void {
    this.#finished = true;
    this.#memory.close();
  }

  /** Takes the next bytes; resolves when there is room for more. The bytes are copied: the caller keeps its buffer. */
  async write(bytes: Uint8Array): Promise<void> {
    assert(this.#digest === undefined && !this.#finished, 'content that ended takes no more bytes');
    this.#sizeBytes += bytes.byteLength;
    for (let from = 0; from < bytes.byteLength; ) {
      const count = this.#memory.add(bytes, from);
      if (count === 0) await this.#sendChunk();
      from += count;
    }
  }

  /** Ends the chunk here: a frame begins, or something that is to be read by itself. */
  async cut(): Promise<void> {
    if (this.#memory.chunkBytes > 0) await this.#sendChunk();
  }

  async #sendChunk(options: { readonly last: boolean } = { last: false }): Promise<void> {
    const plain = this.#memory.take(options);
    const hint = this.#hintAt(this.#chunkOffset);
    this.#chunkOffset += plain.bytes.byteLength;
    await this.#append(recordKind.chunk, plain, hint, 0);
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
    await this.#append(
      recordKind.chunkList,
      { bytes: plain, release: undefined },
      factHint(plain),
      level + 1,
      sizeBytes,
    );
  }

  /**
   * Ends the content and appends what `say` makes of it, in one group with the last record where the content is small. Durable and
   * applied when it resolves.
   */
  async finish(say: (content: Content) => FactDraft[]): Promise<Content> {
    assert(!this.#finished, 'content is finished once');
    const digesting = this.end();
    const single = this.#levels.length === 0 && this.#memory.chunkBytes > 0;
    const isWaiting = digesting instanceof Promise;
    // While a worker digests, another one packs what is left.
    if (!single || isWaiting) await this.#sendRest();
    if (!single) await this.#closeLists();
    const digest = isWaiting ? await digesting : digesting;
    this.#finished = true;
    const last = this.#lastRecord(single, digest);
    this.#memory.close();
    const only = single && isWaiting ? this.#levels[0]?.[0]?.id : undefined;
    let content: Content = { ref: only, first: only, sizeBytes: this.#sizeBytes, digest };
    let taken = false;
    const build = (nextId: () => RecordId): Draft[] => {
      if (last !== undefined) {
        const ref = nextId();
        content = { ...content, ref, first: this.#first ?? ref };
      }
      const { ref } = content;
      const facts = say(content);
      taken = true;
      const lead = last === undefined || ref === undefined ? [] : [{ id: ref, group: this.#group, ...last }];
      return [...lead, ...facts.map((fact) => ({ id: nextId(), ...fact, hint: factHint(fact.plain) }))];
    };
    try {
      this.#check();
      // Room is asked for before the facts are known; they are small, and what they hold beyond this is let in with them.
      await this.#queue.append(last?.plain.byteLength ?? 0, build, { chain: this.#chain });
    } catch (error) {
      if (!taken) last?.release?.();
      throw error;
    }
    return content;
  }

  async #sendRest(): Promise<void> {
    if (this.#memory.chunkBytes > 0) await this.#sendChunk({ last: true });
  }

  /** Lists above the lowest may be open: each becomes a child of the one above it, until one is left. */
  async #closeLists(): Promise<void> {
    while (this.#levels.length > 1) {
      const level = this.#levels.findIndex((children) => children.length > 0);
      if (level === this.#levels.length - 1) break;
      await this.#closeList(level);
    }
  }

  /** The record that the content is known by: its only chunk, or the topmost list. */
  #lastRecord(single: boolean, digest: Uint8Array): Omit<Draft, 'id' | 'group'> | undefined {
    if (single && this.#memory.chunkBytes > 0) {
      const { bytes, release } = this.#memory.take({ last: true });
      return { kind: recordKind.chunk, plain: bytes, release, hint: this.#hintAt(this.#chunkOffset) };
    }
    if (single || this.#sizeBytes === 0) return undefined;
    const level = this.#levels.length - 1;
    const children = this.#levels[level] as ListChild[];
    assert(children.length > 0, 'content of several chunks has a list');
    const plain = encodeChunkList({ level: level + 1, sizeBytes: this.#sizeBytes, digest, children });
    return { kind: recordKind.chunkList, plain, hint: factHint(plain) };
  }
}
