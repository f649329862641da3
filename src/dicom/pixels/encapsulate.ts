// Coded frames as the items of encapsulated pixel data: a basic offset table, one fragment a frame, the delimiter (PS3.5, A.4). Streaming: frame in, bytes out.
//
// The table must be known before the first frame, so either the sizes of all frames are given first, or the table stays empty, which is always allowed.

import { assert } from '../../base/index.ts';
import { pixelsBeyond } from './pixel-fault.ts';

const itemTag = [0xfe, 0xff, 0x00, 0xe0] as const;
const delimiter = [0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0] as const;
const itemBytesMax = 0xffff_fffe;

function itemHead(sizeBytes: number): Uint8Array {
  if (sizeBytes > itemBytesMax) throw pixelsBeyond('bytes of a fragment');
  const head = new Uint8Array(8);
  head.set(itemTag);
  new DataView(head.buffer).setUint32(4, sizeBytes, true);
  return head;
}

/** The item of the offset table. */
export function encapsulationStart(basicOffsets: Uint8Array | undefined): Uint8Array[] {
  const table = basicOffsets ?? new Uint8Array(0);
  assert(table.byteLength % 4 === 0, 'an offset table has entries of four bytes');
  return [itemHead(table.byteLength), table];
}

/** One frame as one fragment, filled to an even length; the frame's bytes are not copied. */
export function encapsulateFrame(frame: Uint8Array): Uint8Array[] {
  const isOdd = frame.byteLength % 2 === 1;
  const head = itemHead(frame.byteLength + (isOdd ? 1 : 0));
  return isOdd ? [head, frame, new Uint8Array(1)] : [head, frame];
}

export function encapsulationEnd(): Uint8Array[] {
  return [Uint8Array.from(delimiter)];
}
