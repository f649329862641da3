// Objects: put, find, read, list, remove. What every door says of named content, in one place.
//
// Invariants: what a put acknowledged is durable and visible; a put of what the name already holds stores nothing; of two puts of one
// name the one that ends later is the newer version, also when the clock was set back between them; a whole read is compared with the
// SHA-256 of what was put before its last piece is given out.
// Left out on purpose: who may (doors ask `accounts`), and the forms of keys and buckets of any protocol.

import {
  ArchiveError,
  assert,
  bytesEqual,
  type Clock,
  emptyBytes,
  hexOf,
  type KeyGroup,
  type Random,
  Sha256,
  sha256,
  type TenantId,
  viewOf,
} from '../base/index.ts';
import type { Catalog, Listing, ListOptions, ObjectRow } from '../catalog/index.ts';
import { chunkSizeBytesMax, encodeObjectEntry, type ObjectEntry, recordKind } from '../format/index.ts';
import type { Content, ContentHints, ContentWriter, FactDraft, Vault } from '../vault/index.ts';
import { FamilyTurns } from './family-turns.ts';
import { familyOf } from './project.ts';

export const bucketCharsMax = 63;
export const keyBytesMax = 4096;
const metaCharsMax = 8192;
const bucketForm = /^[a-z0-9][a-z0-9.-]{0,62}$/;

export type ObjectName = { readonly tenant: TenantId; readonly bucket: string; readonly key: Uint8Array };

export type PutOptions = ObjectName & {
  /** Where known: a name that holds as many bytes is compared before anything is stored, when `again` is there. */
  readonly sizeBytes?: number | undefined;
  /** Gives the content from its beginning once more. */
  readonly again?: (() => AsyncIterable<Uint8Array>) | undefined;
  readonly mode?: number | undefined;
  readonly mtimeMs?: number | undefined;
  readonly contentType?: string | undefined;
  readonly meta?: Readonly<Record<string, string>> | undefined;
};

export type PutResult = {
  readonly kind: 'stored' | 'same';
  readonly id: string;
  readonly sizeBytes: number;
  readonly digest: Uint8Array;
};

export type ReadRange = { readonly from: number /** Not included. */; readonly to: number };

const emptyDigest = sha256(emptyBytes);
export const ingestHints: ContentHints = { hintAt: () => ({ kind: 'bytes', effort: 'fast' }) };

type Said = Pick<ObjectEntry, 'state'> & PutOptions & { readonly createdMs: number; readonly id: string };

export class Objects {
  readonly #vault: Vault;
  readonly #catalog: Catalog;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #turns = new FamilyTurns();

  constructor(parts: { vault: Vault; catalog: Catalog; clock: Clock; random: Random }) {
    this.#vault = parts.vault;
    this.#catalog = parts.catalog;
    this.#clock = parts.clock;
    this.#random = parts.random;
  }

