// Entries, events and site rows: JSON forms with their versions (FORMAT.md 6).
//
// Invariants: what is written here can be read for ever; a field that this version does not know is kept by whoever copies the
// record, and passed over here. A form of a newer version is PACK_NEWER for that record alone.
// Left out on purpose: what the forms mean for the catalog. `project()` in the archive says that.

import {
  ArchiveError,
  base64Of,
  bytesOfBase64,
  bytesOfHex,
  defined,
  hexOf,
  isHex128,
  parseRecordIdText,
  type RecordId,
  recordIdText,
  utf8Bytes,
  utf8Text,
} from '../base/index.ts';
import { type AmendmentFact, amendmentJson, amendmentOfJson, isAmendmentType } from './amendment-facts.ts';
import { type InstanceFacts, instanceJson, instanceOfJson } from './instance-facts.ts';
import { type QualityFact, qualityJson, qualityOfJson } from './quality-facts.ts';

export type ObjectState = 'live' | 'marker' | 'deleted';

export type ObjectEntry = {
  readonly type: 'object';
  /** 32 hex digits: this version of the object, for ever. */
  readonly id: string;
  readonly bucket: string;
  readonly key: Uint8Array;
  readonly sizeBytes: number;
  readonly digest: Uint8Array;
  /** undefined for content of no bytes. */
  readonly ref: RecordId | undefined;
  readonly first: RecordId | undefined;
  readonly createdMs: number;
  readonly state: ObjectState;
  readonly mode: number | undefined;
  readonly mtimeMs: number | undefined;
  readonly contentType: string | undefined;
  readonly meta: Readonly<Record<string, string>> | undefined;
  /** Of a DICOM instance. */
  readonly dicom?: InstanceFacts | undefined;
};

export type FactEvent =
  | { readonly type: 'reencoded'; readonly pairs: readonly { from: RecordId; to: RecordId; digest: Uint8Array }[] }
  | { readonly type: 'shredded'; readonly year: number; readonly group: bigint; readonly generation: bigint }
  | { readonly type: 'exported'; readonly number: number; readonly generation: bigint; readonly createdMs: number }
  | { readonly type: 'imported'; readonly number: number; readonly generation: bigint }
  | { readonly type: 'released'; readonly pack: string; readonly into: readonly string[] }
  /** Somebody asked that instances be shown no more. */
  | { readonly type: 'rejected'; readonly id: string; readonly code: string; readonly instances: readonly string[] }
  | QualityFact
  | AmendmentFact;

export type SiteRow = {
  readonly type: 'site';
  readonly table: string;
  readonly key: string;
  readonly row: Readonly<Record<string, unknown>> | null;
};

type Json = Record<string, unknown>;
const entryVersion = 1;

/** A bundle, still to be decoded: bundle.ts does. */
export type BundleFact = { readonly type: 'bundle'; readonly json: Readonly<Json> };

export function encodeObjectEntry(entry: ObjectEntry): Uint8Array {
  return utf8Bytes(JSON.stringify(objectEntryJson(entry)));
}

/** An entry as the JSON object it is written as. */
export function objectEntryJson(entry: ObjectEntry): Json {
  const text = utf8Text(entry.key);
  const json: Json = {
    v: entryVersion,
    type: 'object',
    id: entry.id,
    bucket: entry.bucket,
    ...(text === undefined ? { key64: base64Of(entry.key) } : { key: text }),
    size: String(entry.sizeBytes),
    sha256: hexOf(entry.digest),
    created: String(entry.createdMs),
    state: entry.state,
  };
  if (entry.ref !== undefined) json.ref = recordIdText(entry.ref);
  if (entry.first !== undefined) json.first = recordIdText(entry.first);
  if (entry.mode !== undefined) json.mode = entry.mode;
  if (entry.mtimeMs !== undefined) json.mtime = String(entry.mtimeMs);
  if (entry.contentType !== undefined) json.contentType = entry.contentType;
  if (entry.meta !== undefined) json.meta = entry.meta;
  if (entry.dicom !== undefined) json.dicom = instanceJson(entry.dicom);
  return json;
}

export function encodeEvent(event: FactEvent): Uint8Array {
  switch (event.type) {
    case 'reencoded':
      return jsonBytes({
        type: event.type,
        pairs: event.pairs.map((pair) => [recordIdText(pair.from), recordIdText(pair.to), hexOf(pair.digest)]),
      });
    case 'shredded':
      return jsonBytes({
        type: event.type,
        year: event.year,
        group: event.group.toString(16).padStart(16, '0'),
        generation: String(event.generation),
      });
    case 'exported':
      return jsonBytes({
        type: event.type,
        number: String(event.number),
        generation: String(event.generation),
        created: String(event.createdMs),
      });
    case 'imported':
      return jsonBytes({ type: event.type, number: String(event.number), generation: String(event.generation) });
    case 'released':
      return jsonBytes({ type: event.type, pack: event.pack, into: event.into });
    case 'rejected':
      return jsonBytes({ type: event.type, id: event.id, code: event.code, instances: event.instances });
    case 'compared':
    case 'quality':
    case 'described':
      return jsonBytes(qualityJson(event));
    default:
      return jsonBytes(amendmentJson(event));
  }
}

export function encodeSiteRow(site: SiteRow): Uint8Array {
  return jsonBytes({ type: 'site', table: site.table, key: site.key, row: site.row });
}

