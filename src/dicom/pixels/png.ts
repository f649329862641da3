// Pictures as PNG (ISO/IEC 15948), grey or RGB, eight or sixteen bits: our rows, filtered, through zlib.

import { deflateSync } from 'node:zlib';
import { concatBytes, crc32, utf8Bytes } from '../../base/index.ts';
import type { Raster } from './scale-picture.ts';

const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
const colourType = { 1: 0, 3: 2 } as const;

export function encodePng(raster: Raster): Uint8Array {
  const isWide = raster.levels instanceof Uint16Array;
  const head = new Uint8Array(13);
  const view = new DataView(head.buffer);
  view.setUint32(0, raster.columns);
  view.setUint32(4, raster.rows);
  head[8] = isWide ? 16 : 8;
  head[9] = colourType[raster.channels];
  const data = deflateSync(filterRows(raster, isWide ? 2 : 1), { level: 6 });
  return concatBytes([signature, chunk('IHDR', head), chunk('IDAT', data), chunk('IEND', new Uint8Array(0))]);
}

function chunk(kind: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + data.byteLength);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.byteLength);
  bytes.set(utf8Bytes(kind), 4);
  bytes.set(data, 8);
  view.setUint32(8 + data.byteLength, crc32(bytes.subarray(4, 8 + data.byteLength)));
  return bytes;
}

/** Each row by whichever of three filters leaves the least: none, the sample above, or Paeth's guess. */
function filterRows({ rows, columns, channels, levels }: Raster, width: 1 | 2): Uint8Array {
  const apart = channels * width;
  const rowBytes = columns * apart;
  const out = new Uint8Array(rows * (rowBytes + 1));
  let above = new Uint8Array(rowBytes);
  let row = new Uint8Array(rowBytes);
  const tried = [0, 2, 4].map((filter) => ({ filter, bytes: new Uint8Array(rowBytes) }));
  for (let y = 0; y < rows; y++) {
    const start = y * columns * channels;
    if (width === 1) row.set(levels.subarray(start, start + rowBytes));
    else {
      for (let k = 0; k < columns * channels; k++) {
        const level = levels[start + k] as number;
        row[2 * k] = level >> 8;
        row[2 * k + 1] = level;
      }
    }
    let best = tried[0] as (typeof tried)[number];
    let bestCost = Number.POSITIVE_INFINITY;
    for (const each of tried) {
      const cost = filterRow(each.filter, row, above, apart, each.bytes);
      if (cost < bestCost) {
        best = each;
        bestCost = cost;
      }
    }
    out[y * (rowBytes + 1)] = best.filter;
    out.set(best.bytes, y * (rowBytes + 1) + 1);
    [above, row] = [row, above];
  }
  return out;
}

/** Filters a row; answers the sum of what is left, each byte counted as a signed one. */
function filterRow(filter: number, row: Uint8Array, above: Uint8Array, apart: number, out: Uint8Array): number {
  let cost = 0;
  for (let k = 0; k < row.length; k++) {
    const up = above[k] as number;
    let guess = 0;
    if (filter === 2) guess = up;
    else if (filter === 4) {
      const left = k >= apart ? (row[k - apart] as number) : 0;
      const corner = k >= apart ? (above[k - apart] as number) : 0;
      const sum = left + up - corner;
      const toLeft = Math.abs(sum - left);
      const toUp = Math.abs(sum - up);
      const toCorner = Math.abs(sum - corner);
      guess = toLeft <= toUp && toLeft <= toCorner ? left : toUp <= toCorner ? up : corner;
    }
    const rest = ((row[k] as number) - guess) & 255;
    out[k] = rest;
    cost += rest < 128 ? rest : 256 - rest;
  }
  return cost;
}
