// One group from ingest packs into the archive stream: content chunk by chunk through the best codec, then its entries anew.
//
// Invariants: what is written is what was put: the plain bytes read are compared with the object's SHA-256 before the new entry is appended;
// an entry keeps its id, name and times and only its reference changes; chunks keep their cuts; the new entries and one event that links old
// and new references (or several, where they are many) follow the bytes, so a crash between leaves bytes that nobody names and the old entry in force.

import { ArchiveError, bytesEqual, type KeyGroup, type RecordId, recordIdText } from '../base/index.ts';
import type { Catalog, ContentCursor, ObjectRow } from '../catalog/index.ts';
import { releaseBytes } from '../codec/index.ts';
import {
  chunkSizeBytesMax,
  decodeFact,
  encodeEvent,
  encodeObjectEntry,
  type InstanceFacts,
  recordKind,
} from '../format/index.ts';
import { hintInstance } from '../policy/index.ts';
import type { Content, FactDraft, Pace, Vault } from '../vault/index.ts';

export type MoveParts = { readonly vault: Vault; readonly catalog: Catalog; readonly pace: Pace };

export type Moved = {
  readonly objects: number;
  readonly bytes: number;
  /** Where the content is now, with its digest: to be read back before anything is released. */
  readonly contents: readonly { readonly ref: RecordId; readonly digest: Uint8Array }[];
};

type Pair = { readonly from: RecordId; readonly to: RecordId; readonly digest: Uint8Array };

const pageRows = 500;
/** Objects moved one behind the other in their order of arrival: more than any study has; a larger group goes in pieces. */
const rowsAtOnceMax = 20_000;
/** Objects whose writes wait for the disk together: they share group commits. */
const writesAtOnceMax = 32;
/** Some 150 bytes each, and an event is one record of at most 1 MiB. */
const pairsPerEventMax = 4096;
/** What the objects of DICOM instances are; others that claim it cost a look and nothing else. */
const instanceContentType = 'application/dicom';

/** Moves every live object of the group whose content lies in an ingest pack. KEY_SHREDDED, RECORD_LOST, RECORD_CORRUPT, CLOSED. */
export async function moveGroup(group: KeyGroup, parts: MoveParts): Promise<Moved> {
  const contents: Moved['contents'][number][] = [];
  let objects = 0;
  let bytes = 0;
  for (let more = true; more; ) {
    const rows = await rowsInIngest(group, parts);
    const moved = await moveRows(group, rows, parts);
    contents.push(...moved.contents);
    objects += rows.length;
    bytes += moved.bytes;
    // What was moved is in no ingest pack any more: so the rest comes first now.
    more = rows.length === rowsAtOnceMax;
  }
  return { objects, bytes, contents };
}

async function moveRows(
  group: KeyGroup,
  rows: readonly ObjectRow[],
  parts: MoveParts,
): Promise<{ contents: Moved['contents']; bytes: number }> {
  const contents: Moved['contents'][number][] = [];
  const written = new Map<string, Promise<Content>>();
  let pairs: Pair[] = [];
  let bytes = 0;
  const pending = new Pending(writesAtOnceMax);
  const link = async (): Promise<void> => {
    // An event names only what is durable, so it waits for all before it.
    await pending.all();
    if (pairs.length > 0) await parts.vault.say('archive', [reencodedDraft(group, pairs)]);
    pairs = [];
  };
  try {
    for (const row of rows) {
      const { ref } = row;
      if (ref === undefined) continue;
      const dicom = await instanceOf(row, parts);
      const before = written.get(recordIdText(ref));
      if (before !== undefined) {
        const content = await before;
        await pending.add(parts.vault.say('archive', [entryDraft(row, content, dicom)]));
        continue;
      }
      const { finished } = await rewrite(row, ref, dicom, parts);
      written.set(recordIdText(ref), finished);
      const noted = finished.then((content) => {
        const to = refOf(content);
        pairs.push({ from: ref, to, digest: content.digest });
        contents.push({ ref: to, digest: content.digest });
        bytes += content.sizeBytes;
      });
      await pending.add(noted);
      // What lies in one piece on the medium is read in one: only small content is begun before the one before it ends.
      if (row.sizeBytes > chunkSizeBytesMax) await pending.all();
      if (pairs.length >= pairsPerEventMax) await link();
    }
    await link();
  } finally {
    await pending.settled();
  }
  return { contents, bytes };
}

