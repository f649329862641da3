// The outside of a JPEG 2000 codestream: finding it in a JP2 file.
//
// DICOM wants bare codestreams; some objects carry whole JP2 files. What their boxes say of colour is passed over: the data set says it.

import { malformedPixels } from './pixel-fault.ts';

const signature = [0, 0, 0, 12, 0x6a, 0x50, 0x20, 0x20];
const codestreamBox = 0x6a70_3263;
const boxesMax = 64;

/** The codestream itself: the bytes, or the one that a JP2 file holds. */
export function codestreamOf(bytes: Uint8Array): Uint8Array {
  if (!signature.every((byte, k) => bytes[k] === byte)) return bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  for (let box = 0; box < boxesMax && at + 8 <= bytes.length; box++) {
    const kind = view.getUint32(at + 4);
    let sizeBytes = view.getUint32(at);
    let headBytes = 8;
    if (sizeBytes === 1 && at + 16 <= bytes.length) {
      sizeBytes = Number(view.getBigUint64(at + 8));
      headBytes = 16;
    }
    if (sizeBytes === 0) sizeBytes = bytes.length - at;
    if (sizeBytes < headBytes || at + sizeBytes > bytes.length) break;
    if (kind === codestreamBox) return bytes.subarray(at + headBytes, at + sizeBytes);
    at += sizeBytes;
  }
  throw malformedPixels('a JP2 file without a codestream');
}
