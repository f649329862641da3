// The locator: the last 4096 bytes of a sealed pack (FORMAT.md 7).
//
//   0 mark (8) | 8 format version u16 | 10 class u16 | 12 number of index records u32 | 16 pack id (16) | 32 offset of the footer u64
//   40 length of the footer u64 | 48 records u64 | 56 facts copied u64 | 64 length of the pack u64 | 72 time of sealing u64
//   80 least u64, 88 greatest hybrid time u64 | 96 SHA-256 of the footer (32) | 128 root (32) | 160 index records, 48 bytes each:
//   first writer (16), first sequence u64, offset u64, length u64, rows u64 | 4092 CRC-32 u32

import {
  ArchiveError,
  assert,
  bytesOfId,
  crc32,
  type HybridTime,
  idOfBytes,
  type PackId,
  type RecordId,
  setU64Number,
  u64Number,
  viewOf,
  type WriterId,
} from '../base/index.ts';
import {
  blockSizeBytes,
  formatVersion,
  indexRecordsMax,
  indexRowsMax,
  type PackClassName,
  packAlignBytes,
  packClass,
  packClassName,
  packSizeBytesMax,
} from './numbers.ts';

export type IndexPlace = {
  readonly first: RecordId;
  readonly offset: number;
  readonly sizeBytes: number;
  readonly rowCount: number;
};

export type Locator = {
  readonly class: PackClassName;
  readonly pack: PackId;
  readonly footerOffset: number;
  readonly footerSizeBytes: number;
  readonly recordCount: number;
  readonly factCount: number;
  readonly packSizeBytes: number;
  readonly sealed: HybridTime;
  readonly hybridLeast: HybridTime;
  readonly hybridGreatest: HybridTime;
  readonly footerDigest: Uint8Array;
  readonly root: Uint8Array;
  readonly index: readonly IndexPlace[];
};

export const locatorMark = Uint8Array.of(0x89, 0x53, 0x54, 0x4c, 0x0d, 0x0a, 0x1a, 0x0a);

export function encodeLocator(locator: Locator): Uint8Array {
  assert(locator.index.length <= indexRecordsMax, 'a locator names at most its limit of index records');
  assert(locator.packSizeBytes % packAlignBytes === 0, 'a sealed pack is a multiple of 1 MiB');
  assert(locator.packSizeBytes <= packSizeBytesMax, 'a pack keeps to its limit');
  const bytes = new Uint8Array(blockSizeBytes);
  const view = viewOf(bytes);
  bytes.set(locatorMark, 0);
  view.setUint16(8, formatVersion, true);
  view.setUint16(10, packClass[locator.class], true);
  view.setUint32(12, locator.index.length, true);
  bytes.set(bytesOfId(locator.pack), 16);
  setU64Number(view, 32, locator.footerOffset);
  setU64Number(view, 40, locator.footerSizeBytes);
  setU64Number(view, 48, locator.recordCount);
  setU64Number(view, 56, locator.factCount);
  setU64Number(view, 64, locator.packSizeBytes);
  view.setBigUint64(72, locator.sealed, true);
  view.setBigUint64(80, locator.hybridLeast, true);
  view.setBigUint64(88, locator.hybridGreatest, true);
  bytes.set(locator.footerDigest, 96);
  bytes.set(locator.root, 128);
  locator.index.forEach((place, number) => {
    const at = 160 + number * 48;
    bytes.set(bytesOfId(place.first.writer), at);
    view.setBigUint64(at + 16, place.first.sequence, true);
    setU64Number(view, at + 24, place.offset);
    setU64Number(view, at + 32, place.sizeBytes);
    setU64Number(view, at + 40, place.rowCount);
  });
  view.setUint32(4092, crc32(bytes.subarray(0, 4092)), true);
  return bytes;
}

/** undefined: these bytes are no locator, so the pack is open or cut short. Throws for a damaged or newer one. */
export function decodeLocator(bytes: Uint8Array): Locator | undefined {
  if (bytes.byteLength !== blockSizeBytes || !locatorMark.every((byte, index) => bytes[index] === byte))
    return undefined;
  const view = viewOf(bytes);
  const version = view.getUint16(8, true);
  if (version > formatVersion) throw new ArchiveError('PACK_NEWER', `the pack has format version ${version}`);
  const name = packClassName(view.getUint16(10, true));
  const count = view.getUint32(12, true);
  if (crc32(bytes.subarray(0, 4092)) !== view.getUint32(4092, true) || name === undefined || count > indexRecordsMax) {
    throw new ArchiveError('PACK_CORRUPT', "the pack's locator fails its check");
  }
  const index: IndexPlace[] = [];
  for (let number = 0; number < count; number += 1) {
    const at = 160 + number * 48;
    const writer = idOfBytes(bytes.subarray(at, at + 16)) as WriterId;
    index.push({
      first: { writer, sequence: view.getBigUint64(at + 16, true) },
      offset: u64Number(view, at + 24),
      sizeBytes: u64Number(view, at + 32),
      rowCount: u64Number(view, at + 40),
    });
  }
  const locator: Locator = {
    class: name,
    pack: idOfBytes(bytes.subarray(16, 32)) as PackId,
    footerOffset: u64Number(view, 32),
    footerSizeBytes: u64Number(view, 40),
    recordCount: u64Number(view, 48),
    factCount: u64Number(view, 56),
    packSizeBytes: u64Number(view, 64),
    sealed: view.getBigUint64(72, true),
    hybridLeast: view.getBigUint64(80, true),
    hybridGreatest: view.getBigUint64(88, true),
    footerDigest: bytes.slice(96, 128),
    root: bytes.slice(128, 160),
    index,
  };
  const reasonable =
    locator.footerOffset + locator.footerSizeBytes <= locator.packSizeBytes - blockSizeBytes &&
    locator.packSizeBytes <= packSizeBytesMax &&
    index.every((place) => place.rowCount <= indexRowsMax);
  if (!reasonable) throw new ArchiveError('PACK_CORRUPT', "the pack's locator contradicts itself");
  return locator;
}
