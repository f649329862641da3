// What can change in the catalog, as values: the output of projecting entries, events and site rows.
//
// Invariants: a change says everything about its row, so that rows may be applied in any order, twice, or again after a crash, and
// end in the same tables: of several for one row the one with the greatest version counts. A change names what it refers to by
// natural keys (tenant and name, UID, record id), never by numbers of this database.
// Left out on purpose: the JSON of entries and events; who projects knows it, the catalog does not.

import type { HybridTime, KeyGroup, RecordId, TenantId, WriterId } from '../base/index.ts';
import type { AmendmentEvent, OriginalsEvent, WithdrawnEvent } from '../format/index.ts';

/** When and where a fact was written down: the record of its entry, event or site row. Greater by time, writer, sequence. */
export type Version = { readonly time: HybridTime; readonly record: RecordId };

export type ObjectState = 'live' | 'marker' | 'deleted';

export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue };
export type JsonObject = { readonly [name: string]: JsonValue };

/** One version of an object. Latest wins by `id`. */
export type ObjectChange = {
  readonly kind: 'object';
  readonly version: Version;
  /** 32 hex digits; names this version of the object for ever. */
  readonly id: string;
  readonly group: KeyGroup;
  readonly bucket: string;
  readonly key: Uint8Array;
  readonly state: ObjectState;
  readonly createdMs: number;
  readonly sizeBytes: number;
  /** SHA-256 of the content; absent for a deletion marker. */
  readonly digest?: Uint8Array | undefined;
  /** Absent for content of no bytes. */
  readonly ref?: RecordId | undefined;
  /** The least sequence of the ref's writer that the content uses; where absent, the ref's own. */
  readonly firstSequence?: bigint | undefined;
  readonly mode?: number | undefined;
  readonly mtimeMs?: number | undefined;
  readonly contentType?: string | undefined;
  readonly meta?: JsonObject | undefined;
};

/** What a group is for. A group keeps one family; of two, which no writer of ours makes, the lesser bytes. */
export type GroupChange = { readonly kind: 'group'; readonly group: KeyGroup; readonly family: Uint8Array };

export type ReencodedPair = {
  readonly from: RecordId;
  /** Each target is named by one event only: whoever re-encodes writes new records. */
  readonly to: RecordId;
  readonly toFirstSequence?: bigint | undefined;
  readonly digest: Uint8Array;
};

/** Content of a group that was written anew: every object of the group at `from` is at `to`. */
export type ReencodedChange = {
  readonly kind: 'reencoded';
  readonly version: Version;
  readonly group: KeyGroup;
  readonly pairs: readonly ReencodedPair[];
  /** All that was written to the group up to then is settled. Absent: says nothing. */
  readonly settledThrough?: HybridTime | undefined;
};

/** Latest wins by tenant and name. An object in a bucket nobody made makes it too, with version zero. */
export type BucketChange = {
  readonly kind: 'bucket';
  readonly version: Version;
  readonly tenant: TenantId;
  readonly name: string;
  readonly state: 'live' | 'deleted';
  readonly createdMs: number;
  readonly meta?: JsonObject | undefined;
};

/** A row of a site table; latest wins by table and key. `row` null: it was removed. */
export type SiteChange = {
  readonly kind: 'site';
  readonly version: Version;
  readonly table: string;
  readonly key: string;
  readonly row: JsonObject | null;
};

/** An export of the keyring was handed out. Latest wins by number. */
export type ExportChange = {
  readonly kind: 'export';
  readonly version: Version;
  readonly number: bigint;
  readonly generation: bigint;
  readonly createdMs: number;
};

/** A group's key was destroyed; `generation` is the keyring's after it. Latest wins by group. */
export type ShredChange = {
  readonly kind: 'shred';
  readonly version: Version;
  readonly group: KeyGroup;
  readonly generation: bigint;
};

