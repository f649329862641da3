// catalog: what we know, as a view of the packs. Changes go in through `Catalog.applyBatch`; questions by noun: objects, listing,
// groups, site, studies. `catalogMigrations` and `catalogTables` are for whoever opens the database and rebuilds it.
//
// What resolves is committed, not yet durable (packs are). Everything is safe to repeat; the order of batches does not matter.

export type { AmendmentRow, KnownPatient, StudyAmendments } from './amendment-queries.ts';
export { changesPerBatchMax } from './apply.ts';
export type { DeviceName } from './apply-devices.ts';
export { deviceIdOf } from './apply-devices.ts';
export { besideAnother } from './apply-quality.ts';
export { Catalog } from './catalog.ts';
export type {
  AmendmentChange,
  AppliedSequence,
  BucketChange,
  BundleChange,
  BundledMember,
  CatalogChange,
  ChangeOf,
  ComparedChange,
  DocumentChange,
  ExportChange,
  GroupChange,
  InstanceChange,
  JsonObject,
  JsonValue,
  ObjectChange,
  ObjectState,
  PatientChange,
  PatientKey,
  QualityChange,
  ReencodedChange,
  ReencodedPair,
  RejectionChange,
  ReleaseChange,
  SeriesChange,
  SeriesDeviceChange,
  ShredChange,
  SiteChange,
  StudyChange,
  Version,
  WithdrawalChange,
} from './changes.ts';
export type { Device, DeviceHabit, SeriesRead, SeriesReadCursor } from './device-queries.ts';
export type { DocumentRow } from './document-queries.ts';
export type { GroupCursor, GroupRow, ShredRow } from './group-queries.ts';
export { rangesMax } from './group-queries.ts';
export { instanceBucket } from './instance-bucket.ts';
export type { InstanceClaim } from './instance-queries.ts';
export { catalogMigrations } from './migrations.ts';
export type { ListCursor, Listed, Listing, ListOptions } from './object-listing.ts';
export type { ContentCursor, Page, RangeCursor, SequenceRange, Totals } from './object-queries.ts';
export { rowsPerPageMax } from './object-queries.ts';
export type { ObjectRow } from './object-rows.ts';
export type { AmendmentStep } from './resolve-amendments.ts';
export { decodingFor, patientText, stepsFor } from './resolve-amendments.ts';
export type { Level, Search, SearchCondition, SearchField, SearchMatch } from './search-pieces.ts';
export { searchValuesMax } from './search-pieces.ts';
export type { Beside, Compared, QualityCase, QualityCursor, QualityFilter } from './quality-queries.ts';
export type { BucketRow, ExportRow, TenantRow, TokenRow, UserRow } from './site-queries.ts';
export { SiteTable, siteRowsMax } from './site-queries.ts';
export type { ReadBundle, SettledBundle } from './settled-series.ts';
export type {
  FoundInstance,
  FoundPatient,
  FoundSeries,
  FoundStudy,
  PageOptions,
  SearchCursor,
  SearchPage,
} from './study-rows.ts';
export { StudySearch } from './study-search.ts';
export { catalogTables } from './tables.ts';
export { laterVersion } from './versions.ts';
