// Pictures: levels by modality, window, table and inversion; palettes and colours; sizes; and the two formats, read back.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inflateSync } from 'node:zlib';
import { syntheticFrame, syntheticShape } from '../../../tests/support/synthetic-pixels.ts';
import { isArchiveError } from '../../base/index.ts';
import type { Voi } from './grey-levels.ts';
import type { ImageShape, LookupTable, PlainFrame } from './image-shape.ts';
import { decodeJpeg } from './jpeg-decode.ts';
import { type Picture, type RenderOptions, renderFrame, renderThumbnail, thumbnailBytesWanted } from './render.ts';

type Pixels = { rows: number; columns: number; channels: number; levels: number[] };

/** The part of PNG that is written here. */
function readPng(bytes: Uint8Array): Pixels {
  const file = Buffer.from(bytes);
  assert.equal(file.toString('latin1', 1, 4), 'PNG');
  const columns = file.readUInt32BE(16);
  const rows = file.readUInt32BE(20);
  const width = (file[24] as number) / 8;
  const channels = file[25] === 2 ? 3 : 1;
  let data = Buffer.alloc(0);
  for (let at = 8; at < file.length; ) {
    const size = file.readUInt32BE(at);
    if (file.toString('latin1', at + 4, at + 8) === 'IDAT') data = inflateSync(file.subarray(at + 8, at + 8 + size));
    at += 12 + size;
  }
  const apart = channels * width;
  const rowBytes = columns * apart;
  const plain = Buffer.alloc(rows * rowBytes);
  for (let y = 0; y < rows; y++) {
    const filter = data[y * (rowBytes + 1)] as number;
    for (let k = 0; k < rowBytes; k++) {
      const at = (place: number, row: number): number =>
        place < 0 || row < 0 ? 0 : (plain[row * rowBytes + place] as number);
      const [left, up, corner] = [at(k - apart, y), at(k, y - 1), at(k - apart, y - 1)];
      const sum = left + up - corner;
      const [a, b, c] = [Math.abs(sum - left), Math.abs(sum - up), Math.abs(sum - corner)];
      const paeth = a <= b && a <= c ? left : b <= c ? up : corner;
      const guess = filter === 0 ? 0 : filter === 2 ? up : paeth;
      plain[y * rowBytes + k] = (data[y * (rowBytes + 1) + 1 + k] as number) + guess;
    }
  }
  const count = rows * columns * channels;
  const levels = Array.from({ length: count }, (_, k) =>
    width === 1 ? (plain[k] as number) : plain.readUInt16BE(2 * k),
  );
  return { rows, columns, channels, levels };
}

function shown(frame: PlainFrame, options: Omit<RenderOptions, 'format'>, bits: 8 | 16 = 8): Pixels {
  const picture = renderFrame(frame, { ...options, format: { kind: 'png', bits } });
  assert.ok(picture !== undefined, 'rendered');
  return readPng(picture.bytes);
}

/** One row of 16-bit values, as they are shown. */
function check(
  values: readonly number[],
  options: Omit<RenderOptions, 'format'>,
  expected: readonly number[],
  change: Partial<ImageShape> = {},
): void {
  const shape = { ...syntheticShape({ columns: values.length, rows: 1, bits: 16, signed: true }), ...change };
  const bytes = new Uint8Array(Int16Array.from(values).buffer);
  assert.deepEqual(shown({ shape, bytes }, options).levels, expected);
}

const window = (center: number, width: number, shape?: 'LINEAR' | 'LINEAR_EXACT' | 'SIGMOID'): { voi: Voi } => ({
  voi: { kind: 'window', center, width, shape },
});

test('the three windows are those of the standard', () => {
  // LINEAR: at or below c - 0.5 - (w - 1) / 2 nothing, above c - 0.5 + (w - 1) / 2 all (PS3.3, C.11.2.1.2.1).
  check([-1, 0, 1, 128, 254, 255, 256], window(128, 256), [0, 0, 1, 128, 254, 255, 255]);
  check([-100, 0, 50, 100, 200], window(50, 100, 'LINEAR_EXACT'), [0, 0, 128, 255, 255]);
  check([0, 50, 100], window(50, 100, 'SIGMOID'), [30, 128, 225]);
  check([9, 10, 11], window(10.5, 1), [0, 0, 255]);
  check([9, 10, 11], window(10, 0, 'LINEAR_EXACT'), [0, 0, 255]);
});

