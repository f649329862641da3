// Errors at this edge: from an error to one line and an exit code, complete by type.
//
// Invariant: one line, no stack, no cause's text: those may repeat what a message of ours must not hold. STELE_DEBUG=1 adds the stack.

import { ArchiveError, type ErrorCode, toArchiveError } from '../base/index.ts';

const misused = 2;
const failed = 1;

export const exitCodes = {
  ARGUMENT_INVALID: misused,
  CONFIG_INVALID: misused,
  NOT_FOUND: failed,
  FILE_MISSING: failed,
  FILE_EXISTS: failed,
  ACCESS_DENIED: failed,
  DATA_LOCKED: failed,
  DATA_FOREIGN: failed,
  DISK_FULL: failed,
  DISK_READ_ONLY: failed,
  DISK_MISSING: failed,
  DISK_IO: failed,
  DISK_POISONED: failed,
  COPIES_TOO_FEW: failed,
  PACK_CORRUPT: failed,
  PACK_TRUNCATED: failed,
  PACK_NEWER: failed,
  RECORD_LOST: failed,
  RECORD_CORRUPT: failed,
  RECORD_UNKNOWN: failed,
  CODEC_UNKNOWN: failed,
  CODEC_FAULT: failed,
  KEY_SHREDDED: failed,
  KEY_MISSING: failed,
  KEYRING_CORRUPT: failed,
  PASSPHRASE_WRONG: failed,
  DATABASE_NEWER: failed,
  DATABASE_FAILED: failed,
  CATALOG_AHEAD: failed,
  CLOCK_AHEAD: failed,
  DICOM_MALFORMED: failed,
  DICOM_UNSUPPORTED: failed,
  DICOM_PROTOCOL: failed,
  DICOM_UNREACHABLE: failed,
  DICOM_REJECTED: failed,
  DICOM_BUSY: failed,
  DICOM_CONTEXT_REFUSED: failed,
  DICOM_ABORTED: failed,
  DICOM_TIMEOUT: failed,
  DICOM_CANCELLED: failed,
  LIMIT_EXCEEDED: failed,
  NOTICE_UNSENT: failed,
  AMENDMENT_CONFLICT: failed,
  BUSY: failed,
  CLOSED: failed,
  INTERNAL: failed,
} as const satisfies Record<ErrorCode, number>;

export function exitCodeOf(error: unknown): number {
  return error instanceof ArchiveError ? exitCodes[error.code] : failed;
}

export type ErrorFacts = {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
  readonly exit: number;
};

export function errorFacts(error: unknown): ErrorFacts {
  const known = toArchiveError(error, 'INTERNAL', 'something went wrong that should not');
  return { code: known.code, message: oneLine(known.message), hint: oneLine(known.hint), exit: exitCodes[known.code] };
}

export function errorLine(error: unknown, options: { json: boolean; debug: boolean }): string {
  const { code, message, hint } = errorFacts(error);
  const line = options.json
    ? JSON.stringify({ error: { code, message, hint } })
    : `stele: ${code}: ${message} (${hint})`;
  if (!options.debug) return line;
  const parts = [line];
  for (let each: unknown = error; each instanceof Error; each = each.cause) parts.push(each.stack ?? each.message);
  return parts.join('\n');
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
