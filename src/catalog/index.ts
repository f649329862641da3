// catalog: what we know, as a view of the packs. Changes go in through `Catalog.applyBatch`; questions by noun: objects, listing,
// groups, site, studies. `catalogMigrations` and `catalogTables` are for whoever opens the database and rebuilds it.
//
// What resolves is committed, not yet durable (packs are). Everything is safe to repeat; the order of batches does not matter.

export type { AmendmentRow, KnownPatient, StudyAmendments } from './amendment-queries.ts';
export { changesPerBatchMax } from './apply.ts';
export { deviceIdOf } from './apply-devices.ts';
export { Catalog } from './catalog.ts';
export type {
  AmendmentChange,
  AppliedSequence,
  BundledMember,
  CatalogChange,
  JsonObject,
  JsonValue,
  Version,
} from './changes.ts';
export type { Device, SeriesRead, SeriesReadCursor } from './device-queries.ts';
export type { ShredRow } from './group-queries.ts';
export { instanceBucket } from './instance-bucket.ts';
export type { InstanceClaim } from './instance-queries.ts';
export { catalogMigrations } from './migrations.ts';
export type { ListCursor, Listed, Listing, ListOptions } from './object-listing.ts';
export type { ContentCursor, RangeCursor } from './object-queries.ts';
export type { ObjectRow } from './object-rows.ts';
export type { Beside, Compared, QualityCase, QualityCursor, QualityFilter } from './quality-queries.ts';
export { decodingFor, patientText, stepsFor } from './resolve-amendments.ts';
export type { Level, Search, SearchCondition, SearchField, SearchMatch } from './search-pieces.ts';
export type { SettledBundle } from './settled-series.ts';
export type { TokenRow, UserRow } from './site-queries.ts';
export { SiteTable } from './site-queries.ts';
export type { FoundInstance, FoundPatient, FoundSeries, FoundStudy, PageOptions, SearchPage } from './study-rows.ts';
export { catalogTables } from './tables.ts';
