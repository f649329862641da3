// One group from ingest packs into the archive stream: content chunk by chunk through the best codec, then its entries anew.
//
// Instances of DICOM go series by series, and are told by bundles (settle-series.ts); everything else as follows.
//
// Invariants: what is written is what was put: the plain bytes read are compared with the object's SHA-256 before the new entry is appended;
// an entry keeps its id, name and times and only its reference changes; chunks keep their cuts; the new entries and one event that links old
// and new references (or several, where they are many) follow the bytes, so a crash between leaves bytes that nobody names and the old entry in force.

import { ArchiveError, bytesEqual, type KeyGroup, type RecordId, recordIdText, utf8Text } from '../base/index.ts';
import type { ContentCursor, ObjectRow } from '../catalog/index.ts';
import { releaseBytes } from '../codec/index.ts';
import { decodeFact, encodeEvent, encodeObjectEntry, type InstanceFacts, recordKind } from '../format/index.ts';
import { hintInstance } from '../policy/index.ts';
import type { Content, FactDraft, Vault } from '../vault/index.ts';
import type { Moved, MoveParts } from './move-parts.ts';
import { PendingWrites } from './pending-writes.ts';
import { instancesPerBundleMax, type SeriesRow, settleSeries } from './settle-series.ts';

type Pair = { readonly from: RecordId; readonly to: RecordId; readonly digest: Uint8Array };

const pageRows = 500;
/** Objects moved one behind the other in their order of arrival: more than any study has; a larger group goes in pieces. */
const rowsAtOnceMax = 20_000;
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
    for (const part of partsOf(rows)) {
      const moved = await movePart(group, part, parts);
      contents.push(...moved.contents);
      bytes += moved.bytes;
    }
    objects += rows.length;
    // What was moved is in no ingest pack any more: so the rest comes first now.
    more = rows.length === rowsAtOnceMax;
  }
  return { objects, bytes, contents };
}

/** Rows that are moved together: up to a bundle's of one series, by their names; all that are no instances. Both in their order. */
function partsOf(rows: readonly ObjectRow[]): readonly (readonly ObjectRow[])[] {
  const bySeries = Map.groupBy(rows, ({ contentType, bucket, key }) => {
    if (contentType !== instanceContentType) return '';
    return `${bucket}/${(utf8Text(key) ?? '').split('/').slice(0, 2).join('/')}`;
  });
  return [...bySeries].flatMap(([series, each]) => {
    if (series === '') return [each];
    const count = Math.ceil(each.length / instancesPerBundleMax);
    return Array.from({ length: count }, (_, at) =>
      each.slice(at * instancesPerBundleMax, (at + 1) * instancesPerBundleMax),
    );
  });
}

type MovedPart = Pick<Moved, 'contents' | 'bytes'>;

/** Instances of one series in one bundle, where that can be; all others with entries of their own. */
async function movePart(group: KeyGroup, rows: readonly ObjectRow[], parts: MoveParts): Promise<MovedPart> {
  const [told, others]: [SeriesRow[], ObjectRow[]] = [[], []];
  const refs = new Set<string>();
  for (const row of rows) {
    const dicom = await instanceOf(row, parts);
    const [first] = told;
    const isOfSeries =
      first === undefined || (dicom?.study === first.dicom.study && dicom.series === first.dicom.series);
    const ref = row.ref === undefined ? undefined : recordIdText(row.ref);
    if (dicom === undefined || row.ref === undefined || ref === undefined || !isOfSeries || refs.has(ref))
      others.push(row);
    else told.push({ row, ref: row.ref, dicom });
    if (ref !== undefined) refs.add(ref);
  }
  const settled = told.length === 0 ? undefined : await settleSeries(group, told, parts);
  const left = settled === undefined ? rows : others;
  const moved = left.length === 0 ? undefined : await moveRows(group, left, parts);
  return {
    contents: [...(settled?.contents ?? []), ...(moved?.contents ?? [])],
    bytes: (settled?.bytes ?? 0) + (moved?.bytes ?? 0),
  };
}

async function moveRows(group: KeyGroup, rows: readonly ObjectRow[], parts: MoveParts): Promise<MovedPart> {
  const contents: Moved['contents'][number][] = [];
  const written = new Map<string, Promise<Content>>();
  let pairs: Pair[] = [];
  let bytes = 0;
  const pending = new PendingWrites();
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
      const before = written.get(recordIdText(ref));
      if (before !== undefined) {
        const content = await before;
        await pending.add(parts.vault.say('archive', [entryDraft(row, content, await instanceOf(row, parts))]), 0);
        continue;
      }
      const { finished } = await rewrite(row, ref, await instanceOf(row, parts), parts);
      written.set(recordIdText(ref), finished);
      const noted = finished.then((content) => {
        const to = refOf(content);
        pairs.push({ from: ref, to, digest: content.digest });
        contents.push({ ref: to, digest: content.digest });
        bytes += content.sizeBytes;
      });
      await pending.add(noted, row.sizeBytes);
      if (pairs.length >= pairsPerEventMax) await link();
    }
    await link();
  } finally {
    await pending.settled();
  }
  return { contents, bytes };
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
