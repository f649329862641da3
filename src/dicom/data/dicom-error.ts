// What goes wrong with the bytes of a DICOM object, with the place where it did.
//
// Invariants: the message says a place and a kind of fault, never a value; a limit that was met is LIMIT_EXCEEDED and names it, everything else DICOM_MALFORMED.

import { ArchiveError } from '../../base/index.ts';
import type { ReaderLimits } from './reader-limits.ts';

const faultTexts = {
  truncated: 'it ends before its structure does',
  length: 'a length reaches past what holds it, or is undefined where that cannot be',
  vr: 'an element has no readable value representation',
  item: 'something else stands where an item is expected',
  padding: 'bytes that are not zero follow the trailing padding',
  deflate: 'the deflated bytes cannot be inflated',
  meta: 'the file meta information cannot be read',
  foreign: 'it is not a DICOM object',
} as const;

export type DicomFault = keyof typeof faultTexts | 'limit';

export class DicomError extends ArchiveError {
  readonly fault: DicomFault;
  /** Of the first byte that cannot be right, counted from the begin of the stream; in a deflated one, of the inflated bytes. */
  readonly offset: number;

  constructor(fault: keyof typeof faultTexts, offset: number, options?: { cause?: unknown });
  constructor(fault: 'limit', offset: number, options: { limit: keyof ReaderLimits });
  constructor(fault: DicomFault, offset: number, options: { cause?: unknown; limit?: keyof ReaderLimits } = {}) {
    if (fault === 'limit')
      super('LIMIT_EXCEEDED', `a DICOM object is over the limit ${options.limit} at byte ${offset}`);
    else super('DICOM_MALFORMED', `a DICOM object cannot be read at byte ${offset}: ${faultTexts[fault]}`, options);
    this.name = 'DicomError';
    this.fault = fault;
    this.offset = offset;
  }
}
