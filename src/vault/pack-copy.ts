// PackCopy: one copy of one pack, read: header, locator, index records, records at an offset.
//
// Invariants: nothing is believed unchecked: header and locator by CRC, index records and records by head checksum and SHA-256 of the body;
// what fails is an ArchiveError that says which pack, and never a wrong answer. Reads are bounded by one record or one index record.
// Left out on purpose: which copy to ask (record-reader.ts), and decoding (record-works.ts).

import { ArchiveError, bytesEqual, type RecordId, sha256 } from '../base/index.ts';
import { decodePacked } from '../codec/index.ts';
import type { DiskFile } from '../disk/index.ts';
import {
  blockSizeBytes,
  compareRecordIds,
  decodeHead,
  decodeHeader,
  decodeLocator,
  type Head,
  type IndexPlace,
  indexRowBytes,
  type Locator,
  type PackHeader,
  recordKind,
} from '../format/index.ts';
import { ownHead } from './walk.ts';

export type ReadRecord = { readonly head: Head; readonly body: Uint8Array };

export type ReadWay = 'cached' | 'uncached';

/** Where a file's bytes begin within the pack: a footer file leaves out what lies between header and footer. */
type Shape = 'pack' | 'footer';

export class PackCopy {
  readonly file: DiskFile;
  readonly shape: Shape;

  constructor(file: DiskFile, shape: Shape = 'pack') {
    this.file = file;
    this.shape = shape;
  }

  async header(): Promise<PackHeader> {
    return decodeHeader(await this.file.read(0, blockSizeBytes));
  }

  /** undefined: not sealed. */
  async locator(): Promise<Locator | undefined> {
    const sizeBytes = await this.file.sizeBytes();
    if (sizeBytes < 2 * blockSizeBytes) return undefined;
    const locator = decodeLocator(await this.file.read(sizeBytes - blockSizeBytes, blockSizeBytes));
    if (locator === undefined) return undefined;
    const expected = this.shape === 'pack' ? locator.packSizeBytes : 2 * blockSizeBytes + locator.footerSizeBytes;
    if (expected !== sizeBytes)
      throw new ArchiveError('PACK_CORRUPT', `pack ${locator.pack} is not as long as its locator says`);
    return locator;
  }

  /** Where an offset of the pack lies in this file. */
  offsetInFile(locator: Locator, offset: number): number {
    return this.shape === 'pack' ? offset : blockSizeBytes + offset - locator.footerOffset;
  }

  /** The rows of one index record: a multiple of 96 bytes, in the order of ids. */
  async indexRows(locator: Locator, place: IndexPlace): Promise<Uint8Array> {
    const fault = (): ArchiveError =>
      new ArchiveError('PACK_CORRUPT', `an index record of pack ${locator.pack} is damaged`);
    if (place.offset < locator.footerOffset || place.sizeBytes > locator.footerSizeBytes) throw fault();
    const record = await this.recordAt(this.offsetInFile(locator, place.offset), place.sizeBytes).catch(
      () => undefined,
    );
    if (record === undefined || record.head.kind !== recordKind.index || !record.head.understood) throw fault();
    const { codec, codecVersion, plainSizeBytes } = record.head;
    const rows = decodePacked({ codec, codecVersion, plainSizeBytes }, record.body);
    if (rows.byteLength !== place.rowCount * indexRowBytes) throw fault();
    return rows;
  }

  /** The record at this offset of the file, checked. RECORD_CORRUPT. */
  async recordAt(offset: number, sizeBytes: number, way: ReadWay = 'cached'): Promise<ReadRecord> {
    const bytes =
      way === 'cached'
        ? await this.file.read(offset, sizeBytes)
        : (await this.file.readUncached(offset, sizeBytes)).bytes;
    return checkRecord(bytes);
  }
}

/** Head and body of these bytes, exactly; the head is checked, the body is not. RECORD_CORRUPT. */
export function splitRecord(bytes: Uint8Array): ReadRecord {
  const head = decodeHead(bytes);
  if (head === undefined || head === 'short')
    throw new ArchiveError('RECORD_CORRUPT', "a record's head fails its check");
  const bodyOffset = head.bytes.byteLength;
  if (bytes.byteLength !== bodyOffset + head.bodySizeBytes) {
    throw new ArchiveError('RECORD_CORRUPT', 'a record is not as long as its index says');
  }
  // The body may be moved to a worker with the buffer it was read into; the head is needed afterwards.
  return { head: ownHead(head), body: bytes.subarray(bodyOffset) };
}

/** The same, with the body held against its digest. */
export function checkRecord(bytes: Uint8Array): ReadRecord {
  const record = splitRecord(bytes);
  if (!bytesEqual(sha256(record.body), record.head.bodyDigest)) {
    throw new ArchiveError('RECORD_CORRUPT', "a record's body fails its digest");
  }
  return record;
}

/** The index record that would name this record. */
export function indexPlaceOf(locator: Locator, id: RecordId): number {
  let low = 0;
  let high = locator.index.length - 1;
  let found = -1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const place = locator.index[middle] as IndexPlace;
    if (compareRecordIds(place.first, id) <= 0) {
      found = middle;
      low = middle + 1;
    } else high = middle - 1;
  }
  return found;
}
