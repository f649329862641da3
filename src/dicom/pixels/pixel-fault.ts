// The two failures of pixels: bytes that break the rules of their syntax or contradict the data set, and bytes that ask for more than a limit allows.
// Messages tell what, never whose.

import { ArchiveError } from '../../base/index.ts';

export function malformedPixels(message: string, cause?: unknown): ArchiveError {
  return new ArchiveError('DICOM_MALFORMED', `pixel data: ${message}`, cause === undefined ? {} : { cause });
}

export function pixelsBeyond(limit: string): ArchiveError {
  return new ArchiveError('LIMIT_EXCEEDED', `pixel data: more than the limit allows: ${limit}`);
}
