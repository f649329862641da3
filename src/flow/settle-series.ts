// The instances of one series from ingest packs into the archive stream: their content, the texts of their headers, and the bundle that tells them all.
//
// Invariants: the bundle is written after everything it names is durable, so a crash before it leaves bytes that nobody names and the old entries in force;
// it restates the entries as they were when the move began, each of its own version, so whatever is said of an instance meanwhile counts against it; the
// content it names was compared with the object's SHA-256 while it passed. Late instances get a bundle of their own; when a series has many
// small ones, the next tells their members again and supersedes them.
// Left out on purpose: what a header says and what a picture shows: `Describe` makes texts and thumbnails, who knows DICOM gives it.

import { ArchiveError, bytesEqual, type KeyGroup, type RecordId } from '../base/index.ts';
import type { ObjectRow, SettledBundle } from '../catalog/index.ts';
import { releaseBytes } from '../codec/index.ts';
import {
  type BundleContent,
  type BundleMember,
  bundleMembersMax,
  decodeBundle,
  decodeFact,
  encodeBundle,
  type InstanceFacts,
  recordKind,
} from '../format/index.ts';
import { hintInstance } from '../policy/index.ts';
import type { Content, ContentWriter } from '../vault/index.ts';
import type { HeaderText, Moved, MoveParts } from './move-parts.ts';
import { PendingWrites } from './pending-writes.ts';

export type SeriesRow = { readonly row: ObjectRow; readonly ref: RecordId; readonly dicom: InstanceFacts };

/** Instances that one bundle tells: a transaction of the catalog takes them in at once, in some fifty milliseconds. */
export const instancesPerBundleMax = 1024;
/** Texts are cut every so many bytes: what is read and unpacked for one of them. */
export const textPieceBytes = 256 * 1024;
/** A bundle of fewer members is told again when a series has so many of them. */
const smallMembers = 256;
const smallBundlesMax = 8;

/** Moves them. undefined: they do not fit one bundle, and were not moved. */
export async function settleSeries(
  group: KeyGroup,
  rows: readonly SeriesRow[],
  parts: MoveParts,
): Promise<Pick<Moved, 'contents' | 'bytes'> | undefined> {
  const { vault, describe } = parts;
  const best = (): { kind: 'bytes'; effort: 'best' } => ({ kind: 'bytes', effort: 'best' });
  const texts = new Texts(vault.contentWriter('archive', group, { hintAt: best }));
  const contents: Moved['contents'][number][] = [];
  const pending = new PendingWrites();
  const members: (BundleMember | undefined)[] = [];
  let bytes = 0;
  try {
    const before = await tellAgain(rows, texts, parts);
    for (const [index, each] of rows.entries()) {
      const { row, ref, dicom } = each;
      const text = describe?.headerText(dicom);
      const { finished } = await rewriteContent(each, parts, text);
      const textBytes = await texts.add(text?.end());
      const noted = finished.then(({ ref: to, first, digest, sizeBytes }) => {
        if (to === undefined) throw new ArchiveError('INTERNAL', 'content that was moved has no reference');
        members[index] = { ...memberOf(row, dicom, { to, first }), from: ref, textBytes };
        contents.push({ ref: to, digest });
        bytes += sizeBytes;
      });
      await pending.add(noted, row.sizeBytes);
    }
    await pending.all();
    const headers = await texts.finish();
    if (headers !== undefined) contents.push(headers);
    const thumbnail = await writeThumbnail(group, rows, parts);
    const [{ dicom }] = rows as [SeriesRow];
    const plain = encodeBundle({
      study: dicom.study,
      series: dicom.series,
      generation: before.generation + 1,
      supersedes: before.bundles.map((bundle) => bundle.record),
      headers: headers && { ref: headers.ref, sizeBytes: headers.sizeBytes },
      thumbnail,
      members: [...before.members, ...(members as BundleMember[])],
    });
    if (plain === undefined) return undefined;
    await vault.say('archive', [{ kind: recordKind.bundle, group, plain }]);
  } finally {
    await pending.settled();
    texts.abandon();
  }
  return { contents, bytes };
}

function memberOf(
  row: ObjectRow,
  dicom: InstanceFacts,
  { to, first }: { to: RecordId; first: RecordId | undefined },
): Pick<BundleMember, 'entry' | 'said'> {
  if (row.digest === undefined) throw new ArchiveError('INTERNAL', 'content has a digest');
  return {
    entry: {
      type: 'object',
      id: row.id,
      bucket: row.bucket,
      key: row.key,
      sizeBytes: row.sizeBytes,
      digest: row.digest,
      ref: to,
      first,
      createdMs: row.createdMs,
      state: 'live',
      mode: row.mode,
      mtimeMs: row.mtimeMs,
      contentType: row.contentType,
      meta: row.meta as Readonly<Record<string, string>> | undefined,
      dicom,
    },
    said: { record: row.version.record, hybrid: row.version.time },
  };
}

