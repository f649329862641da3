// Offset tables of encapsulated pixel data, read and made (PS3.5, A.4): where each frame's first item begins, counted from the first item behind the basic table.

import { setU64Number, viewOf } from '../../base/index.ts';

const u32Max = 0xffff_ffff;

/** The offsets of a table whose entries have four bytes (basic) or eight (extended); undefined where it is not of that many frames. */
export function offsetsOf(table: Uint8Array | undefined, width: 4 | 8, frameCount: number): number[] | undefined {
  if (table === undefined || table.byteLength !== frameCount * width) return undefined;
  const view = viewOf(table);
  return Array.from({ length: frameCount }, (_, k) =>
    width === 4 ? view.getUint32(k * 4, true) : Number(view.getBigUint64(k * 8, true)),
  );
}

/** Tables for frames of one fragment each. The basic one is undefined where the last offset does not fit it; the extended ones may always stand beside an empty one. */
export function makeOffsetTables(sizesBytes: readonly number[]): {
  readonly basicOffsets: Uint8Array | undefined;
  readonly extendedOffsets: Uint8Array;
  readonly extendedLengths: Uint8Array;
} {
  const extendedOffsets = new Uint8Array(sizesBytes.length * 8);
  const extendedLengths = new Uint8Array(sizesBytes.length * 8);
  const basicOffsets = new Uint8Array(sizesBytes.length * 4);
  let offset = 0;
  let last = 0;
  sizesBytes.forEach((sizeBytes, k) => {
    setU64Number(viewOf(extendedOffsets), k * 8, offset);
    setU64Number(viewOf(extendedLengths), k * 8, sizeBytes);
    viewOf(basicOffsets).setUint32(k * 4, offset % (u32Max + 1), true);
    last = offset;
    offset += 8 + sizeBytes + (sizeBytes & 1);
  });
  return { basicOffsets: last <= u32Max ? basicOffsets : undefined, extendedOffsets, extendedLengths };
}