  /**
   * Stores content under a name. Durable and visible when it resolves; safe to repeat: the same content again is `same`. ARGUMENT_INVALID,
   * COPIES_TOO_FEW, DISK_*, DATABASE_FAILED, CLOSED.
   */
  async put(options: PutOptions, content: AsyncIterable<Uint8Array>): Promise<PutResult> {
    checkName(options);
    checkMeta(options.meta);
    const family = familyOf(options.bucket, options.key);
    return this.#turns.withGroup(
      family,
      () => this.#groupOf(options.tenant, family),
      async (group) => {
        const same = await this.#sameBefore(options);
        if (same !== undefined) return same;
        return this.#store(options, family, group, content);
      },
    );
  }

  async #store(
    options: PutOptions,
    family: Uint8Array,
    group: KeyGroup,
    content: AsyncIterable<Uint8Array>,
  ): Promise<PutResult> {
    const writer = this.#vault.contentWriter('ingest', group, ingestHints);
    try {
      for await (const piece of content) await writer.write(piece);
      return await this.#turns.inTurn(family, () => this.#storeTurn(options, group, writer));
    } catch (error) {
      writer.abandon();
      throw error;
    }
  }

  async #storeTurn(options: PutOptions, group: KeyGroup, writer: ContentWriter): Promise<PutResult> {
    const newest = await this.#catalog.objects.newest(options);
    // Content of one chunk was held back: when the name holds it already, storing it twice costs nothing.
    if (writer.isHeld && newest?.sizeBytes === writer.sizeBytes && isSame(newest, await writer.end())) {
      writer.abandon();
      return sameAs(newest);
    }
    const id = newObjectId(this.#clock, this.#random);
    const said: Said = { ...options, state: 'live', id, createdMs: this.#createdMs(newest) };
    let same: ObjectRow | undefined;
    const done = await writer.finish((content) => {
      // The bytes are written by now; without an entry nobody knows them, and settling leaves them behind.
      if (isSame(newest, content.digest)) same = newest;
      return same === undefined ? [entryDraft(group, said, content)] : [];
    });
    return same === undefined ? { kind: 'stored', id, sizeBytes: done.sizeBytes, digest: done.digest } : sameAs(same);
  }

  /** Compares before storing, where the caller can give the content twice and the sizes agree. */
  async #sameBefore(options: PutOptions): Promise<PutResult | undefined> {
    if (options.again === undefined || options.sizeBytes === undefined || options.sizeBytes <= chunkSizeBytesMax)
      return undefined;
    const newest = await this.#catalog.objects.live(options);
    if (newest?.sizeBytes !== options.sizeBytes) return undefined;
    const digest = new Sha256();
    for await (const piece of options.again()) digest.update(piece);
    return isSame(newest, digest.digest()) ? sameAs(newest) : undefined;
  }

  /** Hides the name behind a deletion marker; its versions stay. NOT_FOUND. */
  async remove(name: ObjectName): Promise<{ readonly id: string }> {
    checkName(name);
    const family = familyOf(name.bucket, name.key);
    return this.#turns.withGroup(
      family,
      () => this.#groupOf(name.tenant, family),
      (group) =>
        this.#turns.inTurn(family, async () => {
          const newest = await this.#catalog.objects.newest(name);
          if (newest?.state !== 'live') throw notFound();
          const id = newObjectId(this.#clock, this.#random);
          const said: Said = { ...name, state: 'marker', id, createdMs: this.#createdMs(newest) };
          const nothing: Content = { ref: undefined, first: undefined, sizeBytes: 0, digest: emptyDigest };
          await this.#vault.say('ingest', [entryDraft(group, said, nothing)]);
          return { id };
        }),
    );
  }

  /** The live object of a name, or one version of it by id. NOT_FOUND. */
  async find(name: ObjectName, versionId?: string): Promise<ObjectRow> {
    if (versionId === undefined) {
      const row = await this.#catalog.objects.live(name);
      if (row === undefined) throw notFound();
      return row;
    }
    const row = await this.#catalog.objects.version(versionId, name);
    if (row === undefined || row.state !== 'live' || !isNamed(row, name)) throw notFound();
    return row;
  }

  /** The bytes of an object, or a range of them. RECORD_LOST, RECORD_CORRUPT, DISK_MISSING, KEY_SHREDDED. */
  async *read(row: ObjectRow, range?: ReadRange): AsyncGenerator<Uint8Array> {
    assert(row.state === 'live', 'only a live object has content');
    if (row.ref === undefined) return;
    if (range !== undefined) {
      yield* this.#vault.contents.read(row.ref, range.from, Math.min(range.to, row.sizeBytes));
      return;
    }
    const digest = new Sha256();
    let sizeBytes = 0;
    let held: Uint8Array | undefined;
    for await (const piece of this.#vault.contents.read(row.ref)) {
      if (held !== undefined) yield held;
      digest.update(piece);
      sizeBytes += piece.byteLength;
      held = piece;
    }
    const whole = sizeBytes === row.sizeBytes && row.digest !== undefined && bytesEqual(digest.digest(), row.digest);
    if (!whole) throw new ArchiveError('RECORD_CORRUPT', `the content of version ${row.id} is not what was stored`);
    if (held !== undefined) yield held;
  }

  list(options: ListOptions): Promise<Listing> {
    return this.#catalog.listing.list(options);
  }

  versions(options: ListOptions): Promise<Listing> {
    return this.#catalog.listing.versions(options);
  }

  async #groupOf(tenant: TenantId, family: Uint8Array): Promise<KeyGroup> {
    const known = await this.#catalog.groups.ofFamily(tenant, family);
    return known ?? newGroup(tenant, this.#clock, this.#random);
  }

  #createdMs(newest: ObjectRow | undefined): number {
    return Math.max(Math.floor(this.#clock.nowMs()), newest?.createdMs ?? 0);
  }
}

