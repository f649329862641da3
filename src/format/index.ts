// format: bytes on a medium <-> values, as FORMAT.md says. Pure: no file, no clock, no randomness, no key.

export type {
  AmendmentEvent,
  AmendmentFact,
  CorrectedEvent,
  DecodedEvent,
  MergedEvent,
  MovedEvent,
  OriginalsEvent,
  PatientName,
  WithdrawnEvent,
} from './amendment-facts.ts';
export { amendmentJson, amendmentOfJson, isAmendmentType } from './amendment-facts.ts';
export type { AuditRecord } from './audit-record.ts';
export { auditEventsMax, decodeAuditRecord, encodeAuditRecord } from './audit-record.ts';
export type { Bundle, BundleContent, BundledEntry, BundleMember } from './bundle.ts';
export { bundleMembersMax, decodeBundle, encodeBundle } from './bundle.ts';
export type { ChunkList, ListChild } from './chunk-list.ts';
export { decodeChunkList, encodeChunkList, listLevelMax } from './chunk-list.ts';
export type { Commit } from './commit.ts';
export { decodeCommit, encodeCommit, groupPaddingBytes } from './commit.ts';
export type { FactEvent, ObjectEntry, ObjectState, SiteRow } from './facts.ts';
export { decodeFact, encodeEvent, encodeObjectEntry, encodeSiteRow } from './facts.ts';
export type { FooterStretch, ScannedFact, StretchOf } from './footer-scan.ts';
export { scanFooter } from './footer-scan.ts';
export type { Head, HeadFields } from './head.ts';
export {
  associatedData,
  associatedDataOf,
  associatedDataWithin,
  beginHead,
  decodeHead,
  encodeHead,
  endHead,
  headBytesWith,
  leafOf,
  recordMark,
  recordSpanBytes,
} from './head.ts';
export type { PackHeader } from './header.ts';
export { decodeHeader, encodeHeader } from './header.ts';
export type { IndexRow } from './index-rows.ts';
export {
  addRunsOfRows,
  compareRecordIds,
  decodeIndexRow,
  encodeIndexRow,
  findIndexRow,
  indexRowCount,
  indexRowKind,
  type SequenceRun,
} from './index-rows.ts';
export type {
  AboutInstance,
  Attributes,
  InstanceFacts,
  InstanceShape,
  ReadAs,
  ReadHow,
  Rejection,
} from './instance-facts.ts';
export type { IndexPlace, Locator } from './locator.ts';
export { decodeLocator, encodeLocator } from './locator.ts';
export { checkInclusion, inclusionProof, MerkleRoot } from './merkle.ts';
export type { PackClassName } from './numbers.ts';
export {
  blockSizeBytes,
  bodySizeBytesMax,
  chunkSizeBytesMax,
  commitSizeBytes,
  formatVersion,
  headExtraBytesMax,
  headSizeBytes,
  indexRecordsMax,
  indexRowBytes,
  indexRowsMax,
  isFactKind,
  isFrameKind,
  listChildrenMax,
  packAlignBytes,
  packClass,
  packClassNames,
  packRecordsMax,
  packSizeBytesMax,
  recordAlignBytes,
  recordKind,
} from './numbers.ts';
export type { ComparedEvent, DescribedEvent, Difference, QualityEvent } from './quality-facts.ts';
