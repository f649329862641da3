// The one registry of what can go wrong, and the error that carries it.
//
// Invariants: every failure that leaves a room is an ArchiveError with a code of this registry; a message names no patient, no
// file content and no key; `docs/errors.md` explains every code (a test compares the two).
// Left out on purpose: translation to statuses and exit codes. Each edge has its own table, complete by type.

export type Retry = 'never' | 'later' | 'elsewhere';

type ErrorFacts = { readonly retry: Retry; readonly hint: string };

export const errorRegistry = {
  ARGUMENT_INVALID: { retry: 'never', hint: 'see --help' },
  CONFIG_INVALID: { retry: 'never', hint: 'correct the named line of the configuration' },
  NOT_FOUND: { retry: 'never', hint: 'list what there is with: stele ls' },
  FILE_MISSING: { retry: 'never', hint: 'check the path' },
  FILE_EXISTS: { retry: 'never', hint: 'choose another path, or pass --force' },
  ACCESS_DENIED: { retry: 'never', hint: 'log in, or ask for the right' },
  DATA_LOCKED: { retry: 'later', hint: 'another process holds this data folder: stop it, or use its address' },
  DATA_FOREIGN: { retry: 'never', hint: 'this folder belongs to another archive: check the configuration' },
  DISK_FULL: { retry: 'elsewhere', hint: 'free space on the disk or add one' },
  DISK_READ_ONLY: { retry: 'elsewhere', hint: 'make the folder writable or add another disk' },
  DISK_MISSING: { retry: 'elsewhere', hint: 'attach the disk, or run: stele repair' },
  DISK_IO: { retry: 'elsewhere', hint: 'the medium failed: check its health, then run: stele verify' },
  DISK_POISONED: { retry: 'elsewhere', hint: 'a sync failed on this file: it is read only from now on' },
  COPIES_TOO_FEW: { retry: 'later', hint: 'attach a disk, or let the storage class accept fewer copies' },
  PACK_CORRUPT: { retry: 'elsewhere', hint: 'run: stele verify --repair' },
  PACK_TRUNCATED: { retry: 'elsewhere', hint: 'run: stele verify --repair' },
  PACK_NEWER: { retry: 'never', hint: 'written by a newer version: upgrade this one' },
  RECORD_LOST: { retry: 'never', hint: 'no good copy is left: restore a medium that holds the named pack' },
  RECORD_CORRUPT: { retry: 'elsewhere', hint: 'run: stele verify --repair' },
  RECORD_UNKNOWN: { retry: 'never', hint: 'the catalog may be older than the packs: run: stele rebuild' },
  CODEC_UNKNOWN: { retry: 'never', hint: 'written by a newer version: upgrade this one' },
  CODEC_FAULT: { retry: 'never', hint: 'the stored bytes do not decode: run: stele verify --repair' },
  KEY_SHREDDED: { retry: 'never', hint: 'the key of this group was destroyed on purpose' },
  KEY_MISSING: { retry: 'never', hint: 'import an export of the keyring: stele keys import FILE' },
  KEYRING_CORRUPT: { retry: 'never', hint: 'restore the keyring from another disk or from an export' },
  PASSPHRASE_WRONG: { retry: 'never', hint: 'try the passphrase that was given at the export' },
  DATABASE_NEWER: { retry: 'never', hint: 'the database was written by a newer version: upgrade this one' },
  DATABASE_FAILED: { retry: 'later', hint: 'check the database; packs are not touched: stele rebuild restores it' },
  CATALOG_AHEAD: {
    retry: 'never',
    hint: 'the catalog knows records that no disk holds: attach the missing disk, or run: stele rebuild',
  },
  CLOCK_AHEAD: {
    retry: 'later',
    hint: 'the data carries times ahead of this clock: set the clock, or start with --accept-clock',
  },
  DICOM_MALFORMED: { retry: 'never', hint: 'these bytes are not a readable DICOM object: look at what wrote them' },
  DICOM_UNSUPPORTED: { retry: 'never', hint: 'ask for the transfer syntax in which it is stored' },
  DICOM_PROTOCOL: { retry: 'never', hint: 'the peer does not keep to the DICOM protocol: tell its maker' },
  DICOM_UNREACHABLE: { retry: 'later', hint: 'check the address, the port and the TLS settings of the peer' },
  DICOM_REJECTED: { retry: 'never', hint: 'check the AE titles on both sides' },
  DICOM_BUSY: { retry: 'later', hint: 'the peer takes no more associations just now' },
  DICOM_CONTEXT_REFUSED: { retry: 'never', hint: 'the peer takes none of what was proposed for this SOP class' },
  DICOM_ABORTED: { retry: 'later', hint: 'the association broke off: look at the log of the peer' },
  DICOM_TIMEOUT: { retry: 'later', hint: 'the peer did not answer in time' },
  DICOM_CANCELLED: { retry: 'never', hint: 'whoever asked has cancelled' },
  NOTICE_UNSENT: { retry: 'later', hint: 'check the address, the password and the network of the target' },
  LIMIT_EXCEEDED: { retry: 'never', hint: 'the named limit holds: see docs/limits.md' },
  AMENDMENT_CONFLICT: {
    retry: 'never',
    hint: 'it contradicts what is in force: see stele patient show, or stele study history',
  },
  BUSY: { retry: 'later', hint: 'try again shortly' },
  CLOSED: { retry: 'later', hint: 'the archive is stopping' },
  INTERNAL: { retry: 'never', hint: 'a mistake of ours: please report the code and the time' },
} as const satisfies Record<string, ErrorFacts>;

export type ErrorCode = keyof typeof errorRegistry;

export const errorCodes = Object.keys(errorRegistry) as ErrorCode[];

export class ArchiveError extends Error {
  readonly code: ErrorCode;
  readonly retry: Retry;
  readonly hint: string;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; hint?: string } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ArchiveError';
    this.code = code;
    this.retry = errorRegistry[code].retry;
    this.hint = options.hint ?? errorRegistry[code].hint;
  }
}

export function isArchiveError(error: unknown, code?: ErrorCode): error is ArchiveError {
  return error instanceof ArchiveError && (code === undefined || error.code === code);
}

/** Anything thrown, as an ArchiveError: what is already one passes through, the rest becomes `code`. */
export function toArchiveError(error: unknown, code: ErrorCode, message: string): ArchiveError {
  return error instanceof ArchiveError ? error : new ArchiveError(code, message, { cause: error });
}
