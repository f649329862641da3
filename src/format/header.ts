// The header of a pack: its first 4096 bytes (FORMAT.md 1.1).
//
//   0 mark (8) | 8 format version u16 | 10 class u16 | 12 zero u32 | 16 pack id (16) | 32 writer id (16) | 48 archive id (16)
//   64 hybrid time u64 | 72 zeros | 3584 ASCII text (508) | 4092 CRC-32 u32
//
// Invariant: a header that decodes is exactly what was encoded; anything else is an ArchiveError, never an assertion.

import {
  ArchiveError,
  type ArchiveId,
  bytesOfId,
  crc32,
  type HybridTime,
  idOfBytes,
  type PackId,
  utf8Bytes,
  viewOf,
  type WriterId,
} from '../base/index.ts';
import { blockSizeBytes, formatVersion, type PackClassName, packClass, packClassName } from './numbers.ts';

export type PackHeader = {
  readonly class: PackClassName;
  readonly pack: PackId;
  readonly writer: WriterId;
  readonly archive: ArchiveId;
  readonly created: HybridTime;
};

export const packMark = Uint8Array.of(0x89, 0x53, 0x54, 0x45, 0x4c, 0x45, 0x0d, 0x0a);

const words = utf8Bytes(
  'This is a pack of a Stele archive. FORMAT.md, which lies beside it on every medium, says how to read it;\n' +
    'stele_read.py (plain Python 3) does so. Content is encrypted: the exported keyring and its passphrase open it.\n',
);

export function encodeHeader(header: PackHeader): Uint8Array {
  const bytes = new Uint8Array(blockSizeBytes);
  const view = viewOf(bytes);
  bytes.set(packMark, 0);
  view.setUint16(8, formatVersion, true);
  view.setUint16(10, packClass[header.class], true);
  bytes.set(bytesOfId(header.pack), 16);
  bytes.set(bytesOfId(header.writer), 32);
  bytes.set(bytesOfId(header.archive), 48);
  view.setBigUint64(64, header.created, true);
  bytes.set(words, 3584);
  view.setUint32(4092, crc32(bytes.subarray(0, 4092)), true);
  return bytes;
}

export function decodeHeader(bytes: Uint8Array): PackHeader {
  if (bytes.byteLength < blockSizeBytes)
    throw new ArchiveError('PACK_TRUNCATED', 'the pack is shorter than its header');
  const view = viewOf(bytes);
  if (!packMark.every((byte, index) => bytes[index] === byte)) {
    throw new ArchiveError('PACK_CORRUPT', 'the file does not begin as a pack does');
  }
  // The version is looked at before the checksum: a newer header may be checked in another way.
  const version = view.getUint16(8, true);
  if (version > formatVersion) throw new ArchiveError('PACK_NEWER', `the pack has format version ${version}`);
  if (version === 0 || crc32(bytes.subarray(0, 4092)) !== view.getUint32(4092, true)) {
    throw new ArchiveError('PACK_CORRUPT', "the pack's header fails its checksum");
  }
  const name = packClassName(view.getUint16(10, true));
  if (name === undefined)
    throw new ArchiveError('PACK_NEWER', `the pack has the unknown class ${view.getUint16(10, true)}`);
  return {
    class: name,
    pack: idOfBytes(bytes.subarray(16, 32)) as PackId,
    writer: idOfBytes(bytes.subarray(32, 48)) as WriterId,
    archive: idOfBytes(bytes.subarray(48, 64)) as ArchiveId,
    created: view.getBigUint64(64, true),
  };
}