/** Milliseconds in front, so that versions of one time lie together in the catalog's index: puts then write a third less. */
export function newObjectId(clock: Clock, random: Random): string {
  const ms = Math.max(0, Math.floor(clock.nowMs())).toString(16).padStart(12, '0').slice(-12);
  return ms + hexOf(random.bytes(10));
}

/** A group of this year, for what has none yet. */
export function newGroup(tenant: TenantId, clock: Clock, random: Random): KeyGroup {
  return { tenant, year: new Date(clock.nowMs()).getUTCFullYear(), group: viewOf(random.bytes(8)).getBigUint64(0) };
}

/** A version's id is no name: it is looked up in the whole archive. */
function isNamed(row: ObjectRow, { tenant, bucket, key }: ObjectName): boolean {
  return row.group.tenant === tenant && row.bucket === bucket && bytesEqual(row.key, key);
}

function isSame(row: ObjectRow | undefined, digest: Uint8Array): row is ObjectRow {
  return row?.state === 'live' && row.digest !== undefined && bytesEqual(row.digest, digest);
}

function sameAs(row: ObjectRow): PutResult {
  return { kind: 'same', id: row.id, sizeBytes: row.sizeBytes, digest: row.digest ?? emptyDigest };
}

function entryDraft(group: KeyGroup, said: Said, content: Content): FactDraft {
  const plain = encodeObjectEntry({
    type: 'object',
    id: said.id,
    bucket: said.bucket,
    key: said.key,
    sizeBytes: content.sizeBytes,
    digest: content.digest,
    ref: content.ref,
    first: content.first,
    createdMs: said.createdMs,
    state: said.state,
    mode: said.mode,
    mtimeMs: said.mtimeMs,
    contentType: said.contentType,
    meta: said.meta,
  });
  return { kind: recordKind.entry, group, plain };
}

function notFound(): ArchiveError {
  // Without the name: it may be a patient's.
  return new ArchiveError('NOT_FOUND', 'nothing is stored under this name');
}

/** ARGUMENT_INVALID. */
export function checkName({ bucket, key }: ObjectName): void {
  if (!bucketForm.test(bucket)) {
    throw new ArchiveError(
      'ARGUMENT_INVALID',
      `a bucket is 1 to ${bucketCharsMax} of a-z, 0-9, "-" and ".", and begins with a letter or digit`,
    );
  }
  if (key.byteLength < 1 || key.byteLength > keyBytesMax) {
    throw new ArchiveError('ARGUMENT_INVALID', `a name within a bucket has 1 to ${keyBytesMax} bytes`);
  }
  if (key.includes(0)) throw new ArchiveError('ARGUMENT_INVALID', 'a name has no zero byte');
}

function checkMeta(meta: PutOptions['meta']): void {
  if (meta === undefined) return;
  const chars = Object.entries(meta).reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  if (chars > metaCharsMax)
    throw new ArchiveError('LIMIT_EXCEEDED', `what is noted of an object has at most ${metaCharsMax} characters`);
}
