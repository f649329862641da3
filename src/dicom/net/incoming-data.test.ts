import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ArchiveError } from '../../base/index.ts';
import { IncomingData } from './incoming-data.ts';
import { heldPieceBytes } from './limits.ts';
import type { Piece } from './pdu-reader.ts';

class TrialLoan {
  holders = 1;
  hold(): void {
    this.holders += 1;
  }
  release(): void {
    this.holders -= 1;
  }
}

function rig(): { data: IncomingData; held: () => number; push: (text: string, isLast?: boolean) => TrialLoan } {
  let held = 0;
  const data = new IncomingData((change) => {
    held += change;
  });
  const push = (text: string, isLast = false): TrialLoan => {
    const loan = new TrialLoan();
    const bytes = new Uint8Array(Buffer.from(text));
    const piece: Piece = { kind: 'piece', contextId: 1, isCommand: false, isLast, bytes, loan };
    data.push(piece);
    return loan;
  };
  return { data, held: () => held, push };
}

const textOf = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString();

test('pieces come out in order, those that come later too, and what waits is counted', async () => {
  const { data, held, push } = rig();
  push('one');
  push('two');
  assert.equal(held(), 6 + 2 * heldPieceBytes);
  assert.equal(textOf((await data.next()).value), 'one');
  assert.equal(held(), 3 + heldPieceBytes);
  assert.equal(textOf((await data.next()).value), 'two');
  const waiting = data.next();
  push('three', true);
  assert.equal(textOf((await waiting).value), 'three');
  assert.equal((await data.next()).done, true);
  assert.deepEqual([held(), data.isDone], [0, true]);
});

test('what is copied out is released, what is handed out is not', async () => {
  const { data, held, push } = rig();
  const first = push('abcdef');
  const second = push('ghi');
  const target = new Uint8Array(4);
  assert.equal(await data.read(target), 4);
  assert.equal(textOf(target), 'abcd');
  assert.equal(first.holders, 1);
  assert.equal(await data.read(target), 4);
  assert.equal(textOf(target), 'efgh');
  assert.equal(first.holders, 0);
  assert.equal(textOf((await data.next()).value), 'i');
  assert.equal(second.holders, 1);
  push('', true);
  assert.equal(await data.read(target), 0);
  assert.equal(held(), 0);
});

test('a failure comes out where the rest should, and never an end', async () => {
  const { data, held, push } = rig();
  const loan = push('part');
  const failure = new ArchiveError('DICOM_ABORTED', 'gone');
  data.fail(failure);
  await assert.rejects(data.next(), failure);
  await assert.rejects(data.read(new Uint8Array(1)), failure);
  await assert.rejects(data.gather(10), failure);
  assert.deepEqual([held(), loan.holders], [0, 0]);
});

test('what has come whole outlives its association', async () => {
  const { data, push } = rig();
  push('whole', true);
  data.fail(new ArchiveError('DICOM_ABORTED', 'gone'));
  assert.equal(textOf(await data.gather(10)), 'whole');
});

test('a loop that is left throws the rest away, also what comes later', async () => {
  const { data, held, push } = rig();
  push('one');
  const second = push('two');
  for await (const _ of data) break;
  const third = push('three', true);
  assert.deepEqual([held(), second.holders, third.holders, data.isDone], [0, 0, 0, true]);
});

test('a data set that comes a byte at a time is gathered in little more memory than it has', async () => {
  const { data, push } = rig();
  const gathered = data.gather(100_000);
  for (let count = 0; count < 50_000; count += 1) push('x', count === 49_999);
  const bytes = await gathered;
  assert.deepEqual([bytes.byteLength, bytes.every((each) => each === 0x78)], [50_000, true]);
  assert.ok(bytes.buffer.byteLength <= 2 * bytes.byteLength);
});

test('more than is wanted in memory is refused, and thrown away', async () => {
  const { data, held, push } = rig();
  push('one');
  push('two', true);
  await assert.rejects(data.gather(5), { code: 'LIMIT_EXCEEDED' });
  assert.deepEqual([held(), data.isDone], [0, true]);
});
