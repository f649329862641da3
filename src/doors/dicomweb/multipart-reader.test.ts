/* The multipart parser against random bodies, cut anywhere, and against nonsense. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ArchiveError } from '../../base/index.ts';
import { headBytesMax, MultipartReader, type NextPiece } from './multipart-reader.ts';

const boundary = 'b';

function cut(bytes: Uint8Array, cuts: readonly number[]): NextPiece {
  const at = [...new Set(cuts.map((each) => each % (bytes.byteLength + 1)))].toSorted((one, other) => one - other);
  const pieces = [0, ...at].map((from, index) => bytes.subarray(from, at[index] ?? bytes.byteLength));
  return () => Promise.resolve(pieces.shift());
}

async function readAll(next: NextPiece): Promise<{ head: string; bytes: Buffer }[]> {
  const reader = new MultipartReader(next, boundary);
  const parts: { head: string; bytes: Buffer }[] = [];
  for (let part = await reader.nextPart(); part !== undefined; part = await reader.nextPart()) {
    const pieces: Uint8Array[] = [];
    for (let piece = await part.next(); piece !== undefined; piece = await part.next()) pieces.push(piece);
    parts.push({ head: part.headers.get('content-type') ?? '', bytes: Buffer.concat(pieces) });
  }
  return parts;
}

/** Bytes in which beginnings of delimiters are frequent. */
const content = fc
  .array(fc.constantFrom('\r', '\n', '-', '--', '\r\n--', 'b', 'x', '\r\n', '\0'), { maxLength: 40 })
  .map((words) => Buffer.from(words.join('')))
  .filter((bytes) => !`\r\n${bytes.toString('latin1')}`.includes('\r\n--b'));
const cuts = fc.array(fc.nat(400), { maxLength: 30 });

test('what was put into a multipart comes out of it, wherever the pieces are cut', async () => {
  const bodies = fc.record({ parts: fc.array(content, { maxLength: 5 }), cuts, preamble: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(bodies, async ({ parts, cuts: at, preamble }) => {
      const pieces: Uint8Array[] = preamble ? [Buffer.from('a preamble\r\n')] : [];
      for (const part of parts)
        pieces.push(Buffer.from('--b  \r\nContent-Type: x/y\r\n\r\n'), part, Buffer.from('\r\n'));
      pieces.push(Buffer.from('--b--\r\nand an epilogue'));
      const found = await readAll(cut(Buffer.concat(pieces), at));
      assert.deepEqual(
        found,
        parts.map((bytes) => ({ head: 'x/y', bytes: Buffer.from(bytes) })),
      );
    }),
    { numRuns: 500 },
  );
});

test('nonsense ends, and in nothing but a named error', async () => {
  const nonsense = fc
    .array(fc.constantFrom('\r\n--b', '--b', '\r\n', '\r\n\r\n', '--', ':', 'a: b', 'x', ' '), { maxLength: 40 })
    .map((words) => Buffer.from(words.join('')));
  await fc.assert(
    fc.asyncProperty(nonsense, cuts, async (bytes, at) => {
      try {
        await readAll(cut(bytes, at));
      } catch (error) {
        assert.ok(error instanceof ArchiveError && error.code === 'ARGUMENT_INVALID', String(error));
      }
    }),
    { numRuns: 500 },
  );
});

test('a part that nobody reads is passed over, and the next one is whole', async () => {
  const body = Buffer.from('--b\r\n\r\nfirst\r\n--b\r\n\r\nsecond\r\n--b--');
  const reader = new MultipartReader(cut(body, [12]), boundary);
  await reader.nextPart();
  const second = await reader.nextPart();
  assert.equal(Buffer.from((await second?.next()) ?? []).toString(), 'second');
});

test('a head has a limit', async () => {
  const body = Buffer.concat([Buffer.from('--b\r\n'), Buffer.alloc(headBytesMax + 10, 0x61)]);
  await assert.rejects(readAll(cut(body, [100])), /headBytesMax/);
});
