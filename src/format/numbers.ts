// The numbers of FORMAT.md: sizes, limits and registries that cannot change once a pack is on a tape.

import { assert } from '../base/index.ts';

export const formatVersion = 1;
export const blockSizeBytes = 4096;
export const recordAlignBytes = 16;
export const headSizeBytes = 128;
export const headExtraBytesMax = 4096;
export const bodySizeBytesMax = 2 * 1024 * 1024;
/** The unit of compression, encryption and checking. */
export const chunkSizeBytesMax = 1024 * 1024;
export const packAlignBytes = 1024 * 1024;
/** One ISO 9660 extent, one S3 PUT. */
export const packSizeBytesMax = 4 * 1024 * 1024 * 1024 - packAlignBytes;
export const packSizeBytesMin = packAlignBytes;
export const commitBodyBytes = 64;
export const commitSizeBytes = headSizeBytes + commitBodyBytes;
export const indexRowBytes = 96;
export const indexRowsMax = 8192;
export const indexRecordsMax = 64;
export const packRecordsMax = indexRowsMax * indexRecordsMax;
export const listChildrenMax = 8192;

assert(headSizeBytes + headExtraBytesMax < packSizeBytesMin, 'a pack holds at least one head');
assert(commitSizeBytes <= blockSizeBytes, 'a commit record fits in the block it ends');
assert(160 + indexRecordsMax * 48 <= blockSizeBytes - 4, 'a locator names every index record');
assert(packSizeBytesMax / recordAlignBytes <= 0xffff_ffff, 'an offset in units of 16 bytes fits a u32');
assert(chunkSizeBytesMax < bodySizeBytesMax, 'a chunk that no codec shortens still fits a body');

export const recordKind = {
  chunk: 1,
  chunkList: 2,
  entry: 3,
  event: 4,
  bundle: 5,
  site: 6,
  commit: 16,
  index: 17,
} as const;

/** Kinds that say what is known, not content: footers repeat them, and the catalog is made of them. */
export function isFactKind(kind: number): boolean {
  return (
    kind === recordKind.entry || kind === recordKind.event || kind === recordKind.bundle || kind === recordKind.site
  );
}

/** Kinds that frame a pack and are not among its records. */
export function isFrameKind(kind: number): boolean {
  return kind === recordKind.commit || kind === recordKind.index;
}

export const packClass = { ingest: 1, archive: 2, control: 3 } as const;
export type PackClassName = keyof typeof packClass;
export const packClassNames: readonly PackClassName[] = ['ingest', 'archive', 'control'];

export function packClassName(value: number): PackClassName | undefined {
  return packClassNames.find((name) => packClass[name] === value);
}

export const digestNumber = { sha256: 1 } as const;