/** Writes that are under way; the first that fails fails whoever waits next. */
class Pending {
  readonly #limit: number;
  #writes: Promise<unknown>[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Waits for the one begun first while there are too many. */
  async add(write: Promise<unknown>): Promise<void> {
    write.catch(() => undefined);
    this.#writes.push(write);
    while (this.#writes.length > this.#limit) await this.#writes.shift();
  }

  async all(): Promise<void> {
    for (let write = this.#writes.shift(); write !== undefined; write = this.#writes.shift()) await write;
  }

  /** When none is under way any more, however they ended. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#writes);
  }
}

/** The first so many, in the order of arrival, which is the order in which they will be asked for. */
async function rowsInIngest(group: KeyGroup, { vault, catalog }: MoveParts): Promise<ObjectRow[]> {
  const rows: ObjectRow[] = [];
  let after: ContentCursor | undefined;
  do {
    const page = await catalog.objects.ofGroup(group, { after, limit: pageRows });
    for (const row of page.rows) {
      if (rows.length === rowsAtOnceMax) break;
      if (row.state === 'live' && row.ref !== undefined && (await isInIngest(row.ref, vault))) rows.push(row);
    }
    after = rows.length === rowsAtOnceMax ? undefined : page.next;
  } while (after !== undefined);
  return rows.sort((a, b) => a.createdMs - b.createdMs || a.objectNo - b.objectNo);
}

async function isInIngest(ref: RecordId, vault: Vault): Promise<boolean> {
  for (const pack of await vault.register.packsOfRecord(ref)) {
    if ((await vault.register.pack(pack))?.class === 'ingest') return true;
  }
  return false;
}

/** What the entry in force says of a DICOM instance: the catalog's rows do not hold all of it. */
async function instanceOf(row: ObjectRow, { vault }: MoveParts): Promise<InstanceFacts | undefined> {
  if (row.contentType !== instanceContentType) return undefined;
  const { plain } = await vault.open(row.version.record);
  const fact = decodeFact(plain);
  return fact.type === 'object' ? fact.dicom : undefined;
}

/** Writes the content anew, with its entry; `finished` resolves when both are durable, and the next may be begun before. */
async function rewrite(
  row: ObjectRow,
  ref: RecordId,
  dicom: InstanceFacts | undefined,
  parts: MoveParts,
): Promise<{ finished: Promise<Content> }> {
  const { vault, pace } = parts;
  const hintAt = dicom === undefined ? () => ({ kind: 'bytes', effort: 'best' }) as const : hintInstance(dicom, 'best');
  const writer = vault.contentWriter('archive', row.group, { hintAt });
  try {
    for await (const { plain } of vault.contents.chunks(ref)) {
      if (writer.sizeBytes > 0) await writer.cut();
      await writer.write(plain);
      await pace(plain.byteLength);
      releaseBytes(plain);
    }
    if (writer.sizeBytes !== row.sizeBytes || row.digest === undefined || !bytesEqual(await writer.end(), row.digest)) {
      throw new ArchiveError('RECORD_CORRUPT', `the content of version ${row.id} is not what was stored`);
    }
  } catch (error) {
    writer.abandon();
    throw error;
  }
  return { finished: writer.finish((content) => [entryDraft(row, content, dicom)]) };
}

function refOf(content: Content): RecordId {
  if (content.ref === undefined) throw new ArchiveError('INTERNAL', 'content that was moved has no reference');
  return content.ref;
}

function entryDraft(row: ObjectRow, content: Content, dicom: InstanceFacts | undefined): FactDraft {
  const plain = encodeObjectEntry({
    type: 'object',
    id: row.id,
    bucket: row.bucket,
    key: row.key,
    sizeBytes: row.sizeBytes,
    digest: content.digest,
    ref: content.ref,
    first: content.first,
    createdMs: row.createdMs,
    state: row.state,
    mode: row.mode,
    mtimeMs: row.mtimeMs,
    contentType: row.contentType,
    meta: row.meta as Readonly<Record<string, string>> | undefined,
    dicom,
  });
  return { kind: recordKind.entry, group: row.group, plain };
}

function reencodedDraft(group: KeyGroup, pairs: readonly Pair[]): FactDraft {
  return { kind: recordKind.event, group, plain: encodeEvent({ type: 'reencoded', pairs }) };
}
