// Fragments to frames and back: whole plans, streams of fragments, and the items that are written.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { concatBytes, isArchiveError } from '../../base/index.ts';
import { encapsulateFrame, encapsulationEnd, encapsulationStart } from './encapsulate.ts';
import { type FragmentedPixels, frameLength, planFrames } from './frame-plan.ts';
import { FrameSplitter } from './frame-splitter.ts';
import { makeOffsetTables } from './offset-tables.ts';

const jpegHead = [0xff, 0xd8, 0xff, 0xe0];
const jpegEnd = [0xff, 0xd9];
const middle = [1, 2, 3, 4];

/** Fragments by what they hold, laid out as items lie. */
function laidOut(
  fragments: readonly (readonly number[])[],
  rest: Partial<FragmentedPixels> & { frameCount: number },
): { pixels: FragmentedPixels; plan: () => (readonly [number, number])[] } {
  let offset = 1000;
  const spans = fragments.map(({ length }) => {
    const span = { offset: offset + 8, sizeBytes: length };
    offset += 8 + length + (length & 1);
    return span;
  });
  const pixels = { fragments: spans, ...rest };
  const bytes = fragments.map((fragment) => Uint8Array.from(fragment));
  return {
    pixels,
    plan: () =>
      planFrames(pixels, (k) => ({
        head: bytes[k]?.subarray(0, 16) ?? new Uint8Array(0),
        tail: bytes[k]?.subarray(-16) ?? new Uint8Array(0),
      })).map(({ first, end }) => [first, end] as const),
  };
}

function offsetsTable(offsets: readonly number[], width: 4 | 8): Uint8Array {
  const table = Buffer.alloc(offsets.length * width);
  offsets.forEach((offset, k) => {
    if (width === 4) table.writeUInt32LE(offset, k * 4);
    else table.writeBigUInt64LE(BigInt(offset), k * 8);
  });
  return new Uint8Array(table);
}

const isMalformed = (error: unknown): boolean => isArchiveError(error, 'DICOM_MALFORMED');

test('one frame has all fragments, and as many fragments as frames are one each', () => {
  assert.deepEqual(laidOut([middle, middle, middle], { frameCount: 1 }).plan(), [[0, 3]]);
  assert.deepEqual(laidOut([middle, middle, middle], { frameCount: 3 }).plan(), [
    [0, 1],
    [1, 2],
    [2, 3],
  ]);
});

test('an offset table is believed where it fits the fragments', () => {
  const fragments = [middle, middle, [5, 5], middle, middle];
  const starts = [0, 24, 34];
  for (const table of [
    { basicOffsets: offsetsTable(starts, 4) },
    { extendedOffsets: offsetsTable(starts, 8), basicOffsets: new Uint8Array(0) },
    { extendedOffsets: offsetsTable(starts, 8), basicOffsets: offsetsTable([0, 1, 2], 4) },
  ]) {
    assert.deepEqual(laidOut(fragments, { frameCount: 3, ...table }).plan(), [
      [0, 2],
      [2, 3],
      [3, 5],
    ]);
  }
});

test('a table that fits no fragment is passed over for the marks of the streams', () => {
  const fragments = [
    [...jpegHead, 9],
    [7, 7, ...jpegEnd],
    [...jpegHead, ...jpegEnd],
    [...jpegHead, 1],
    [3, ...jpegEnd, 0],
  ];
  const expected = [
    [0, 2],
    [2, 3],
    [3, 5],
  ];
  for (const basicOffsets of [
    undefined,
    new Uint8Array(0),
    offsetsTable([0, 11, 24], 4),
    offsetsTable([12, 24, 40], 4),
    new Uint8Array(7),
  ]) {
    assert.deepEqual(laidOut(fragments, { frameCount: 3, basicOffsets }).plan(), expected);
  }
});

test('a picture within a frame begins no frame', () => {
  // The second fragment looks like a beginning, but the stream before it has not ended.
  const fragments = [
    [...jpegHead, 9],
    [...jpegHead, 7, ...jpegEnd],
    [...jpegHead, ...jpegEnd],
  ];
  assert.deepEqual(laidOut(fragments, { frameCount: 2 }).plan(), [
    [0, 2],
    [2, 3],
  ]);
});

test('fragments that do not make the frames are refused', () => {
  assert.throws(() => laidOut([middle], { frameCount: 2 }).plan(), isMalformed);
  assert.throws(() => laidOut([middle, middle, middle], { frameCount: 2 }).plan(), isMalformed);
  assert.throws(() => laidOut([middle], { frameCount: 0 }).plan(), isMalformed);
  assert.throws(() => laidOut([middle], { frameCount: 1.5 }).plan(), isMalformed);
  const ends = [...jpegHead, ...jpegEnd];
  assert.throws(() => laidOut([ends, ends, ends], { frameCount: 2 }).plan(), isMalformed);
  assert.throws(
    () => laidOut([middle], { frameCount: 5_000_000_000 }).plan(),
    (error) => isArchiveError(error, 'LIMIT_EXCEEDED'),
  );
});

