// An instance as a data set in little endian that can be read at any place: what frames and bulk data are cut from.
//
// Invariants: what is stored in a plain syntax, or with encapsulated pixels, is read where it lies; what is deflated, big endian or has swapped pixels is written
// anew in explicit little endian while it is read, and passed over up to the place. Memory is a header and a few chunks either way.

import type { Archive } from '../../archive/index.ts';
import { type DataSet, DataSetReader, type TransferSyntax, transferSyntaxOf } from '../../dicom/index.ts';
import type { Instance } from './exchange.ts';
import type { ReadBytes } from './frame-places.ts';

export type LittleEndianSource = {
  /** Of the bytes that `read` gives. */
  readonly syntax: TransferSyntax;
  readonly header: DataSet;
  /** Where the value of the pixel data begins; undefined where there is none. */
  readonly pixelsOffset: number | undefined;
  readonly sizeBytes: number;
  readonly read: ReadBytes;
};

const explicitLittleEndian = '1.2.840.10008.1.2.1';

export async function littleEndianSource({ instances }: Archive, instance: Instance): Promise<LittleEndianSource> {
  const syntax = transferSyntaxOf(instance.syntaxUid);
  if (!syntax.deflated && !syntax.bigEndian && !syntax.pixelsSwapped) {
    const row = await instances.object(instance);
    return {
      syntax,
      header: await instances.header(instance),
      pixelsOffset: instance.headBytes < instance.sizeBytes ? instance.headBytes : undefined,
      sizeBytes: row.sizeBytes,
      read: (from, to) => instances.read(row, from, to),
    };
  }
  const plain = transferSyntaxOf(explicitLittleEndian);
  const all = async (): Promise<AsyncIterable<Uint8Array>> =>
    (await instances.output(instance, [explicitLittleEndian])).pieces;
  const reader = new DataSetReader({ syntax: plain });
  let sizeBytes = 0;
  for await (const piece of await all()) {
    reader.push(piece);
    sizeBytes += piece.byteLength;
  }
  return {
    syntax: plain,
    header: reader.finish(),
    pixelsOffset: reader.pixels?.valueOffset,
    sizeBytes,
    read: async function* (from, to) {
      let at = 0;
      for await (const piece of await all()) {
        const begin = Math.max(from - at, 0);
        const end = Math.min(to - at, piece.byteLength);
        if (begin < end) yield piece.subarray(begin, end);
        at += piece.byteLength;
        if (at >= to) return;
      }
    },
  };
}
