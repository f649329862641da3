// The bundle of a series: the entries of its settled instances restated in columns, where their headers lie as text, and a thumbnail (FORMAT.md 6.1).
//
// Invariants: encoding and decoding are each other's reverse; a member's entry says all that its own record said, with the reference that settling gave the
// content; `entry` names that record, whose place in time is the member's; a bundle is one record, so it has at most `bundleMembersMax` members and
// its plain bytes are at most a chunk. Decoding is bounded by the record's size and by the number of members.
// Left out on purpose: what it means for the catalog, and how bundles of one series are united (`project()`, the catalog).

import {
  ArchiveError,
  assert,
  type HybridTime,
  hexOf,
  parseRecordIdText,
  type RecordId,
  recordIdText,
  sameRecord,
  utf8Bytes,
  type WriterId,
} from '../base/index.ts';
import {
  type Column,
  columnFault,
  decodeBigCounts,
  decodeBlobs,
  decodeColumn,
  decodeCounts,
  decodeTexts,
  encodeBlobs,
  encodeIntegers,
  encodeTexts,
  encodeValues,
} from './bundle-columns.ts';
import { decodeObject, type ObjectEntry, objectEntryJson } from './facts.ts';
import type { InstanceFacts } from './instance-facts.ts';
import { chunkSizeBytesMax } from './numbers.ts';

/** An entry of a DICOM instance with content: what a bundle restates. */
export type BundledEntry = ObjectEntry & { readonly ref: RecordId; readonly dicom: InstanceFacts };

export type BundleMember = {
  /** `ref` and `first` are where settling put the content. */
  readonly entry: BundledEntry;
  /** The record of the entry that is restated, and its hybrid time. */
  readonly said: { readonly record: RecordId; readonly hybrid: HybridTime };
  /** The reference that the entry had before. */
  readonly from: RecordId;
  /** Bytes of its header's text in `headers`; 0: it has none there. */
  readonly textBytes: number;
};

/** Content that belongs to a bundle. */
export type BundleContent = { readonly ref: RecordId; readonly sizeBytes: number };

export type Bundle = {
  readonly study: string;
  readonly series: string;
  /** From 1; greater than that of every bundle of the series that its writer knew. */
  readonly generation: number;
  /** Bundles whose members are all among these. */
  readonly supersedes: readonly RecordId[];
  /** The texts of the members' headers, one behind the other. */
  readonly headers: BundleContent | undefined;
  /** A JPEG. */
  readonly thumbnail: BundleContent | undefined;
  readonly members: readonly BundleMember[];
};

type Json = Record<string, unknown>;

export const bundleMembersMax = 4096;
const bundleVersion = 1;
const supersedesMax = 1024;

/** undefined: it would not fit a record, so its members have to be told in several. */
export function encodeBundle(bundle: Bundle): Uint8Array | undefined {
  const { members, study, series } = bundle;
  assert(members.length >= 1 && members.length <= bundleMembersMax, `a bundle has 1 to ${bundleMembersMax} members`);
  assert(
    members.every(({ entry }) => entry.dicom.study === study && entry.dicom.series === series),
    'a bundle is of one series',
  );
  const json: Json = {
    v: bundleVersion,
    type: 'bundle',
    study,
    series,
    generation: bundle.generation,
    ...(bundle.supersedes.length === 0 ? {} : { supersedes: bundle.supersedes.map(recordIdText) }),
    ...(bundle.headers === undefined ? {} : { headers: contentJson(bundle.headers) }),
    ...(bundle.thumbnail === undefined ? {} : { thumbnail: contentJson(bundle.thumbnail) }),
    count: members.length,
    columns: columnsOf(members),
  };
  const plain = utf8Bytes(JSON.stringify(json));
  return plain.byteLength <= chunkSizeBytesMax ? plain : undefined;
}

const contentJson = (content: BundleContent): Json => ({
  ref: recordIdText(content.ref),
  size: String(content.sizeBytes),
});

