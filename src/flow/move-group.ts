// One group from ingest packs into the archive stream: content chunk by chunk through the best codec, then its entries anew.
//
// Invariants: what is written is what was put: the plain bytes read are compared with the object's SHA-256 before the new entry is appended;
// an entry keeps its id, name and times and only its reference changes; chunks keep their cuts; the new entries and one event that links old
// and new references follow the bytes, so a crash between leaves bytes that nobody names and the old entry in force.

import { ArchiveError, bytesEqual, type KeyGroup, type RecordId, recordIdText, Sha256 } from '../base/index.ts';
import type { Catalog, ContentCursor, ObjectRow } from '../catalog/index.ts';
import { decodeFact, encodeEvent, encodeObjectEntry, type InstanceFacts, recordKind } from '../format/index.ts';
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
/** What the objects of DICOM instances are; others that claim it cost a look and nothing else. */
const instanceContentType = 'application/dicom';

/** Moves every live object of the group whose content lies in an ingest pack. KEY_SHREDDED, RECORD_LOST, RECORD_CORRUPT, CLOSED. */
export async function moveGroup(group: KeyGroup, parts: MoveParts): Promise<Moved> {
  const rows = await rowsInIngest(group, parts);
  const pairs: Pair[] = [];
  const moved = new Map<string, Content>();
  let bytes = 0;
  for (const [index, row] of rows.entries()) {
    const { ref } = row;
    if (ref === undefined) continue;
    const last = index === rows.length - 1;
    const event = (): FactDraft[] => (last ? [reencodedDraft(group, pairs)] : []);
    const before = moved.get(recordIdText(ref));
    const dicom = await instanceOf(row, parts);
    if (before !== undefined) {
      await parts.vault.say('archive', [entryDraft(row, before, dicom), ...event()]);
      continue;
    }
    const content = await rewrite(row, ref, dicom, parts, (written) => {
      pairs.push({ from: ref, to: refOf(written), digest: written.digest });
      return [entryDraft(row, written, dicom), ...event()];
    });
    moved.set(recordIdText(ref), content);
    bytes += content.sizeBytes;
  }
  return { objects: rows.length, bytes, contents: pairs.map((pair) => ({ ref: pair.to, digest: pair.digest })) };
}

async function rowsInIngest(group: KeyGroup, { vault, catalog }: MoveParts): Promise<ObjectRow[]> {
  const rows: ObjectRow[] = [];
  let after: ContentCursor | undefined;
  do {
    const page = await catalog.objects.ofGroup(group, { after, limit: pageRows });
    for (const row of page.rows) {
      if (row.state === 'live' && row.ref !== undefined && (await isInIngest(row.ref, vault))) rows.push(row);
    }
    after = page.next;
  } while (after !== undefined);
  // In the order of arrival, which is the order in which they will be asked for.
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

async function rewrite(
  row: ObjectRow,
  ref: RecordId,
  dicom: InstanceFacts | undefined,
  parts: MoveParts,
  say: (content: Content) => FactDraft[],
): Promise<Content> {
  const { vault, pace } = parts;
  const hintAt = dicom === undefined ? () => ({ kind: 'bytes', effort: 'best' }) as const : hintInstance(dicom, 'best');
  const writer = vault.contentWriter('archive', row.group, { hintAt });
  const digest = new Sha256();
  let sizeBytes = 0;
  for await (const { plain } of vault.contents.chunks(ref)) {
    if (sizeBytes > 0) await writer.cut();
    digest.update(plain);
    sizeBytes += plain.byteLength;
    await writer.write(plain);
    await pace(plain.byteLength);
  }
  if (sizeBytes !== row.sizeBytes || row.digest === undefined || !bytesEqual(digest.digest(), row.digest)) {
    throw new ArchiveError('RECORD_CORRUPT', `the content of version ${row.id} is not what was stored`);
  }
  return writer.finish(say);
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