/** A pack was let go of: all of worth in it lies in these others. Latest wins by pack. */
export type ReleaseChange = {
  readonly kind: 'release';
  readonly version: Version;
  /** 32 hex digits, as are those of `into`. */
  readonly pack: string;
  readonly into: readonly string[];
};

export type PatientKey = { readonly tenant: TenantId; readonly patientId: string; readonly issuer: string };

/** Latest wins by tenant, patient id and issuer. */
export type PatientChange = PatientKey & {
  readonly kind: 'patient';
  readonly version: Version;
  readonly name?: string | undefined;
  /** What the name is found by: normalised by who projects (lower case, pinyin and all), each found by its beginning. */
  readonly nameKeys: readonly string[];
  /** YYYYMMDD. */
  readonly birthDate?: string | undefined;
  readonly sex?: string | undefined;
};

/** Latest wins by tenant and study UID. How many series and instances it has, and of which modalities, the catalog counts. */
export type StudyChange = {
  readonly kind: 'study';
  readonly version: Version;
  readonly tenant: TenantId;
  readonly studyUid: string;
  readonly group: KeyGroup;
  readonly patient: Omit<PatientKey, 'tenant'>;
  readonly accession?: string | undefined;
  readonly studyId?: string | undefined;
  /** YYYYMMDD. */
  readonly studyDate?: string | undefined;
  /** HHMMSS and a fraction. */
  readonly studyTime?: string | undefined;
  readonly description?: string | undefined;
  readonly referrer?: string | undefined;
  /** Words of the description, normalised by who projects. */
  readonly search?: string | undefined;
  /** Other attributes by keyword. */
  readonly more?: JsonObject | undefined;
};

/** Latest wins by tenant, study UID and series UID. */
export type SeriesChange = {
  readonly kind: 'series';
  readonly version: Version;
  readonly tenant: TenantId;
  readonly seriesUid: string;
  readonly studyUid: string;
  readonly modality?: string | undefined;
  readonly seriesNumber?: number | undefined;
  readonly description?: string | undefined;
  readonly bodyPart?: string | undefined;
  readonly seriesDate?: string | undefined;
  readonly seriesTime?: string | undefined;
  /** Other attributes by keyword. */
  readonly more?: JsonObject | undefined;
};

/** A DICOM instance: what its object is in the tree of studies. Latest wins by `id`, the object's. */
export type InstanceChange = {
  readonly kind: 'instance';
  readonly version: Version;
  readonly id: string;
  readonly tenant: TenantId;
  readonly studyUid: string;
  readonly seriesUid: string;
  readonly instanceUid: string;
  readonly classUid: string;
  readonly syntaxUid: string;
  readonly instanceNumber?: number | undefined;
  readonly frames?: number | undefined;
  readonly rows?: number | undefined;
  readonly columns?: number | undefined;
  readonly bitsAllocated?: number | undefined;
  readonly sizeBytes: number;
  readonly headBytes: number;
  readonly createdMs: number;
  readonly rank: number;
  readonly state: 'live' | 'deleted';
  /** Who brought it. */
  readonly source?: string | undefined;
  /** What was odd about it: each kind is a quality case of its series. */
  readonly odd?: readonly string[] | undefined;
};

type OfSeries = {
  readonly version: Version;
  readonly tenant: TenantId;
  readonly studyUid: string;
  readonly seriesUid: string;
};

/** How an object that came under a known instance UID differs from the one that was there. Latest wins by `id`. */
export type ComparedChange = OfSeries & {
  readonly kind: 'compared';
  readonly id: string;
  readonly with: string;
  readonly instanceUid: string;
  readonly source: string | undefined;
  readonly createdMs: number;
  readonly difference: 'syntax' | 'header' | 'pixels' | 'undecided';
  readonly identity: readonly string[];
  readonly paths: readonly string[];
};

/** What somebody decided on a quality case. Latest wins by series and kind of case. */
export type QualityChange = OfSeries & {
  readonly kind: 'quality';
  readonly caseKind: string;
  readonly state: 'closed' | 'open';
  readonly who: string;
  readonly why: string;
  readonly atMs: number;
};