test('a frame knows its length where the extended table says it', () => {
  const { pixels } = laidOut([middle, middle], { frameCount: 2, extendedLengths: offsetsTable([3, 4], 8) });
  assert.equal(frameLength(pixels, 0), 3);
  assert.equal(frameLength({ ...pixels, extendedLengths: undefined }, 0), undefined);
  assert.equal(frameLength({ ...pixels, extendedLengths: new Uint8Array(8) }, 0), undefined);
});

function split(
  fragments: readonly (readonly number[])[],
  frameCount: number,
  basicOffsets: Uint8Array = new Uint8Array(0),
): number[][] {
  const splitter = new FrameSplitter({ frameCount, basicOffsets });
  const frames: (Uint8Array | undefined)[] = [];
  for (const fragment of fragments) frames.push(splitter.push(Uint8Array.from(fragment)));
  frames.push(splitter.end());
  return frames.filter((frame) => frame !== undefined).map((frame) => [...frame]);
}

test('fragments as they come give their frames', () => {
  assert.deepEqual(split([middle, middle], 1), [[...middle, ...middle]]);
  assert.deepEqual(split([middle, [9]], 2), [middle, [9]]);
  assert.deepEqual(split([middle, [5, 6], [7, 8]], 2, offsetsTable([0, 22], 4)), [
    [...middle, 5, 6],
    [7, 8],
  ]);
  const first = [...jpegHead, 1];
  const last = [3, ...jpegEnd];
  const whole = [...jpegHead, ...jpegEnd];
  assert.deepEqual(split([first, last, whole, first, last], 3), [[...first, ...last], whole, [...first, ...last]]);
});

test('fragments as they come are held against what was promised', () => {
  assert.throws(() => split([middle, middle, middle], 2), isMalformed);
  assert.throws(() => split([middle], 2), isMalformed);
  assert.throws(() => split([middle, middle], 2, offsetsTable([0, 10], 4)), isMalformed);
});

test('what is encapsulated is found again, whatever its sizes', () => {
  const frames = fc.array(fc.uint8Array({ minLength: 1, maxLength: 50 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(frames, fc.boolean(), (coded, withTable) => {
      const tables = makeOffsetTables(coded.map(({ byteLength }) => byteLength));
      const written = concatBytes([
        ...encapsulationStart(withTable ? tables.basicOffsets : undefined),
        ...coded.flatMap((frame) => encapsulateFrame(frame)),
        ...encapsulationEnd(),
      ]);
      const items = readItems(written);
      const [table, ...fragments] = items;
      assert.ok(table !== undefined);
      const pixels = {
        frameCount: coded.length,
        fragments: fragments.map(({ offset, bytes }) => ({ offset, sizeBytes: bytes.byteLength })),
        basicOffsets: table.bytes,
        ...(withTable ? {} : tables),
      };
      const spans = planFrames({ ...pixels, basicOffsets: table.bytes }, () => assert.fail('no need to look'));
      spans.forEach(({ first, end }, k) => {
        assert.equal(end - first, 1);
        const fragment = fragments[first]?.bytes ?? new Uint8Array(0);
        assert.equal(fragment.byteLength % 2, 0, 'items are even');
        assert.deepEqual(fragment.subarray(0, coded[k]?.byteLength), coded[k]);
      });
    }),
  );
});

function readItems(bytes: Uint8Array): { offset: number; bytes: Uint8Array }[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const items: { offset: number; bytes: Uint8Array }[] = [];
  let at = 0;
  while (view.getUint32(at, true) === 0xe000_fffe) {
    const sizeBytes = view.getUint32(at + 4, true);
    items.push({ offset: at + 8, bytes: bytes.subarray(at + 8, at + 8 + sizeBytes) });
    at += 8 + sizeBytes;
  }
  assert.equal(view.getUint32(at, true), 0xe0dd_fffe, 'the delimiter');
  assert.equal(at + 8, bytes.byteLength);
  return items;
}

test('a basic table is left out where an offset does not fit it', () => {
  const tables = makeOffsetTables([0xffff_fff0, 100, 100]);
  assert.equal(tables.basicOffsets, undefined);
  assert.equal(Buffer.from(tables.extendedOffsets).readBigUInt64LE(16), BigInt(0xffff_fff0) + 8n + 108n);
});
