/* GIF pictures, read back by a reader of the format's own words: every index comes out as it went in. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeGif } from './gif.ts';

/** The colours of the pixels of a GIF with one image. */
function readGif(bytes: Uint8Array): { readonly columns: number; readonly rows: number; readonly colours: number[] } {
  const file = Buffer.from(bytes);
  assert.equal(file.toString('latin1', 0, 6), 'GIF89a');
  const table = file.subarray(13, 13 + 768);
  let at = 13 + 768;
  assert.equal(file[at], 0x2c);
  assert.equal(file[at + 10], 8);
  at += 11;
  const data: number[] = [];
  for (; file[at] !== 0; at += (file[at] as number) + 1)
    data.push(...file.subarray(at + 1, at + 1 + (file[at] as number)));
  assert.equal(file[at + 1], 0x3b);
  const indices: number[] = [];
  let words: number[][] = [];
  let width = 9;
  let before: number[] | undefined;
  const bit = (k: number): number => ((data[k >> 3] ?? 0) >> (k & 7)) & 1;
  for (let k = 0; ; ) {
    let code = 0;
    for (let each = 0; each < width; each++, k++) code |= bit(k) << each;
    if (code === 257) break;
    if (code === 256) {
      words = Array.from({ length: 258 }, (_, index) => [index]);
      width = 9;
      before = undefined;
      continue;
    }
    const word: number[] = words[code] ?? [...(before ?? []), before?.[0] ?? 0];
    if (before !== undefined && words.length < 4096) words.push([...before, word[0] as number]);
    if (words.length === 1 << width && width < 12) width += 1;
    indices.push(...word);
    before = word;
  }
  const colours = indices.flatMap((index) => [...table.subarray(3 * index, 3 * index + 3)]);
  return { columns: file.readUInt16LE(6), rows: file.readUInt16LE(8), colours };
}

test('grey comes out as it went in', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 120 }),
      fc.integer({ min: 1, max: 90 }),
      fc.integer(),
      fc.integer({ min: 1, max: 256 }),
      (columns, rows, seed, kinds) => {
        let state = seed;
        const levels = Uint8Array.from({ length: rows * columns }, () => {
          state = (Math.imul(state, 1_103_515_245) + 12_345) | 0;
          return (state >>> 16) % kinds;
        });
        const read = readGif(encodeGif({ rows, columns, channels: 1, levels }));
        assert.deepEqual([read.columns, read.rows], [columns, rows]);
        assert.deepEqual(
          read.colours.filter((_, k) => k % 3 === 1),
          [...levels],
        );
      },
    ),
    { numRuns: 60 },
  );
});

test('colours come out as near as the table has them', () => {
  const levels = Uint8Array.from({ length: 3 * 400 }, (_, k) => (k * 37) & 0xff);
  const { colours } = readGif(encodeGif({ rows: 20, columns: 20, channels: 3, levels }));
  assert.equal(colours.length, levels.length);
  for (const [k, level] of levels.entries()) assert.ok(Math.abs((colours[k] as number) - level) <= 26, String(k));
});
