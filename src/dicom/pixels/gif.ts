// Pictures as GIF 89a: one image, grey as it is, colours in a fixed table of 252.
//
// Layout: head and screen (13 bytes), table of 256 colours, image head (10 bytes), the width of a code, LZW codes from their lowest bits on in blocks of up to
// 255 bytes, an empty block, the trailer.

import { concatBytes, utf8Bytes } from '../../base/index.ts';
import type { Raster } from './scale-picture.ts';

const codesMax = 4096;
const clearCode = 256;
const endCode = 257;
/** Steps of red, green and blue: the eye tells greens apart best. */
const steps = { red: 6, green: 7, blue: 6 } as const;

export function encodeGif(raster: Raster): Uint8Array {
  const { rows, columns, channels } = raster;
  const head = new Uint8Array(13);
  head.set(utf8Bytes('GIF89a'));
  const view = new DataView(head.buffer);
  view.setUint16(6, columns, true);
  view.setUint16(8, rows, true);
  head[10] = 0xf7; // A table for the whole file, of 256 colours of eight bits.
  const image = new Uint8Array(11);
  const imageView = new DataView(image.buffer);
  image[0] = 0x2c;
  imageView.setUint16(5, columns, true);
  imageView.setUint16(7, rows, true);
  image[10] = 8;
  const indices = channels === 1 ? Uint8Array.from(raster.levels) : colourIndices(raster);
  const table = channels === 1 ? greyTable() : colourTable();
  return concatBytes([head, table, image, inBlocks(lzw(indices)), Uint8Array.of(0x3b)]);
}

function greyTable(): Uint8Array {
  return Uint8Array.from({ length: 768 }, (_, k) => Math.floor(k / 3));
}

function levelOf(step: number, count: number): number {
  return Math.round((step * 255) / (count - 1));
}

function colourTable(): Uint8Array {
  const table = new Uint8Array(768);
  for (let red = 0, at = 0; red < steps.red; red++) {
    for (let green = 0; green < steps.green; green++) {
      for (let blue = 0; blue < steps.blue; blue++, at += 3) {
        table.set([levelOf(red, steps.red), levelOf(green, steps.green), levelOf(blue, steps.blue)], at);
      }
    }
  }
  return table;
}

function colourIndices({ rows, columns, levels }: Raster): Uint8Array {
  const stepOf = (level: number, count: number): number => Math.round((level * (count - 1)) / 255);
  const indices = new Uint8Array(rows * columns);
  for (let k = 0; k < indices.length; k++) {
    const red = stepOf(levels[3 * k] as number, steps.red);
    const green = stepOf(levels[3 * k + 1] as number, steps.green);
    indices[k] = (red * steps.green + green) * steps.blue + stepOf(levels[3 * k + 2] as number, steps.blue);
  }
  return indices;
}

/** Codes of nine to twelve bits. */
function lzw(indices: Uint8Array): Uint8Array {
  // At worst a code a pixel, and one that clears the table every few thousand.
  const out = new Uint8Array(Math.ceil((indices.length * 12 * 1.01) / 8) + 16);
  const longer = new Uint16Array(codesMax * 256);
  let [at, held, heldBits, width, next] = [0, 0, 0, 9, endCode + 1];
  const put = (code: number): void => {
    held |= code << heldBits;
    for (heldBits += width; heldBits >= 8; heldBits -= 8, held >>>= 8) out[at++] = held & 0xff;
  };
  put(clearCode);
  let code = indices[0] ?? 0;
  for (let k = 1; k < indices.length; k++) {
    const index = indices[k] as number;
    const known = longer[code * 256 + index] as number;
    if (known !== 0) {
      code = known;
      continue;
    }
    put(code);
    if (next === codesMax) {
      put(clearCode);
      longer.fill(0);
      width = 9;
      next = endCode + 1;
    } else {
      if (next >= 1 << width) width += 1;
      longer[code * 256 + index] = next++;
    }
    code = index;
  }
  if (indices.length > 0) put(code);
  // The reader's table has grown by one more code than ours.
  if (next >= 1 << width && width < 12) width += 1;
  put(endCode);
  if (heldBits > 0) out[at++] = held & 0xff;
  return out.subarray(0, at);
}

function inBlocks(bytes: Uint8Array): Uint8Array {
  const blockMax = 255;
  const out = new Uint8Array(bytes.byteLength + Math.ceil(bytes.byteLength / blockMax) + 1);
  let to = 0;
  for (let from = 0; from < bytes.byteLength; from += blockMax) {
    const block = bytes.subarray(from, from + blockMax);
    out[to] = block.byteLength;
    out.set(block, to + 1);
    to += block.byteLength + 1;
  }
  return out.subarray(0, to + 1);
}
