// Which transfer syntax is taken when a presentation context offers several.
//
// Invariants: pixels are never made lossy, and nothing is stored in a form that only its maker reads, because we chose so among better offers.
// Left out on purpose: reading or converting any of them.

import {
  deflatedLittle,
  explicitBig,
  explicitLittle,
  implicitLittle,
  transferSyntaxOf,
} from '../data/transfer-syntax.ts';

export const uncompressedSyntaxes: readonly string[] = [explicitLittle.uid, implicitLittle.uid, explicitBig.uid];

/**
 * The order in which a context's offers are taken where no other is asked for: explicit before implicit, since it keeps the VRs of private
 * elements; uncompressed before compressed, since most senders would have to convert for the latter; then what loses nothing.
 */
export const transferSyntaxOrderDefault: readonly string[] = [
  explicitLittle.uid,
  implicitLittle.uid,
  deflatedLittle.uid,
  explicitBig.uid,
  '1.2.840.10008.1.2.4.80', // JPEG-LS lossless
  '1.2.840.10008.1.2.4.201', // HTJ2K lossless
  '1.2.840.10008.1.2.4.202', // HTJ2K lossless, RPCL
  '1.2.840.10008.1.2.4.90', // JPEG 2000 lossless
  '1.2.840.10008.1.2.4.92', // JPEG 2000 part 2 lossless
  '1.2.840.10008.1.2.4.110', // JPEG XL lossless
  '1.2.840.10008.1.2.4.70', // JPEG lossless, first-order prediction
  '1.2.840.10008.1.2.4.57', // JPEG lossless
  '1.2.840.10008.1.2.4.58', // the same, hierarchical and retired
  '1.2.840.10008.1.2.4.65',
  '1.2.840.10008.1.2.4.66',
  '1.2.840.10008.1.2.5', // RLE
  '1.2.840.10008.1.2.8.1', // deflated frames
];

const standardRoot = '1.2.840.10008.';

/**
 * The one of `offered` to accept: the first of `order` that is there; then what loses nothing and `order` leaves out; then what may be lossy, video
 * among it; and when there is nothing else, one that is private or that we do not know. Undefined: nothing is offered.
 */
export function chooseTransferSyntax(offered: readonly string[], order: readonly string[]): string | undefined {
  const inOrder = (wanted: readonly string[]): string | undefined => wanted.find((each) => offered.includes(each));
  const standard = offered.filter((uid) => uid.startsWith(standardRoot) && transferSyntaxOf(uid).known);
  return (
    inOrder(order) ??
    inOrder(transferSyntaxOrderDefault) ??
    standard.find((uid) => !transferSyntaxOf(uid).lossy) ??
    standard[0] ??
    offered[0]
  );
}