test('values go through the modality first', () => {
  check(
    [0, 1000, 1100, 1200],
    { modality: { slope: 1, intercept: -1024 }, ...window(76, 200, 'LINEAR_EXACT') },
    [0, 0, 128, 255].map((level, k) => (k === 1 ? 0 : level)),
  );
  const table: LookupTable = { first: 10, bits: 16, entries: Uint16Array.of(0, 500, 1000) };
  check([9, 10, 11, 12, 50], { modality: { table }, ...window(500, 1000, 'LINEAR_EXACT') }, [0, 0, 128, 255, 255]);
  check([0, 100], { modality: { slope: 0, intercept: Number.NaN }, ...window(50, 100, 'LINEAR_EXACT') }, [0, 255]);
});

test('a VOI table shows its entries', () => {
  const table: LookupTable = { first: -1, bits: 12, entries: Uint16Array.of(4095, 0, 2048) };
  check([-5, -1, 0, 1, 9], { voi: { kind: 'table', table } }, [255, 255, 0, 128, 128]);
});

test('inversion, and the inversion of that', () => {
  const narrow = window(50, 100, 'LINEAR_EXACT');
  check([0, 100], narrow, [255, 0], { photometricInterpretation: 'MONOCHROME1' });
  check([0, 100], { ...narrow, inverted: true }, [255, 0]);
  check([0, 100], { ...narrow, inverted: true }, [0, 255], { photometricInterpretation: 'MONOCHROME1' });
});

test('without a window nearly all of the values that are no padding are shown', () => {
  const values = Array.from({ length: 1000 }, (_, k) => k);
  values[0] = 30_000; // a dead pixel
  values[1] = -2000; // outside the bore
  const { levels } = shown(
    {
      shape: syntheticShape({ columns: 1000, rows: 1, bits: 16, signed: true }),
      bytes: new Uint8Array(Int16Array.from(values).buffer),
    },
    { padding: { value: -2000 } },
  );
  assert.equal(levels[0], 255);
  assert.equal(levels[1], 0);
  assert.ok((levels[10] as number) < 5 && (levels[990] as number) > 250);
  check([5, 5, 5], {}, [0, 0, 0]);
});

test('samples of up to eight bits are shown as they are', () => {
  const frame = { shape: syntheticShape({ columns: 4, rows: 1, bits: 8 }), bytes: Uint8Array.of(0, 7, 200, 255) };
  assert.deepEqual(shown(frame, {}).levels, [0, 7, 200, 255]);
  const signed = {
    shape: syntheticShape({ columns: 3, rows: 1, bits: 8, signed: true }),
    bytes: Uint8Array.of(0x80, 0, 0x7f),
  };
  assert.deepEqual(shown(signed, {}).levels, [0, 128, 255]);
  const bits = { ...frame.shape, columns: 9, bitsAllocated: 1, bitsStored: 1, highBit: 0 };
  assert.deepEqual(
    shown({ shape: bits, bytes: Uint8Array.of(0b10000101, 1) }, {}).levels,
    [255, 0, 255, 0, 0, 0, 0, 255, 255],
  );
});

test('bits outside those stored are not looked at', () => {
  const shape = { ...syntheticShape({ columns: 2, rows: 1, bits: 16 }), bitsStored: 8, highBit: 11 };
  const bytes = new Uint8Array(Uint16Array.of(0xf00f, 0x0ff0).buffer);
  assert.deepEqual(shown({ shape, bytes }, {}).levels, [0, 255]);
});

test('floating point and wide values are shown, and what is no number as nothing', () => {
  const shape = { ...syntheticShape({ columns: 5, rows: 1, bits: 32 }), floatingPoint: true };
  const values = Float32Array.of(0.5, 1, 1.5, Number.NaN, Number.POSITIVE_INFINITY);
  assert.deepEqual(shown({ shape, bytes: new Uint8Array(values.buffer) }, {}).levels, [0, 128, 255, 0, 255]);
  const double = { ...shape, columns: 2, bitsAllocated: 64, bitsStored: 64, highBit: 63 };
  assert.deepEqual(shown({ shape: double, bytes: new Uint8Array(Float64Array.of(-1, 1).buffer) }, {}).levels, [0, 255]);
  const whole = { ...shape, columns: 3, floatingPoint: false };
  assert.deepEqual(
    shown({ shape: whole, bytes: new Uint8Array(Uint32Array.of(0, 5, 0xffff_ffff).buffer) }, {}).levels,
    [0, 0, 255],
  );
});

const ramp = (first: number, ...entries: number[]): LookupTable => ({
  first,
  bits: 16,
  entries: Uint16Array.from(entries),
});