function columnsOf(members: readonly BundleMember[]): Record<string, Column> {
  const entries = members.map(({ entry }) => entry);
  const dicom = entries.map((entry) => entry.dicom);
  const jsons = entries.map((entry) => objectEntryJson(entry));
  const dicoms = jsons.map((json) => json.dicom as Json);
  const names = dicom.map((facts) => `${facts.study}/${facts.series}/${facts.instance}`);
  const column = (name: string): Column => encodeValues(dicoms.map((json) => json[name] ?? null));
  return {
    id: encodeBlobs(entries.map((entry) => Buffer.from(entry.id, 'hex'))),
    sha256: encodeBlobs(entries.map((entry) => entry.digest)),
    instance: encodeTexts(dicom.map((facts) => facts.instance)),
    key: encodeValues(jsons.map((json, index) => (json.key === names[index] ? null : keyOf(json)))),
    class: column('class'),
    syntax: column('syntax'),
    number: numbersOf(dicom),
    frames: column('frames'),
    shape: column('shape'),
    rank: encodeValues(dicom.map((facts) => facts.rank)),
    source: column('source'),
    size: encodeIntegers(entries.map((entry) => BigInt(entry.sizeBytes))),
    head: encodeIntegers(dicom.map((facts) => BigInt(facts.headBytes))),
    created: encodeIntegers(entries.map((entry) => BigInt(entry.createdMs))),
    hybridMs: encodeIntegers(members.map(({ said }) => said.hybrid >> 16n)),
    hybridCount: encodeIntegers(members.map(({ said }) => said.hybrid & 0xffffn)),
    ...recordColumns(
      'entry',
      members.map(({ said }) => said.record),
    ),
    ...recordColumns(
      'from',
      members.map(({ from }) => from),
    ),
    ...recordColumns(
      'ref',
      entries.map(({ ref }) => ref),
    ),
    ...recordColumns(
      'first',
      entries.map(({ ref, first }) => first ?? ref),
    ),
    text: encodeIntegers(members.map(({ textBytes }) => BigInt(textBytes))),
    rest: encodeValues(jsons.map(restOf)),
  };
}

function keyOf(json: Json): Json {
  return json.key === undefined ? { key64: json.key64 } : { key: json.key };
}

const integerText = /^(?:0|-?[1-9]\d{0,14})$/;

/** Instance numbers are nearly always integers, and follow one another. */
function numbersOf(dicom: readonly InstanceFacts[]): Column {
  const numbers = dicom.map((facts) => facts.number);
  return numbers.every((number) => number !== undefined && integerText.test(number))
    ? encodeIntegers(numbers.map((number) => BigInt(number as string)))
    : encodeValues(numbers.map((number) => number ?? null));
}

function recordColumns(name: string, ids: readonly RecordId[]): Record<string, Column> {
  return {
    [`${name}Writer`]: encodeValues(ids.map((id) => id.writer)),
    [`${name}Sequence`]: encodeIntegers(ids.map((id) => id.sequence)),
  };
}

const columnsOfEntry = new Set([
  'v',
  'type',
  'id',
  'key',
  'key64',
  'size',
  'sha256',
  'ref',
  'first',
  'created',
  'dicom',
]);
const columnsOfInstance = new Set([
  'study',
  'series',
  'instance',
  'class',
  'syntax',
  'head',
  'number',
  'frames',
  'shape',
  'rank',
  'source',
]);

/** What an entry says beyond its columns: the same of nearly all of a series. */
function restOf(json: Json): Json {
  const rest = Object.entries(json).filter(([name]) => !columnsOfEntry.has(name));
  const dicom = Object.entries(json.dicom as Json).filter(([name]) => !columnsOfInstance.has(name));
  return { ...Object.fromEntries(rest), ...(dicom.length === 0 ? {} : { dicom: Object.fromEntries(dicom) }) };
}

/** The bundle that a record of its kind says. RECORD_CORRUPT. */
export function decodeBundle(json: Readonly<Json>): Bundle {
  const { study, series, generation, count, columns, supersedes = [] } = json;
  if (typeof study !== 'string' || typeof series !== 'string') throw columnFault('study');
  if (!isCount(generation) || generation < 1) throw columnFault('generation');
  if (!isCount(count) || count < 1 || count > bundleMembersMax) throw columnFault('count');
  if (typeof columns !== 'object' || columns === null) throw columnFault('columns');
  if (!Array.isArray(supersedes) || supersedes.length > supersedesMax) throw columnFault('supersedes');
  return {
    study,
    series,
    generation,
    supersedes: supersedes.map((each) => recordOf('supersedes', each)),
    headers: contentOf('headers', json.headers),
    thumbnail: contentOf('thumbnail', json.thumbnail),
    members: membersOf({ study, series, count }, columns as Record<string, unknown>),
  };
}

const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;

function recordOf(name: string, value: unknown): RecordId {
  const id = typeof value === 'string' ? parseRecordIdText(value) : undefined;
  if (id === undefined) throw columnFault(name);
  return id;
}

function contentOf(name: string, value: unknown): BundleContent | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'object' || value === null) throw columnFault(name);
  const { ref, size } = value as Json;
  if (typeof size !== 'string' || !/^\d{1,15}$/.test(size)) throw columnFault(name);
  return { ref: recordOf(name, ref), sizeBytes: Number(size) };
}

