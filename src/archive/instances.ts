// Instances: DICOM data sets kept verbatim, each as an object of its study's key group.
//
// Invariants: what a store acknowledged is durable and visible; the data set's bytes are kept as they came, cut so that its header and each of its
// frames can be read alone; the same bytes again are `same` and store nothing; other bytes under a known instance UID are kept beside the first and
// never instead of it, unless the caller's rule says that the last one counts; two stores of one UID at once decide one after the other.
// Memory is one header and one chunk, whatever the length.
// Left out on purpose: protocols, who may, and what a second object under one UID means to people (a quality case is told from the result).

import {
  ArchiveError,
  type Clock,
  concatBytes,
  defined,
  hexOf,
  isArchiveError,
  type KeyGroup,
  type Random,
  sameRecord,
  sha256Of,
  type TenantId,
  utf8Bytes,
} from '../base/index.ts';
import {
  type Catalog,
  type FoundInstance,
  type InstanceClaim,
  instanceBucket,
  type ObjectRow,
} from '../catalog/index.ts';
import { type DataSet, DataSetReader, PixelPool, transferSyntaxOf } from '../dicom/index.ts';
import {
  type AboutInstance,
  encodeEvent,
  encodeObjectEntry,
  type InstanceFacts,
  type Rejection,
  recordKind,
} from '../format/index.ts';
import { hintInstance } from '../policy/index.ts';
import type { Content, FactDraft, Vault } from '../vault/index.ts';
import { correctedBy } from './corrected-output.ts';
import { FamilyTurns } from './family-turns.ts';
import { headerOfText } from './header-text.ts';
import { HeaderTexts, type TextPlace } from './header-texts.ts';
import { InstanceCutter } from './instance-cutter.ts';
import { instanceKey, studyFamily } from './instance-names.ts';
import { type InstanceOutput, outputInstance } from './instance-output.ts';
import { type InstanceIdentity, InstanceReader } from './instance-reader.ts';
import { newGroup, newObjectId } from './objects.ts';
import { type Outgoing, type SentInstance, sendOut } from './outgoing.ts';
import { type AmendedInstance, Overlay } from './overlay.ts';
import { Quarantine, type Quarantined } from './quarantine.ts';
import { type ByteSource, readPieces } from './read-pieces.ts';
import { SaidAbout } from './said-about.ts';
import type { TextReading } from './text-reading.ts';
import { countsLast, type WhenKnown } from './when-known.ts';

/** An object by its id; a settled one is found by its instance UID as well. */
export type NamedInstance = { readonly id: string; readonly instanceUid: string };

export type StoreInstance = {
  readonly tenant: TenantId;
  /** Transfer syntax of the data set. */
  readonly syntax: string;
  /** Who brings it: an application entity or a door. */
  readonly source?: string | undefined;
  /** Issuer of patient ids that name none. */
  readonly issuer?: string | undefined;
  /** What the protocol said it would be; another in the data set is an oddity, not an error. */
  readonly expected?: { readonly classUid: string; readonly instanceUid: string } | undefined;
  /** The study that it must be of: ARGUMENT_INVALID when it is of another. */
  readonly study?: string | undefined;
  /** Which object under one UID is shown when a second one comes with other bytes. */
  readonly whenKnown?: WhenKnown | undefined;
};

export type HideInstances = {
  readonly tenant: TenantId;
  readonly study: string;
  readonly series?: string | undefined;
  readonly instance?: string | undefined;
  /** A word on why, kept with the event. */
  readonly reason: string;
};

export type StoredInstance = {
  /** `beside`: the UID was known with other bytes, which stay the ones that are shown, unless `shown` says otherwise. */
  readonly kind: 'stored' | 'same' | 'beside';
  readonly id: string;
  readonly shown: boolean;
  readonly studyUid: string;
  readonly seriesUid: string;
  readonly instanceUid: string;
  readonly classUid: string;
  readonly sizeBytes: number;
  /** SHA-256 of the data set, in hex. */
  readonly digest: string;
  /** What was odd about the data set, in words of ours. */
  readonly oddities: readonly string[];
};

/** Told of each instance that is stored or was there already, before its sender is; what it throws makes the store fail, which is safe to repeat. */
export type OnStored = (stored: StoredInstance, options: StoreInstance) => Promise<void>;