/** Writes the content anew; `finished` resolves when it is durable, and the next may be begun before. */
async function rewriteContent(
  { row, ref, dicom }: SeriesRow,
  { vault, pace }: MoveParts,
  text: HeaderText | undefined,
): Promise<{ finished: Promise<Content> }> {
  const writer = vault.contentWriter('archive', row.group, { hintAt: hintInstance(dicom, 'best') });
  try {
    for await (const { plain } of vault.contents.chunks(ref)) {
      if (writer.sizeBytes > 0) await writer.cut();
      const left = dicom.headBytes - writer.sizeBytes;
      if (left > 0) text?.push(plain.subarray(0, left));
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
  return { finished: writer.finish(() => []) };
}

/** Texts one behind the other, as one content. */
class Texts {
  readonly #writer: ContentWriter;
  #isOver = false;

  constructor(writer: ContentWriter) {
    this.#writer = writer;
  }

  /** Its length; 0 where there is none. */
  async add(text: Uint8Array | undefined): Promise<number> {
    if (text === undefined) return 0;
    for (let from = 0; from < text.byteLength; ) {
      const room = textPieceBytes - (this.#writer.sizeBytes % textPieceBytes);
      await this.#writer.write(text.subarray(from, from + room));
      from += room;
      if (this.#writer.sizeBytes % textPieceBytes === 0) await this.#writer.cut();
    }
    return text.byteLength;
  }

  async finish(): Promise<{ ref: RecordId; digest: Uint8Array; sizeBytes: number } | undefined> {
    if (this.#writer.sizeBytes === 0) return undefined;
    this.#isOver = true;
    const { ref, digest, sizeBytes } = await this.#writer.finish(() => []);
    if (ref === undefined) throw new ArchiveError('INTERNAL', 'texts that were written have a reference');
    return { ref, digest, sizeBytes };
  }

  abandon(): void {
    if (!this.#isOver) this.#writer.abandon();
    this.#isOver = true;
  }
}

type Before = {
  readonly generation: number;
  readonly bundles: readonly SettledBundle[];
  readonly members: readonly BundleMember[];
};

/** What the new bundle tells again: the small ones of the series, when they are many. Their texts are copied. */
async function tellAgain(rows: readonly SeriesRow[], texts: Texts, { vault, catalog }: MoveParts): Promise<Before> {
  const [{ row, dicom }] = rows as [SeriesRow];
  const name = { tenant: row.group.tenant, studyUid: dicom.study, seriesUid: dicom.series };
  const small: SettledBundle[] = [];
  let [generation, count] = [0, rows.length];
  for await (const bundle of catalog.bundles.ofSeries(name)) {
    generation = Math.max(generation, bundle.generation);
    const members = bundle.members.length - bundle.gone.size;
    if (members >= smallMembers || count + members > bundleMembersMax) continue;
    small.push(bundle);
    count += members;
  }
  if (small.length < smallBundlesMax) return { generation, bundles: [], members: [] };
  const members: BundleMember[] = [];
  for (const bundle of small) {
    const { plain } = await vault.open(bundle.record);
    const said = decodeFact(plain);
    if (said.type !== 'bundle') throw new ArchiveError('RECORD_CORRUPT', 'a bundle is not what it was');
    for (const [index, member] of decodeBundle(said.json).members.entries()) {
      if (bundle.gone.has(index)) continue;
      const at = bundle.textAt[index] ?? 0;
      const textBytes = bundle.headers === undefined ? 0 : member.textBytes;
      if (bundle.headers !== undefined && textBytes > 0) {
        for await (const piece of vault.contents.read(bundle.headers.ref, at, at + textBytes)) {
          await texts.add(piece);
          releaseBytes(piece);
        }
      }
      members.push({ ...member, textBytes });
    }
  }
  return { generation, bundles: small, members };
}

/** A picture of what is in the middle. */
async function writeThumbnail(
  group: KeyGroup,
  rows: readonly SeriesRow[],
  { vault, describe }: MoveParts,
): Promise<BundleContent | undefined> {
  const shown = rows.filter(({ dicom }) => dicom.shape !== undefined);
  const middle = shown[shown.length >> 1];
  if (middle === undefined || describe === undefined) return undefined;
  const { row, ref, dicom } = middle;
  const bytes = await describe.thumbnail(dicom, row.sizeBytes, (from, to) => vault.contents.read(ref, from, to));
  if (bytes === undefined) return undefined;
  const writer = vault.contentWriter('archive', group, { hintAt: () => ({ kind: 'raw' }) });
  await writer.write(bytes);
  const content = await writer.finish(() => []);
  return content.ref === undefined ? undefined : { ref: content.ref, sizeBytes: content.sizeBytes };
}