function membersOf(
  { study, series, count }: { study: string; series: string; count: number },
  columns: Record<string, unknown>,
): BundleMember[] {
  const values = (name: string): unknown[] => decodeColumn(name, columns[name], count);
  const texts = (name: string): string[] => decodeTexts(name, columns[name], count);
  const counts = (name: string): number[] => decodeCounts(name, columns[name], count);
  const ids = decodeBlobs('id', columns.id, count, 16);
  const digests = decodeBlobs('sha256', columns.sha256, count, 32);
  const [instances, classes, syntaxes] = [texts('instance'), texts('class'), texts('syntax')];
  const [keys, numbers, frames, shapes] = [values('key'), values('number'), values('frames'), values('shape')];
  const [ranks, sources, rests] = [values('rank'), values('source'), values('rest')];
  const [sizes, heads, created, textBytes] = [counts('size'), counts('head'), counts('created'), counts('text')];
  const [hybridMs, hybridCounts] = [counts('hybridMs'), counts('hybridCount')];
  const records = {
    entry: recordsOf('entry', columns, count),
    from: recordsOf('from', columns, count),
    ref: recordsOf('ref', columns, count),
    first: recordsOf('first', columns, count),
  };
  const templates = new Map<unknown, BundledEntry>();
  return instances.map((instance, index) => {
    const own = {
      class: classes[index],
      syntax: syntaxes[index],
      frames: frames[index] ?? undefined,
      shape: shapes[index] ?? undefined,
      rank: ranks[index],
      source: sources[index] ?? undefined,
    };
    // Members that say the same beside their own columns are decoded once.
    const like = JSON.stringify([own, rests[index], keys[index] === null ? null : index]);
    let template = templates.get(like);
    if (template === undefined) {
      template = templateOf({ study, series, instance, ...own, head: 0 }, keys[index], rests[index]);
      templates.set(like, template);
    }
    const ref = records.ref[index] as RecordId;
    const first = records.first[index] as RecordId;
    return {
      entry: {
        ...template,
        id: hexOf(ids[index] as Uint8Array),
        key: keys[index] === null ? utf8Bytes(`${study}/${series}/${instance}`) : template.key,
        sizeBytes: sizes[index] as number,
        digest: digests[index] as Uint8Array,
        ref,
        first: sameRecord(ref, first) ? undefined : first,
        createdMs: created[index] as number,
        dicom: {
          ...template.dicom,
          instance,
          number: textOrNull(numbers[index]),
          headBytes: heads[index] as number,
        },
      },
      said: {
        record: records.entry[index] as RecordId,
        hybrid: hybridOf(hybridMs[index] as number, hybridCounts[index] as number),
      },
      from: records.from[index] as RecordId,
      textBytes: textBytes[index] as number,
    };
  });
}

function textOrNull(value: unknown): string | undefined {
  if (value === null) return undefined;
  if (typeof value !== 'string' && typeof value !== 'bigint') throw columnFault('number');
  return String(value);
}

function hybridOf(ms: number, counter: number): HybridTime {
  if (ms >= 2 ** 48 || counter > 0xffff) throw columnFault('hybridMs');
  return (BigInt(ms) << 16n) | BigInt(counter);
}

function recordsOf(name: string, columns: Record<string, unknown>, count: number): RecordId[] {
  const writers = decodeTexts(`${name}Writer`, columns[`${name}Writer`], count);
  const sequences = decodeBigCounts(`${name}Sequence`, columns[`${name}Sequence`], count);
  return writers.map((writer, index) => {
    if (!/^[0-9a-f]{32}$/.test(writer)) throw columnFault(`${name}Writer`);
    return { writer: writer as WriterId, sequence: sequences[index] as bigint };
  });
}

/** An entry as its own record would say it, but for what each member has of its own. */
function templateOf(dicom: Json, key: unknown, rest: unknown): BundledEntry {
  if (typeof rest !== 'object' || rest === null || Array.isArray(rest)) throw columnFault('rest');
  const more = (rest as Json).dicom ?? {};
  if (typeof more !== 'object') throw columnFault('rest');
  const entry = decodeObject({
    ...(rest as Json),
    id: '0'.repeat(32),
    key: '',
    ...(typeof key === 'object' ? key : {}),
    size: '0',
    sha256: '',
    created: '0',
    ref: `${'0'.repeat(32)}.0`,
    first: undefined,
    dicom: { ...more, ...dicom },
  });
  if (entry.dicom === undefined || entry.ref === undefined)
    throw new ArchiveError('RECORD_CORRUPT', 'a member of a bundle is no instance');
  return { ...entry, ref: entry.ref, dicom: entry.dicom };
}