/** Which device made a series, and in which character set its texts were read. Latest wins by series. */
export type SeriesDeviceChange = OfSeries & {
  readonly kind: 'series-device';
  readonly source: string;
  readonly maker: string;
  readonly model: string;
  readonly station: string;
  readonly declared: readonly string[];
  readonly read: readonly string[];
  readonly how: 'plain' | 'declared' | 'text' | 'unsure' | 'setting';
};

/** An instance as a bundle tells it: what its own entry said, of that entry's version, with the content where settling put it. */
export type BundledMember = {
  readonly object: ObjectChange;
  readonly instance: InstanceChange;
  /** Bytes of its header's text. */
  readonly textBytes: number;
};

export type BundledContent = { readonly ref: RecordId; readonly sizeBytes: number };

/** Settled instances of a series told together; what is said of patient, study and series comes as changes of their own. */
export type BundleChange = OfSeries & {
  readonly kind: 'bundle';
  readonly group: KeyGroup;
  readonly generation: number;
  readonly headers: BundledContent | undefined;
  readonly thumbnail: BundledContent | undefined;
  /** The record's plain bytes: kept as they are, and read again by the catalog's `ReadBundle`. */
  readonly plain: Uint8Array;
  readonly members: readonly BundledMember[];
};

/** A note rejects instances: they are not shown, whether they are there already or come later. */
export type RejectionChange = {
  readonly kind: 'rejection';
  readonly version: Version;
  readonly tenant: TenantId;
  readonly noteUid: string;
  readonly code: string;
  readonly instanceUids: readonly string[];
};

/** Something amends what data sets say, or originals were given out, which amends nothing. Latest wins by tenant and `said.id`. */
export type AmendmentChange = {
  readonly kind: 'amendment';
  readonly version: Version;
  readonly tenant: TenantId;
  readonly group: KeyGroup;
  readonly said: AmendmentEvent | OriginalsEvent;
  /** What a name in it is found by. */
  readonly nameKeys: readonly string[];
  /** Words of a description in it, normalised by who projects. */
  readonly search?: string | undefined;
};

/** An amendment has no effect. Latest wins by tenant and the amendment's id. */
export type WithdrawalChange = {
  readonly kind: 'withdrawal';
  readonly version: Version;
  readonly tenant: TenantId;
  readonly group: KeyGroup;
  readonly said: WithdrawnEvent;
};

/** Latest wins by tenant, family and number. */
export type DocumentChange = {
  readonly kind: 'document';
  readonly version: Version;
  readonly tenant: TenantId;
  /** What the versions of one document share: the bytes that its group has for family. */
  readonly family: Uint8Array;
  /** Which version of the document, from 1. */
  readonly number: number;
  /** The object that holds it. */
  readonly entryId: string;
  readonly title?: string | undefined;
  readonly documentType?: string | undefined;
  readonly patient?: Omit<PatientKey, 'tenant'> | undefined;
  readonly studyUid?: string | undefined;
  readonly createdMs: number;
  readonly state: 'live' | 'deleted';
};

export type CatalogChange =
  | ObjectChange
  | GroupChange
  | ReencodedChange
  | BucketChange
  | SiteChange
  | ExportChange
  | ShredChange
  | ReleaseChange
  | PatientChange
  | StudyChange
  | SeriesChange
  | InstanceChange
  | BundleChange
  | RejectionChange
  | AmendmentChange
  | WithdrawalChange
  | ComparedChange
  | QualityChange
  | SeriesDeviceChange
  | DocumentChange;

export type ChangeOf<K extends CatalogChange['kind']> = Extract<CatalogChange, { kind: K }>;

/** All records of a writer up to a sequence are in the catalog. */
export type AppliedSequence = { readonly writer: WriterId; readonly sequence: bigint };
