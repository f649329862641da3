// What became of the instances of one STOW-RS request, as DICOM JSON (PS3.18 10.5.3.2), and the status that goes with it.
//
// Invariants: every part is told of once, in the order in which the parts came; a reason is a number of the standard and no text, so it names nobody.

import type { StoredInstance } from '../../archive/index.ts';
import { ArchiveError, type ErrorCode } from '../../base/index.ts';
import { urlOf } from './exchange.ts';

type Failure = 'full' | 'mismatch' | 'unreadable' | 'failed' | 'refused';

const reasonCodes: Readonly<Record<Failure, number>> = {
  full: 0xa700,
  mismatch: 0xa900,
  unreadable: 0xc000,
  failed: 0x0110,
  refused: 0x0124,
};
/** Stored, though class or instance are not what its sender said. */
const warningMismatch = 0xb007;

const failures = {
  // Of another study than the path.
  ARGUMENT_INVALID: 'failed',
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
  DICOM_CANCELLED: 'failed',
  INTERNAL: 'failed',
} as const satisfies Record<ErrorCode, Failure>;

export type StoreOutcome =
  | { readonly kind: 'stored'; readonly stored: StoredInstance }
  | {
      readonly kind: 'failed';
      readonly failure: Failure;
      /** What its file said that it is. */
      readonly named: { readonly classUid: string; readonly instanceUid: string } | undefined;
    };

export function failureOf(error: unknown): Failure {
  return failures[error instanceof ArchiveError ? error.code : 'INTERNAL'];
}

const uid = (value: string): string => `{"vr":"UI","Value":[${JSON.stringify(value)}]}`;
const url = (value: string): string => `{"vr":"UR","Value":[${JSON.stringify(value)}]}`;
const number = (value: number): string => `{"vr":"US","Value":[${value}]}`;
const sequence = (items: readonly string[]): string =>
  items.length === 0 ? '{"vr":"SQ"}' : `{"vr":"SQ","Value":[${items.join(',')}]}`;

const mismatches = new Set(['instance-uid-differs', 'class-uid-differs']);

function isWarned(stored: StoredInstance): boolean {
  return stored.oddities.some((each) => mismatches.has(each));
}

export function storeAnswer(
  outcomes: readonly StoreOutcome[],
  base: string,
): { readonly status: number; readonly json: string } {
  const stored: string[] = [];
  const failed: string[] = [];
  const others: string[] = [];
  const studies = new Set<string>();
  let warned = false;
  for (const outcome of outcomes) {
    if (outcome.kind === 'stored') {
      stored.push(storedItem(outcome.stored, base));
      studies.add(outcome.stored.studyUid);
      warned ||= isWarned(outcome.stored);
      continue;
    }
    const reason = `"00081197":${number(reasonCodes[outcome.failure])}`;
    const { named } = outcome;
    if (named === undefined) others.push(`{${reason}}`);
    else failed.push(`{"00081150":${uid(named.classUid)},"00081155":${uid(named.instanceUid)},${reason}}`);
  }
  const members = ['"00080005":{"vr":"CS","Value":["ISO_IR 192"]}'];
  const [study] = studies;
  if (study !== undefined && studies.size === 1) members.push(`"00081190":${url(urlOf(base, { study }))}`);
  // These two are there even when they are empty: clients look into them without asking.
  members.push(`"00081198":${sequence(failed)}`, `"00081199":${sequence(stored)}`);
  if (others.length > 0) members.push(`"0008119A":${sequence(others)}`);
  return { status: statusOf(outcomes, warned), json: `{${members.join(',')}}` };
}

function storedItem(stored: StoredInstance, base: string): string {
  const place = { study: stored.studyUid, series: stored.seriesUid, instance: stored.instanceUid };
  const warning = isWarned(stored) ? `,"00081196":${number(warningMismatch)}` : '';
  const names = `"00081150":${uid(stored.classUid)},"00081155":${uid(stored.instanceUid)}`;
  return `{${names},"00081190":${url(urlOf(base, place))}${warning}}`;
}

/** 200: all of them; 202: not all, or not as they were said to be; 400: none can be read; 409: none; 503: none, and later perhaps. */
function statusOf(outcomes: readonly StoreOutcome[], warned: boolean): number {
  const failed = outcomes.filter((each) => each.kind === 'failed');
  if (failed.length === 0) return warned ? 202 : 200;
  if (failed.length < outcomes.length) return 202;
  if (failed.every((each) => each.failure === 'unreadable')) return 400;
  return failed.every((each) => each.failure === 'full') ? 503 : 409;
}
