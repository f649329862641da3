import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ArchiveError } from '../../base/index.ts';
import { boundaryOf, partsOf } from './multipart-parts.ts';

async function* inPieces(text: string, bytes: number): AsyncGenerator<Uint8Array> {
  const all = Buffer.from(text, 'latin1');
  for (let at = 0; at < all.byteLength; at += bytes) yield all.subarray(at, at + bytes);
}

async function read(text: string, bytes: number): Promise<string[]> {
  const parts: string[] = [];
  for await (const { headers, pieces } of partsOf(inPieces(text, bytes), 'b-1')) {
    const content = Buffer.concat(await Array.fromAsync(pieces)).toString('latin1');
    parts.push(`${[...headers].map(([name, value]) => `${name}=${value}`).join(',')}|${content}`);
  }
  return parts;
}

async function check(text: string, expected: readonly string[]): Promise<void> {
  for (const bytes of [1, 2, 3, 7, 16, 1000])
    assert.deepEqual(await read(text, bytes), expected, `in pieces of ${bytes}`);
}

async function refused(text: string, code: string): Promise<void> {
  for (const bytes of [1, 5, 1000])
    await assert.rejects(read(text, bytes), (error) => error instanceof ArchiveError && error.code === code);
}

test('parts come out as they were put in, however the answer is cut into pieces', async () => {
  const head = 'Content-Type: application/dicom\r\n\r\n';
  await check(
    `--b-1\r\n${head}one\r\n--b-1\r\n${head}\r\n--b\r\n--b-2\r\n--b-1\r\n\r\n\r\n\r\n--b-1\r\n\r\ntwo\r\n\r\n--b-1--\r\nbehind`,
    ['content-type=application/dicom|one', 'content-type=application/dicom|\r\n--b\r\n--b-2', '|\r\n', '|two\r\n'],
  );
  await check(`a preamble\r\n--b-1  \r\nA: b\r\n\r\n\r\n--b-1--`, ['a=b|']);
  await check('--b-1--', []);
});

test('an answer that is cut off, or is none, is refused with its code', async () => {
  await refused('--b-1\r\nA: b\r\n\r\ncontent', 'DICOM_ABORTED');
  await refused('--b-1\r\nA: b\r\n\r\ncontent\r\n--b-1', 'DICOM_ABORTED');
  await refused('nothing of the kind', 'DICOM_ABORTED');
  await refused('x'.repeat(200_000), 'DICOM_PROTOCOL');
  await refused(`--b-1\r\nA: ${'b'.repeat(40_000)}`, 'LIMIT_EXCEEDED');
});

test('a part that is not read to its end is passed over', async () => {
  const text = `--b-1\r\n\r\n\r\n${'x'.repeat(5000)}\r\n--b-1\r\nA: b\r\n\r\nlast\r\n--b-1--`;
  let last = '';
  for await (const { headers, pieces } of partsOf(inPieces(text, 100), 'b-1')) {
    const first = await pieces.next();
    if (headers.size > 0)
      last = Buffer.from(first.value ?? []).toString() + Buffer.concat(await Array.fromAsync(pieces)).toString();
  }
  assert.equal(last, 'last');
});

test('the boundary is taken from the type, quoted or not', () => {
  assert.equal(boundaryOf('multipart/related; type="application/dicom"; boundary="a b"'), 'a b');
  assert.equal(boundaryOf('Multipart/Related;boundary=abc;type=x'), 'abc');
  assert.equal(boundaryOf('application/dicom'), undefined);
  assert.throws(() => boundaryOf('multipart/related'));
});
