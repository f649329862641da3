// The segments of a JPEG or JPEG-LS stream as they are written (ITU-T T.81, annex B; T.87, annex C): a stream around one scan whose components are all at full size, or chroma halved.

import { concatBytes } from '../../base/index.ts';
import { jpegMarker } from './jpeg-segments.ts';

export type WrittenSegment = { readonly marker: number; readonly body: readonly number[] };

export function wordBytes(word: number): number[] {
  return [word >> 8, word & 255];
}

/** The frame segment; `sampling` and `quantization` of each component, numbered from 1. */
export function frameSegment(
  marker: number,
  frame: { readonly precision: number; readonly rows: number; readonly columns: number },
  components: readonly { readonly sampling: number; readonly quantization: number }[],
): WrittenSegment {
  const { precision, rows, columns } = frame;
  const each = components.flatMap(({ sampling, quantization }, k) => [k + 1, sampling, quantization]);
  return { marker, body: [precision, ...wordBytes(rows), ...wordBytes(columns), components.length, ...each] };
}

/** The scan segment: which tables each component uses, and the three numbers that end it. */
export function scanSegment(tables: readonly number[], last: readonly [number, number, number]): WrittenSegment {
  const each = tables.flatMap((table, k) => [k + 1, table]);
  return { marker: jpegMarker.startOfScan, body: [tables.length, ...each, ...last] };
}

/** The whole stream; the scan's segment is the last. */
export function writeStream(segments: readonly WrittenSegment[], scan: Uint8Array): Uint8Array {
  const head = segments.flatMap(({ marker, body }) => [0xff, marker, ...wordBytes(body.length + 2), ...body]);
  return concatBytes([
    Uint8Array.of(0xff, jpegMarker.startOfImage, ...head),
    scan,
    Uint8Array.of(0xff, jpegMarker.endOfImage),
  ]);
}