export class Instances {
  readonly #vault: Vault;
  readonly #catalog: Catalog;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #groups = new FamilyTurns();
  readonly #uids = new FamilyTurns();
  readonly #quarantine: Quarantine;
  /** Has no thread until something is decoded, and keeps no process alive. */
  readonly #pixels: PixelPool;
  readonly #said = new SaidAbout();
  readonly #overlay: Overlay;
  readonly #headerTexts: HeaderTexts;
  readonly #recentGroups = new Map<string, KeyGroup>();
  readonly #onStored: OnStored;
  readonly #texts: TextReading;

  constructor(parts: {
    vault: Vault;
    catalog: Catalog;
    clock: Clock;
    random: Random;
    texts: TextReading;
    onStored: OnStored;
  }) {
    this.#vault = parts.vault;
    this.#catalog = parts.catalog;
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.#quarantine = new Quarantine(parts);
    this.#pixels = new PixelPool({ clock: parts.clock });
    this.#overlay = new Overlay(parts.catalog);
    this.#headerTexts = new HeaderTexts(parts.vault);
    this.#onStored = parts.onStored;
    this.#texts = parts.texts;
  }

  /**
   * Stores a data set. Durable and visible when it resolves; safe to repeat. DICOM_MALFORMED when it cannot be read or names no instance;
   * COPIES_TOO_FEW, DISK_*, DATABASE_FAILED, CLOSED. What `data` throws passes through, and nothing is stored.
   */
  async store(options: StoreInstance, data: ByteSource): Promise<StoredInstance> {
    const pieces = readPieces(data);
    try {
      const sender = { tenant: options.tenant, source: options.source ?? '' };
      const reader = new InstanceReader({ ...options, readTexts: (header) => this.#texts.read(header, sender) });
      const held: Uint8Array[] = [];
      const coming = { reader, held, pieces };
      await this.#readIdentity(options, coming);
      const stored = await this.#inTurn(options, coming);
      await this.#onStored(stored, options);
      return stored;
    } finally {
      await pieces.return(undefined);
    }
  }

  async #readIdentity(options: StoreInstance, { reader, held, pieces }: Coming): Promise<void> {
    while (reader.identity === undefined) {
      const next = await pieces.next();
      if (next.done !== true) held.push(next.value.slice());
      try {
        if (next.done === true) reader.end();
        else reader.push(next.value);
      } catch (error) {
        await this.#quarantine.keepHeld(options, { held, pieces, error });
        throw error;
      }
    }
  }

  /** One at a time for an instance UID: what is decided on it holds until it is committed. */
  async #inTurn(options: StoreInstance, coming: Coming): Promise<StoredInstance> {
    const { tenant } = options;
    const { study, instance } = identityOf(coming);
    const claim = utf8Bytes(`${tenant}/${instance}`);
    return this.#groups.withGroup(
      utf8Bytes(`${tenant}/${study}`),
      () => this.#groupOf(tenant, study),
      (group) =>
        this.#uids.withGroup(
          claim,
          async () => group,
          () => this.#uids.inTurn(claim, () => this.#storeIn(group, options, coming)),
        ),
    );
  }

  async #storeIn(group: KeyGroup, options: StoreInstance, coming: Coming): Promise<StoredInstance> {
    try {
      return await this.#storeTurn(options, coming, group);
    } catch (error) {
      // The study's key was destroyed since: the next instance of the study begins another group.
      if (isArchiveError(error, 'KEY_SHREDDED')) this.#recentGroups.clear();
      throw error;
    }
  }

  async #storeTurn(options: StoreInstance, coming: Coming, group: KeyGroup): Promise<StoredInstance> {
    const { reader } = coming;
    const identity = identityOf(coming);
    const known = await this.#catalog.instances.claims(options.tenant, identity.instance);
    if (known.length > 0) {
      const same = await sameOf(known, options, coming);
      if (same !== undefined) return told(identity, reader, same, { kind: 'same', shown: same.shown, id: same.id });
    }
    const id = newObjectId(this.#clock, this.#random);
    const rank = rankOf(known, countsLast(options.whenKnown, identity.class) ? 'last' : 'first');
    const about = this.#said.news(identity, group);
    let same: InstanceClaim | undefined;
    const content = await this.#write(options, coming, group, (written) => {
      same = known.find((each) => each.digest === hexOf(written.digest) && each.syntaxUid === options.syntax);
      const odd = known.length > 0 ? [...reader.oddities, 'other-bytes'] : reader.oddities;
      const read = { headBytes: reader.headBytes ?? 0, odd, rejects: reader.rejection };
      const parts = { options, identity, ...read, group, id, rank, about, content: written };
      return same === undefined ? [this.#entry(parts), ...this.#readingOf(parts)] : [];
    });
    if (same !== undefined) return told(identity, reader, same, { kind: 'same', shown: same.shown, id: same.id });
    this.#said.remember(identity, group);
    if (about.series !== undefined)
      this.#texts.learn({ tenant: options.tenant, source: options.source ?? '' }, identity.readAs);
    const shown = known.length === 0 || rank > 0;
    const written = { digest: hexOf(content.digest), sizeBytes: content.sizeBytes };
    return told(identity, reader, written, { kind: known.length > 0 ? 'beside' : 'stored', shown, id });
  }

  async #write(
    options: StoreInstance,
    { reader, held, pieces }: Coming,
    group: KeyGroup,
    say: (content: Content) => FactDraft[],
  ): Promise<Content> {
    const shape = reader.identity?.shape;
    // Where the pixels begin may be known only while the bytes go by.
    const pixels = {
      shape,
      syntax: options.syntax,
      get headBytes() {
        return reader.headBytes ?? Number.POSITIVE_INFINITY;
      },
    };
    const writer = this.#vault.contentWriter('ingest', group, { hintAt: hintInstance(pixels, 'fast') });
    const cutter = new InstanceCutter(writer, pixels);
    for (const piece of held) await cutter.write(piece);
    held.length = 0;
    for (let next = await pieces.next(); next.done !== true; next = await pieces.next()) {
      // Kept before it is judged: what cannot be read is quarantined whole.
      await cutter.write(next.value);
      await this.#judge(options, { writer, pieces }, () => reader.push(next.value));
    }
    await this.#judge(options, { writer, pieces }, () => reader.end());
    return writer.finish(say);
  }

  async #judge(options: StoreInstance, coming: Omit<Quarantined, 'error'>, read: () => void): Promise<void> {
    try {
      read();
    } catch (error) {
      await this.#quarantine.keep(options, { ...coming, error });
      throw error;
    }
  }

  #entry(parts: {
    options: StoreInstance;
    identity: InstanceIdentity;
    headBytes: number;
    odd: readonly string[];
    rejects: Rejection | undefined;
    group: KeyGroup;
    id: string;
    rank: number;
    about: AboutInstance;
    content: Content;
  }): FactDraft {
    const { options, identity, content } = parts;
    const dicom: InstanceFacts = {
      study: identity.study,
      series: identity.series,
      instance: identity.instance,
      class: identity.class,
      syntax: options.syntax,
      number: identity.number,
      headBytes: parts.headBytes,
      frames: identity.frames,
      shape: identity.shape,
      rank: parts.rank,
      source: options.source,
      odd: parts.odd,
      rejects: parts.rejects,
      about: parts.about,
      readAs: parts.about.series === undefined ? undefined : identity.readAs,
    };
    const plain = encodeObjectEntry({
      type: 'object',
      id: parts.id,
      bucket: instanceBucket,
      key: instanceKey(identity, parts.rank, parts.id),
      sizeBytes: content.sizeBytes,
      digest: content.digest,
      ref: content.ref,
      first: content.first,
      createdMs: Math.floor(this.#clock.nowMs()),
      state: 'live',
      mode: undefined,
      mtimeMs: undefined,
      contentType: 'application/dicom',
      meta: undefined,
      dicom,
    });
    return { kind: recordKind.entry, group: parts.group, plain };
  }

  /** What leaves of a series is read as somebody said of its device: told with the series. */
  #readingOf(parts: {
    options: StoreInstance;
    identity: InstanceIdentity;
    group: KeyGroup;
    about: AboutInstance;
  }): FactDraft[] {
    const { options, identity, group, about } = parts;
    const sender = { tenant: options.tenant, source: options.source ?? '' };
    const event = about.series === undefined ? undefined : this.#texts.amendmentOf(identity, sender);
    return event === undefined ? [] : [{ kind: recordKind.event, group, plain: encodeEvent(event) }];
  }

  /**
   * Hides a study, a series or an instance from everyone who asks, and whatever comes of these instances again; their bytes stay. Durable when it
   * resolves; how many instances were hidden. NOT_FOUND when nothing is shown under the names.
   */
  async hide(what: HideInstances): Promise<number> {
    const names = [
      { field: 'studyUid' as const, value: what.study },
      { field: 'seriesUid' as const, value: what.series },
      { field: 'instanceUid' as const, value: what.instance },
    ];
    const conditions = names.flatMap(({ field, value }) =>
      value === undefined ? [] : [{ field, match: { kind: 'equals' as const, values: [value] } }],
    );
    let hidden = 0;
    for (;;) {
      // What was hidden is not found again, so the first page is always the next.
      const { rows } = await this.#catalog.search.instances({ tenant: what.tenant, conditions }, { limit: 1000 });
      if (rows.length === 0) break;
      const object = await this.object(rows[0] as FoundInstance);
      const id = newObjectId(this.#clock, this.#random);
      const instances = rows.map((row) => row.instanceUid);
      const plain = encodeEvent({ type: 'rejected', id, code: what.reason, instances });
      await this.#vault.say('ingest', [{ kind: recordKind.event, group: object.group, plain }]);
      hidden += rows.length;
    }
    if (hidden === 0) throw new ArchiveError('NOT_FOUND', 'no such study, series or instance is stored');
    return hidden;
  }

  /** The object behind an instance. NOT_FOUND. */
  async object(instance: NamedInstance): Promise<ObjectRow> {
    const row = await this.#catalog.objects.version(instance.id, instance);
    if (row?.state !== 'live') throw new ArchiveError('NOT_FOUND', 'no such instance is stored');
    return row;
  }

  /** The data set's bytes from `from` up to `to`, as they were received. RECORD_LOST, RECORD_CORRUPT, DISK_MISSING, KEY_SHREDDED. */
  async *read(row: ObjectRow, from = 0, to: number = row.sizeBytes): AsyncGenerator<Uint8Array> {
    if (row.ref !== undefined && from < to)
      yield* this.#vault.contents.read(row.ref, from, Math.min(to, row.sizeBytes));
  }

  /**
   * The instance as it leaves: in the first of the syntaxes that it can leave in, the stored one before all others, with what amends its study applied; with
   * `amended` undefined as it was received, for who has noted that (`amendments.noteOriginals`).
   * DICOM_UNSUPPORTED when there is none; reading fails as `read` does.
   */
  async output(
    instance: NamedInstance & Pick<FoundInstance, 'syntaxUid'> & AmendedInstance,
    takes: readonly string[],
  ): Promise<InstanceOutput> {
    const row = await this.object(instance);
    const read = (from: number, to: number): AsyncIterable<Uint8Array> => this.read(row, from, to);
    const correct = await this.#overlay.of(row.group.tenant, instance);
    return outputInstance(instance, row, takes, { read, pool: this.#pixels, correct });
  }

  /**
   * Instances in their order, in the first syntax each that `takes` says and they can leave in; a batch's bytes are good until the next batch is asked
   * for. One that cannot be read is there without bytes. Fails as the catalog does.
   */
  outgoing<Each extends SentInstance>(
    instances: readonly Each[],
    takes: (instance: Each) => readonly string[],
  ): AsyncGenerator<readonly Outgoing<Each>[]> {
    return sendOut(instances, takes, {
      contents: (each) => this.#catalog.contents.ofInstances(each),
      stretches: this.#vault.stretches,
      output: (instance, wanted) => this.output(instance, wanted),
    });
  }

  /** The header as it leaves: everything before the pixel data. Values of 64 KiB and more are named and not read; places are those of the stored bytes. */
  async header(
    instance: NamedInstance & Pick<FoundInstance, 'headBytes' | 'syntaxUid'> & AmendedInstance,
  ): Promise<DataSet> {
    const row = await this.object(instance);
    const stored = await this.#readHeader(row, instance, undefined);
    const correct = await this.#overlay.of(row.group.tenant, instance);
    if (correct === undefined) return stored;
    const read = async (which: 'usual' | 'all'): Promise<DataSet> =>
      which === 'usual' ? stored : this.#readHeader(row, instance, Number.POSITIVE_INFINITY);
    return (await correctedBy(correct, read)) ?? stored;
  }

  /** The header for looking something up: of a settled instance from its text, without reading the instance, where that tells all. */
  async headerToSearch(
    instance: NamedInstance & Pick<FoundInstance, 'headBytes' | 'syntaxUid' | 'text'> & AmendedInstance,
  ): Promise<DataSet> {
    const place = textOf(instance);
    const header = place === undefined ? undefined : headerOfText(await this.#headerTexts.one(place));
    return header ?? this.header(instance);
  }

  /** The thumbnail that settling made for the instance's series, a JPEG; undefined where there is none. */
  async thumbnail({ picture }: Pick<FoundInstance, 'id' | 'studyUid' | 'picture'>): Promise<Uint8Array | undefined> {
    if (picture === undefined) return undefined;
    const pieces: Uint8Array[] = [];
    for await (const piece of this.#vault.contents.read(picture.ref, 0, picture.sizeBytes)) pieces.push(piece);
    return concatBytes(pieces);
  }

  /**
   * Headers as text, as they leave (header-texts.ts), in order; undefined for each that has none that holds: it is not settled, or something amends its
   * study. This and `header` are the two ways in which what a header says leaves the archive without its instance.
   */
  async *headerTexts(
    instances: readonly Pick<FoundInstance, 'id' | 'studyUid' | 'text' | 'amended'>[],
  ): AsyncGenerator<Uint8Array | undefined> {
    for (let from = 0; from < instances.length; ) {
      const run: TextPlace[] = [];
      for (let at = from; at < instances.length; at += 1) {
        const place = textOf(instances[at]);
        if (place === undefined || (run[0] !== undefined && !sameRecord(run[0].ref, place.ref))) break;
        run.push(place);
      }
      if (run.length === 0) yield undefined;
      else yield* this.#headerTexts.each(run);
      from += Math.max(1, run.length);
    }
  }

  /** The header as it was received. */
  async storedHeader(instance: NamedInstance & Pick<FoundInstance, 'headBytes' | 'syntaxUid'>): Promise<DataSet> {
    return this.#readHeader(await this.object(instance), instance, undefined);
  }

  async #readHeader(
    row: ObjectRow,
    { syntaxUid, headBytes }: Pick<FoundInstance, 'headBytes' | 'syntaxUid'>,
    bulkBytesMin: number | undefined,
  ): Promise<DataSet> {
    const reader = new DataSetReader({ syntax: transferSyntaxOf(syntaxUid), stopAt: 'pixels', bulkBytesMin });
    for await (const piece of this.read(row, 0, headBytes)) reader.push(piece);
    return reader.headerDone ? reader.dataSet : reader.finish();
  }

  /** The study's group: of the last one stored to, without asking; a group does not change while its key is there. */
  async #groupOf(tenant: TenantId, study: string): Promise<KeyGroup> {
    const name = `${tenant}/${study}`;
    const recent = this.#recentGroups.get(name);
    if (recent !== undefined) return recent;
    const known = await this.#catalog.groups.ofFamily(tenant, studyFamily(study));
    if (known === undefined) return newGroup(tenant, this.#clock, this.#random);
    if (this.#recentGroups.size >= recentGroupsMax) this.#recentGroups.clear();
    this.#recentGroups.set(name, known);
    return known;
  }
}

/** A data set on its way in: what came already, what is still to come, and who reads along. */
type Coming = {
  readonly reader: InstanceReader;
  readonly held: Uint8Array[];
  readonly pieces: AsyncGenerator<Uint8Array>;
};

const recentGroupsMax = 1000;
/** A data set under a known UID is held back up to this size and compared before anything is written. */
const comparedBytesMax = 4 * 1024 * 1024;

/** Where its text lies, while that is what leaves. */
function textOf(instance: Pick<FoundInstance, 'text' | 'amended'> | undefined): TextPlace | undefined {
  return instance?.amended === undefined ? instance?.text : undefined;
}

function identityOf({ reader }: Coming): InstanceIdentity {
  return defined(reader.identity, 'who an instance is was read before it is stored');
}

/** The claim that has these very bytes, as far as they can be held. */
async function sameOf(
  known: readonly InstanceClaim[],
  options: StoreInstance,
  { reader, held, pieces }: Coming,
): Promise<InstanceClaim | undefined> {
  while (reader.sizeBytes <= comparedBytesMax) {
    const next = await pieces.next();
    if (next.done === true) {
      const digest = hexOf(sha256Of(held));
      return known.find((each) => each.digest === digest && each.syntaxUid === options.syntax);
    }
    reader.push(next.value);
    held.push(next.value.slice());
  }
  return undefined;
}

function told(
  identity: InstanceIdentity,
  reader: InstanceReader,
  content: { readonly digest: string; readonly sizeBytes: number },
  outcome: Pick<StoredInstance, 'kind' | 'shown' | 'id'>,
): StoredInstance {
  return {
    ...outcome,
    studyUid: identity.study,
    seriesUid: identity.series,
    instanceUid: identity.instance,
    classUid: identity.class,
    sizeBytes: content.sizeBytes,
    digest: content.digest,
    oddities: reader.oddities,
  };
}

/** Later than all that are there, or earlier than all. */
function rankOf(known: readonly InstanceClaim[], whenKnown: 'first' | 'last'): number {
  if (known.length === 0) return 0;
  const ranks = known.map((each) => each.rank);
  return whenKnown === 'last' ? Math.max(...ranks) + 1 : Math.min(...ranks) - 1;
}
