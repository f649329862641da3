// Our errors as DIMSE statuses: one table a service, complete by type.
//
// Invariants: what will pass (space, busy) says that trying again may help; what the sender is to blame for says so; a comment names a code and no patient.

import { ArchiveError, type ErrorCode } from '../../base/index.ts';
import { dimseStatus } from '../../dicom/index.ts';

type Failure = 'full' | 'mismatch' | 'unreadable' | 'failed' | 'refused' | 'cancelled';

const failures = {
  ARGUMENT_INVALID: 'mismatch',
  CONFIG_INVALID: 'failed',
  NOT_FOUND: 'failed',
  FILE_MISSING: 'failed',
  FILE_EXISTS: 'failed',
  ACCESS_DENIED: 'refused',
  DATA_LOCKED: 'full',
  DATA_FOREIGN: 'failed',
  DISK_FULL: 'full',
  DISK_READ_ONLY: 'full',
  DISK_MISSING: 'full',
  DISK_IO: 'full',
  DISK_POISONED: 'full',
  COPIES_TOO_FEW: 'full',
  PACK_CORRUPT: 'failed',
  PACK_TRUNCATED: 'failed',
  PACK_NEWER: 'failed',
  RECORD_LOST: 'failed',
  RECORD_CORRUPT: 'failed',
  RECORD_UNKNOWN: 'failed',
  CODEC_UNKNOWN: 'failed',
  CODEC_FAULT: 'failed',
  KEY_SHREDDED: 'refused',
  KEY_MISSING: 'failed',
  KEYRING_CORRUPT: 'failed',
  PASSPHRASE_WRONG: 'failed',
  DATABASE_NEWER: 'failed',
  DATABASE_FAILED: 'full',
  CATALOG_AHEAD: 'failed',
  CLOCK_AHEAD: 'failed',
  LIMIT_EXCEEDED: 'mismatch',
  NOTICE_UNSENT: 'failed',
  AMENDMENT_CONFLICT: 'failed',
  BUSY: 'full',
  CLOSED: 'full',
  DICOM_MALFORMED: 'unreadable',
  DICOM_UNSUPPORTED: 'mismatch',
  DICOM_PROTOCOL: 'unreadable',
  DICOM_UNREACHABLE: 'failed',
  DICOM_REJECTED: 'failed',
  DICOM_BUSY: 'failed',
  DICOM_CONTEXT_REFUSED: 'failed',
  DICOM_ABORTED: 'failed',
  DICOM_TIMEOUT: 'failed',
  DICOM_CANCELLED: 'cancelled',
  INTERNAL: 'failed',
} as const satisfies Record<ErrorCode, Failure>;

const storeStatuses = {
  full: dimseStatus.outOfResources,
  mismatch: dimseStatus.dataSetMismatch,
  unreadable: dimseStatus.cannotUnderstand,
  failed: dimseStatus.processingFailure,
  refused: dimseStatus.notAuthorized,
  cancelled: dimseStatus.processingFailure,
} as const satisfies Record<Failure, number>;

const queryStatuses = {
  full: dimseStatus.outOfResources,
  mismatch: dimseStatus.dataSetMismatch,
  unreadable: dimseStatus.dataSetMismatch,
  failed: dimseStatus.unableToProcess,
  refused: dimseStatus.notAuthorized,
  cancelled: dimseStatus.cancel,
} as const satisfies Record<Failure, number>;

export type FailureAnswer = { readonly status: number; readonly errorComment: string };

const commentCharsMax = 64;

function answerOf(error: unknown, statuses: Readonly<Record<Failure, number>>): FailureAnswer {
  const code: ErrorCode = error instanceof ArchiveError ? error.code : 'INTERNAL';
  const message = error instanceof ArchiveError ? error.message.replace(/[^\x20-\x7e]/g, '?') : '';
  return { status: statuses[failures[code]], errorComment: `${code} ${message}`.slice(0, commentCharsMax).trim() };
}

export function storeFailure(error: unknown): FailureAnswer {
  return answerOf(error, storeStatuses);
}

export function queryFailure(error: unknown): FailureAnswer {
  return answerOf(error, queryStatuses);
}
