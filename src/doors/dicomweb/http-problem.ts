// What is answered when a request cannot be: our errors as HTTP statuses, complete by type, and refusals that only this protocol has.
//
// Invariants: a body repeats code, message and hint, which name no patient; never a stack.

import { ArchiveError, type ErrorCode, toArchiveError } from '../../base/index.ts';

const statuses = {
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
  // Of what is stored: what comes is told instance by instance.
  DICOM_MALFORMED: 406,
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

export type HttpAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

/** A refusal in HTTP's own words. */
export class HttpProblem extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.name = 'HttpProblem';
    this.status = status;
    this.headers = headers;
  }
}

/** Thrown where bytes were to go to a client that is no longer there. Nobody is to blame and nobody is told. */
export class ClientGone extends Error {
  constructor() {
    super('the client has gone');
    this.name = 'ClientGone';
  }
}

/** What is busy, or lacks a disk for the moment, may be asked again then. */
const retrySeconds = '10';

const codeOfStatus: Readonly<Record<number, ErrorCode>> = {
  401: 'ACCESS_DENIED',
  404: 'NOT_FOUND',
  413: 'LIMIT_EXCEEDED',
  406: 'DICOM_UNSUPPORTED',
};

export function problemAnswer(error: unknown): HttpAnswer {
  const isProblem = error instanceof HttpProblem;
  const told = isProblem
    ? new ArchiveError(codeOfStatus[error.status] ?? 'ARGUMENT_INVALID', error.message, { hint: 'see PS3.18' })
    : toArchiveError(error, 'INTERNAL', 'something went wrong that should not');
  const { code, message, hint } = told;
  return {
    status: isProblem ? error.status : statuses[code],
    headers: isProblem ? error.headers : statuses[code] === 503 ? { 'retry-after': retrySeconds } : {},
    body: JSON.stringify({ error: { code, message, hint } }),
  };
}

/** Whether it is worth a line in the log: what the caller did is not. */
export function isFault(error: unknown): boolean {
  if (error instanceof HttpProblem || error instanceof ClientGone) return false;
  return !(error instanceof ArchiveError) || statuses[error.code] === 500;
}