function jsonBytes(json: Json): Uint8Array {
  return utf8Bytes(JSON.stringify({ v: entryVersion, ...json }));
}

/** Any entry, event, bundle or site row; `unknown` for a type of a later version, which is kept and passed over. */
export function decodeFact(
  bytes: Uint8Array,
): ObjectEntry | FactEvent | BundleFact | SiteRow | { readonly type: 'unknown'; readonly name: string } {
  const json = parseJson(bytes);
  if (typeof json.v === 'number' && json.v > entryVersion) {
    throw new ArchiveError('PACK_NEWER', `a record of type ${String(json.type).slice(0, 32)} has version ${json.v}`);
  }
  switch (json.type) {
    case 'object':
      return decodeObject(json);
    case 'reencoded':
      return { type: 'reencoded', pairs: list(json, 'pairs').map(decodePair) };
    case 'shredded':
      return {
        type: 'shredded',
        year: number(json, 'year'),
        group: BigInt(`0x${text(json, 'group')}`),
        generation: BigInt(digits(json, 'generation')),
      };
    case 'exported':
      return {
        type: 'exported',
        number: Number(digits(json, 'number')),
        generation: BigInt(digits(json, 'generation')),
        createdMs: Number(digits(json, 'created')),
      };
    case 'imported':
      return {
        type: 'imported',
        number: Number(digits(json, 'number')),
        generation: BigInt(digits(json, 'generation')),
      };
    case 'released':
      return {
        type: 'released',
        pack: id128(json.pack, 'pack'),
        into: list(json, 'into').map((each) => id128(each, 'into')),
      };
    case 'rejected':
      return {
        type: 'rejected',
        id: text(json, 'id'),
        code: text(json, 'code'),
        instances: list(json, 'instances').map(String),
      };
    case 'compared':
    case 'quality':
    case 'described':
      return defined(qualityOfJson(json), 'a fact of this type has a form');
    case 'bundle':
      return { type: 'bundle', json };
    case 'site':
      return { type: 'site', table: text(json, 'table'), key: text(json, 'key'), row: rowOf(json) };
    default:
      if (isAmendmentType(json.type)) return amendmentOfJson(json.type, json);
      return { type: 'unknown', name: String(json.type).slice(0, 32) };
  }
}

/** RECORD_CORRUPT. */
export function decodeObject(json: Json): ObjectEntry {
  const state = text(json, 'state');
  if (state !== 'live' && state !== 'marker' && state !== 'deleted') throw fault('state');
  return {
    type: 'object',
    id: id128(json.id, 'id'),
    bucket: text(json, 'bucket'),
    key: typeof json.key64 === 'string' ? bytesOfBase64(json.key64) : utf8Bytes(text(json, 'key')),
    sizeBytes: Number(digits(json, 'size')),
    digest: bytesOfHex(text(json, 'sha256')),
    ref: json.ref === undefined ? undefined : recordOf(json.ref),
    first: json.first === undefined ? undefined : recordOf(json.first),
    createdMs: Number(digits(json, 'created')),
    state,
    mode: typeof json.mode === 'number' ? json.mode : undefined,
    mtimeMs: json.mtime === undefined ? undefined : Number(text(json, 'mtime')),
    contentType: typeof json.contentType === 'string' ? json.contentType : undefined,
    meta: typeof json.meta === 'object' && json.meta !== null ? (json.meta as Record<string, string>) : undefined,
    ...(json.dicom === undefined ? {} : { dicom: instanceOfJson(json.dicom) }),
  };
}

function decodePair(pair: unknown): { from: RecordId; to: RecordId; digest: Uint8Array } {
  if (!Array.isArray(pair) || pair.length < 3 || typeof pair[2] !== 'string') throw fault('pairs');
  return { from: recordOf(pair[0]), to: recordOf(pair[1]), digest: bytesOfHex(pair[2]) };
}

function fault(field: string): ArchiveError {
  return new ArchiveError('RECORD_CORRUPT', `a record's field ${field} is not in its form`);
}

function parseJson(bytes: Uint8Array): Json {
  const source = utf8Text(bytes);
  try {
    const json: unknown = source === undefined ? undefined : JSON.parse(source);
    if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as Json;
  } catch {
    // Falls through to the one error below: a parser's message would quote the text.
  }
  throw new ArchiveError('RECORD_CORRUPT', 'an entry is not a JSON object');
}

function text(json: Json, field: string): string {
  const value = json[field];
  if (typeof value !== 'string') throw fault(field);
  return value;
}

function id128(value: unknown, field: string): string {
  if (typeof value !== 'string' || !isHex128(value)) throw fault(field);
  return value;
}

function digits(json: Json, field: string): string {
  const value = text(json, field);
  if (!/^\d{1,20}$/.test(value)) throw fault(field);
  return value;
}

function number(json: Json, field: string): number {
  const value = json[field];
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw fault(field);
  return value;
}

function list(json: Json, field: string): unknown[] {
  const value = json[field];
  if (!Array.isArray(value)) throw fault(field);
  return value;
}

function rowOf(json: Json): Record<string, unknown> | null {
  const value = json.row;
  if (value === null) return null;
  if (typeof value !== 'object' || Array.isArray(value)) throw fault('row');
  return value as Record<string, unknown>;
}

function recordOf(value: unknown): RecordId {
  const id = typeof value === 'string' ? parseRecordIdText(value) : undefined;
  if (id === undefined) throw fault('ref');
  return id;
}