test('palettes give their colours, eight bits that are called sixteen too', () => {
  const palette = { red: ramp(1, 0, 65_535), green: ramp(1, 0x8000, 0), blue: ramp(1, 0, 0x0100) };
  const shape = {
    ...syntheticShape({ columns: 4, rows: 1, bits: 8, photometricInterpretation: 'PALETTE COLOR' }),
    palette,
  };
  const frame = { shape, bytes: Uint8Array.of(0, 1, 2, 3) };
  assert.deepEqual(shown(frame, {}).levels, [0, 128, 0, 0, 128, 0, 255, 0, 1, 255, 0, 1]);
  const narrow = { red: ramp(0, 10, 255), green: ramp(0, 20, 0), blue: ramp(0, 30, 7) };
  assert.deepEqual(
    shown({ ...frame, shape: { ...shape, palette: narrow } }, {}).levels.slice(0, 6),
    [10, 20, 30, 255, 0, 7],
  );
  assert.equal(
    renderFrame({ ...frame, shape: { ...shape, palette: undefined } }, { format: { kind: 'png' } }),
    undefined,
  );
});

test('a palette that supplements grey colours only its own values', () => {
  const palette = { red: ramp(200, 65_535), green: ramp(200, 0), blue: ramp(200, 0) };
  const shape = { ...syntheticShape({ columns: 3, rows: 1, bits: 8 }), palette };
  assert.deepEqual(shown({ shape, bytes: Uint8Array.of(5, 199, 200) }, {}).levels, [5, 5, 5, 199, 199, 199, 255, 0, 0]);
});

test('colours come out as red, green and blue', () => {
  const rgb = syntheticShape({ columns: 2, rows: 1, bits: 8, components: 3 });
  const of = (photometricInterpretation: string, ...bytes: number[]): number[] =>
    shown({ shape: { ...rgb, photometricInterpretation }, bytes: Uint8Array.from(bytes) }, {}).levels;
  assert.deepEqual(of('RGB', 1, 2, 3, 250, 251, 252), [1, 2, 3, 250, 251, 252]);
  assert.deepEqual(of('YBR_FULL', 76, 85, 255, 128, 128, 128), [254, 0, 0, 128, 128, 128]);
  assert.deepEqual(of('YBR_FULL_422', 76, 150, 85, 255), [254, 0, 0, 255, 74, 74]);
  assert.deepEqual(of('YBR_PARTIAL_422', 16, 235, 128, 128), [0, 0, 0, 255, 255, 255]);
  const planes = { ...rgb, planarConfiguration: 1 as const };
  assert.deepEqual(shown({ shape: planes, bytes: Uint8Array.of(1, 4, 2, 5, 3, 6) }, {}).levels, [1, 2, 3, 4, 5, 6]);
  const wide = syntheticShape({ columns: 1, rows: 1, bits: 16, components: 3 });
  assert.deepEqual(shown({ shape: wide, bytes: Uint8Array.of(255, 255, 0, 128, 0, 0) }, {}).levels, [255, 128, 0]);
});

test('what a frame is called and not known here is not shown', () => {
  const { shape, bytes } = syntheticFrame({ columns: 4, rows: 4, bits: 8, components: 3 });
  for (const photometricInterpretation of ['HSV', 'CMYK', 'YBR_RCT', '', 'MONOCHROME2']) {
    assert.equal(
      renderFrame({ shape: { ...shape, photometricInterpretation }, bytes }, { format: { kind: 'png' } }),
      undefined,
    );
  }
});

test('sixteen bits of grey are kept where they are asked for', () => {
  const shape = syntheticShape({ columns: 3, rows: 1, bits: 16 });
  const frame = { shape, bytes: new Uint8Array(Uint16Array.of(0, 1000, 2000).buffer) };
  const { levels } = shown(frame, window(1000, 2000, 'LINEAR_EXACT'), 16);
  assert.deepEqual(levels, [0, 32_768, 65_535]);
});

test('a smaller picture averages what it covers, a larger one blends its neighbours', () => {
  const shape = syntheticShape({ columns: 4, rows: 2, bits: 8 });
  const frame = { shape, bytes: Uint8Array.of(0, 100, 200, 40, 20, 80, 0, 80) };
  assert.deepEqual(shown(frame, { viewport: { columns: 2, rows: 1 } }), {
    rows: 1,
    columns: 2,
    channels: 1,
    levels: [50, 80],
  });
  assert.deepEqual(
    shown(frame, { viewport: { columns: 100, rows: 100 } }).levels,
    [...frame.bytes],
    'not enlarged unasked',
  );
  const single = { shape: { ...shape, columns: 2, rows: 1 }, bytes: Uint8Array.of(0, 100) };
  const large = shown(single, { viewport: { columns: 4, rows: 9, mayEnlarge: true } });
  assert.deepEqual([large.columns, large.rows], [4, 2]);
  assert.deepEqual(large.levels, [0, 25, 75, 100, 0, 25, 75, 100]);
  const third = { shape: { ...shape, columns: 3, rows: 3 }, bytes: new Uint8Array(9).fill(77) };
  assert.deepEqual(shown(third, { viewport: { columns: 2, rows: 2 } }).levels, [77, 77, 77, 77]);
});

