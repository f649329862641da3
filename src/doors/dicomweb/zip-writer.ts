// A ZIP file (APPNOTE 6.3.10) as a stream: files one after another as they are, nothing compressed, since what is in them would not shrink.
//
// Layout: for each file a local head, its bytes, and a data descriptor (CRC-32 and sizes, known only then); at the end the central directory, and its end
// records. Sizes and offsets that need 64 bits are in ZIP64 fields.
// Invariants: memory is one line a file; names are UTF-8 and are the caller's, who sees to it that they are no way out of a folder.

import { crc32 } from 'node:zlib';
import { assert, concatBytes, utf8Bytes } from '../../base/index.ts';

const u32Max = 0xffff_ffff;
const u16Max = 0xffff;
const version = 45;
/** Sizes follow the bytes; names are UTF-8. */
const flags = 0x0808;

type Entry = {
  readonly name: Uint8Array;
  readonly crc: number;
  readonly sizeBytes: number;
  readonly offset: number;
};

export class ZipWriter {
  readonly #entries: Entry[] = [];
  readonly #dosTime: number;
  #offset = 0;

  /** The time that all files get. */
  constructor(nowMs: number) {
    this.#dosTime = dosTimeOf(nowMs);
  }

  /** All bytes of a file in the ZIP. */
  async *file(name: string, pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const nameBytes = utf8Bytes(name);
    const offset = this.#offset;
    const head = this.#localHead(nameBytes);
    yield head;
    let [crc, sizeBytes] = [0, 0];
    for await (const piece of pieces) {
      crc = crc32(piece, crc);
      sizeBytes += piece.byteLength;
      yield piece;
    }
    const tail = descriptor(crc, sizeBytes);
    yield tail;
    this.#offset += head.byteLength + sizeBytes + tail.byteLength;
    this.#entries.push({ name: nameBytes, crc, sizeBytes, offset });
  }

  /** Always with a ZIP64 field: a reader then knows that the descriptor's sizes have 64 bits. */
  #localHead(name: Uint8Array): Uint8Array {
    const extra = new Uint8Array(20);
    const extraView = new DataView(extra.buffer);
    extraView.setUint16(0, 1, true);
    extraView.setUint16(2, 16, true);
    const head = new Uint8Array(30);
    const view = new DataView(head.buffer);
    view.setUint32(0, 0x0403_4b50, true);
    view.setUint16(4, version, true);
    view.setUint16(6, flags, true);
    view.setUint32(10, this.#dosTime, true);
    view.setUint32(18, u32Max, true);
    view.setUint32(22, u32Max, true);
    view.setUint16(26, name.byteLength, true);
    view.setUint16(28, extra.byteLength, true);
    return concatBytes([head, name, extra]);
  }

  /** What follows the last file. */
  *end(): Generator<Uint8Array> {
    const start = this.#offset;
    let at = start;
    for (const entry of this.#entries) {
      const line = this.#centralLine(entry);
      at += line.byteLength;
      yield line;
    }
    yield endRecords({ count: this.#entries.length, start, sizeBytes: at - start });
  }

  #centralLine({ name, crc, sizeBytes, offset }: Entry): Uint8Array {
    const extra = new Uint8Array(28);
    const extraView = new DataView(extra.buffer);
    extraView.setUint16(0, 1, true);
    extraView.setUint16(2, 24, true);
    extraView.setBigUint64(4, BigInt(sizeBytes), true);
    extraView.setBigUint64(12, BigInt(sizeBytes), true);
    extraView.setBigUint64(20, BigInt(offset), true);
    const line = new Uint8Array(46);
    const view = new DataView(line.buffer);
    view.setUint32(0, 0x0201_4b50, true);
    view.setUint16(4, version, true);
    view.setUint16(6, version, true);
    view.setUint16(8, flags, true);
    view.setUint32(12, this.#dosTime, true);
    view.setUint32(16, crc, true);
    view.setUint32(20, u32Max, true);
    view.setUint32(24, u32Max, true);
    view.setUint16(28, name.byteLength, true);
    view.setUint16(30, extra.byteLength, true);
    view.setUint32(42, u32Max, true);
    return concatBytes([line, name, extra]);
  }
}

function descriptor(crc: number, sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(24);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x0807_4b50, true);
  view.setUint32(4, crc, true);
  view.setBigUint64(8, BigInt(sizeBytes), true);
  view.setBigUint64(16, BigInt(sizeBytes), true);
  return bytes;
}

/** ZIP64 end record, its locator, and the end record of old. */
function endRecords(directory: {
  readonly count: number;
  readonly start: number;
  readonly sizeBytes: number;
}): Uint8Array {
  const { count, start, sizeBytes } = directory;
  const bytes = new Uint8Array(56 + 20 + 22);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x0606_4b50, true);
  view.setBigUint64(4, 44n, true);
  view.setUint16(12, version, true);
  view.setUint16(14, version, true);
  view.setBigUint64(24, BigInt(count), true);
  view.setBigUint64(32, BigInt(count), true);
  view.setBigUint64(40, BigInt(sizeBytes), true);
  view.setBigUint64(48, BigInt(start), true);
  view.setUint32(56, 0x0706_4b50, true);
  view.setBigUint64(64, BigInt(start + sizeBytes), true);
  view.setUint32(72, 1, true);
  view.setUint32(76, 0x0605_4b50, true);
  view.setUint16(84, Math.min(count, u16Max), true);
  view.setUint16(86, Math.min(count, u16Max), true);
  view.setUint32(88, Math.min(sizeBytes, u32Max), true);
  view.setUint32(92, Math.min(start, u32Max), true);
  assert(bytes.byteLength === 98, 'the end is three records');
  return bytes;
}

/** Two-second steps since 1980; what is before is 1980. */
function dosTimeOf(nowMs: number): number {
  const date = new Date(nowMs);
  const year = Math.max(0, Math.min(127, date.getUTCFullYear() - 1980));
  const day = (year << 9) | ((date.getUTCMonth() + 1) << 5) | date.getUTCDate();
  const time = (date.getUTCHours() << 11) | (date.getUTCMinutes() << 5) | (date.getUTCSeconds() >> 1);
  return ((day << 16) | time) >>> 0;
}
