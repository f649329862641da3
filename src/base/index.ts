// base: ids, bytes, assertions, errors, clock, randomness, budgets. Imports nothing of ours; everything else imports it.

import * as der from './der.ts';

export { AssertionFault, assert, defined, never } from './assert.ts';
export { Budget } from './budget.ts';
export {
  base64Of,
  bytesEqual,
  bytesOfBase64,
  bytesOfHex,
  concatBytes,
  copyBytes,
  emptyBytes,
  hexOf,
  isZero,
  roundUp,
  setU64Number,
  u64Number,
  utf8Bytes,
  utf8Text,
  viewOf,
} from './bytes.ts';
export type { Clock, HybridTime } from './clock.ts';
export { HybridClock, hybridAheadMsMax, hybridMs, hybridOfMs, ManualClock, systemClock } from './clock.ts';
export type { CsvRow } from './csv.ts';
export { CsvReader, columnName, csvLine, readCsv } from './csv.ts';
export { crc32, Sha256, sha256, sha256Of, sha256SizeBytes } from './digest.ts';
export type { ErrorCode, Retry } from './errors.ts';
export { ArchiveError, errorCodes, errorRegistry, isArchiveError, toArchiveError } from './errors.ts';
export type { ArchiveId, DiskId, KeyGroup, PackId, RecordId, TenantId, WriterId } from './ids.ts';
export {
  archiveId,
  auditGroup,
  bytesOfId,
  controlGroup,
  defaultTenant,
  diskId,
  groupText,
  idOfBytes,
  isAuditGroup,
  isHex128,
  packId,
  parseGroupText,
  parseRecordIdText,
  recordIdText,
  sameGroup,
  sameRecord,
  systemTenant,
  tenantId,
  writerId,
} from './ids.ts';
export type { Random } from './random.ts';
export { SeededRandom, systemRandom } from './random.ts';
/** DER, as certificates and SNMP write it. */
export { der };