test('a part of the picture is shown, flipped where that is asked', () => {
  const shape = syntheticShape({ columns: 3, rows: 3, bits: 8 });
  const frame = { shape, bytes: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9) };
  const area = { x: 1, y: 1, columns: 2, rows: 2 };
  const viewport = { columns: 2, rows: 2 };
  assert.deepEqual(shown(frame, { viewport: { ...viewport, area } }).levels, [5, 6, 8, 9]);
  assert.deepEqual(
    shown(frame, { viewport: { ...viewport, area: { ...area, flippedAcross: true } } }).levels,
    [6, 5, 9, 8],
  );
  assert.deepEqual(
    shown(frame, { viewport: { ...viewport, area: { ...area, flippedDown: true } } }).levels,
    [8, 9, 5, 6],
  );
  const beyond = { x: 2, y: -5, columns: 900, rows: 1 };
  assert.deepEqual(shown(frame, { viewport: { ...viewport, area: beyond } }).levels, [3]);
});

test('pixels that are not square are drawn out', () => {
  const frame = { shape: syntheticShape({ columns: 2, rows: 2, bits: 8 }), bytes: Uint8Array.of(1, 1, 9, 9) };
  const tall = shown(frame, { pixelAspect: 2 });
  assert.deepEqual([tall.columns, tall.rows], [2, 4]);
  const wide = shown(frame, { pixelAspect: 0.5 });
  assert.deepEqual([wide.columns, wide.rows], [4, 2]);
});

function readJpeg({ bytes, rows, columns }: Picture, components: 1 | 3): Uint8Array {
  const shape = syntheticShape({
    columns,
    rows,
    bits: 8,
    components,
    photometricInterpretation: components === 1 ? 'MONOCHROME2' : 'YBR_FULL',
  });
  const samples = decodeJpeg(bytes, shape);
  assert.ok(samples !== undefined);
  return samples.bytes;
}

test('a JPEG is near to the picture, and nearer with more quality', () => {
  for (const components of [1, 3] as const) {
    const frame = syntheticFrame({ columns: 83, rows: 61, bits: 8, components });
    const means = [30, 75, 95].map((quality) => {
      const picture = renderFrame(frame, { format: { kind: 'jpeg', quality } });
      assert.ok(picture !== undefined && picture.contentType === 'image/jpeg');
      const back = readJpeg(picture, components);
      const sum = frame.bytes.reduce((total, byte, k) => total + Math.abs(byte - (back[k] as number)), 0);
      return { mean: sum / frame.bytes.length, size: picture.bytes.length };
    });
    const [low, middle, high] = means as [(typeof means)[0], (typeof means)[0], (typeof means)[0]];
    assert.ok(low.mean > middle.mean && middle.mean > high.mean && high.mean < 2.5, JSON.stringify(means));
    assert.ok(low.size < middle.size && middle.size < high.size);
  }
  const flat = syntheticFrame({ columns: 1, rows: 1, bits: 8, kind: 'flat' });
  assert.deepEqual([...readJpeg(renderFrame(flat, { format: { kind: 'jpeg', quality: 100 } }) as Picture, 1)], [85]);
});

test('a thumbnail is small on both counts', () => {
  for (const components of [1, 3] as const) {
    const thumbnail = renderThumbnail(
      syntheticFrame({ columns: 500, rows: 250, bits: components === 1 ? 12 : 8, components }),
    );
    assert.ok(thumbnail !== undefined);
    assert.deepEqual([thumbnail.columns, thumbnail.rows], [128, 64]);
    assert.ok(thumbnail.bytes.length <= thumbnailBytesWanted);
  }
  const tiny = renderThumbnail(syntheticFrame({ columns: 20, rows: 10, bits: 8 }));
  assert.deepEqual([tiny?.columns, tiny?.rows], [20, 10]);
  assert.equal(
    renderThumbnail(syntheticFrame({ columns: 9, rows: 9, bits: 8, photometricInterpretation: 'HSV' })),
    undefined,
  );
});

test('frames that lack bytes and pictures beyond the limits are refused', () => {
  const { shape, bytes } = syntheticFrame({ columns: 9, rows: 9, bits: 8 });
  const format = { kind: 'png' } as const;
  assert.throws(
    () => renderFrame({ shape, bytes: bytes.subarray(1) }, { format }),
    (error) => isArchiveError(error, 'DICOM_MALFORMED'),
  );
  assert.throws(
    () => renderFrame({ shape, bytes }, { format, viewport: { columns: 60_000, rows: 60_000, mayEnlarge: true } }),
    (error) => isArchiveError(error, 'LIMIT_EXCEEDED'),
  );
});
