// Errors at this edge: from a code to an HTTP status, complete by type, and the body that goes with it.
//
// Invariant: the body repeats code, message and hint, which name no patient and no object; never a stack.

import { type ErrorCode, toArchiveError } from '../../base/index.ts';

export const httpStatus = {
  ARGUMENT_INVALID: 400,
  CONFIG_INVALID: 500,
  NOT_FOUND: 404,
  FILE_MISSING: 404,
  FILE_EXISTS: 409,
  ACCESS_DENIED: 403,
  DATA_LOCKED: 503,
  DATA_FOREIGN: 500,
  DISK_FULL: 507,
  DISK_READ_ONLY: 503,
  DISK_MISSING: 503,
  DISK_IO: 500,
  DISK_POISONED: 503,
  COPIES_TOO_FEW: 503,
  PACK_CORRUPT: 500,
  PACK_TRUNCATED: 500,
  PACK_NEWER: 500,
  RECORD_LOST: 500,
  RECORD_CORRUPT: 500,
  RECORD_UNKNOWN: 500,
  CODEC_UNKNOWN: 500,
  CODEC_FAULT: 500,
  KEY_SHREDDED: 410,
  KEY_MISSING: 500,
  KEYRING_CORRUPT: 500,
  PASSPHRASE_WRONG: 403,
  DATABASE_NEWER: 500,
  DATABASE_FAILED: 503,
  CATALOG_AHEAD: 500,
  CLOCK_AHEAD: 503,
  DICOM_MALFORMED: 400,
  DICOM_UNSUPPORTED: 406,
  DICOM_PROTOCOL: 502,
  DICOM_UNREACHABLE: 502,
  DICOM_REJECTED: 502,
  DICOM_BUSY: 503,
  DICOM_CONTEXT_REFUSED: 502,
  DICOM_ABORTED: 502,
  DICOM_TIMEOUT: 504,
  DICOM_CANCELLED: 503,
  LIMIT_EXCEEDED: 413,
  NOTICE_UNSENT: 502,
  AMENDMENT_CONFLICT: 409,
  BUSY: 503,
  CLOSED: 503,
  INTERNAL: 500,
} as const satisfies Record<ErrorCode, number>;

export type ErrorBody = {
  readonly error: { readonly code: ErrorCode; readonly message: string; readonly hint: string };
};

export function errorAnswer(error: unknown): { readonly status: number; readonly body: ErrorBody } {
  const { code, message, hint } = toArchiveError(error, 'INTERNAL', 'something went wrong that should not');
  return { status: httpStatus[code], body: { error: { code, message, hint } } };
}
