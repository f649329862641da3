import assert from 'node:assert/strict';
import { test } from 'node:test';
import { diskId, packId, writerId } from '../base/index.ts';
import { RunHints } from './run-hints.ts';

const writer = writerId('0f'.repeat(16));
const disk = diskId('01'.repeat(16));
const hintOf = (first: bigint, last: bigint) => ({ first, last, pack: packId('02'.repeat(16)), disk });

test('a record is looked for where the run around it was found, and nowhere after that was wrong', () => {
  const hints = new RunHints();
  const hint = hintOf(10n, 20n);
  hints.note(writer, hint);
  hints.note(writer, hintOf(30n, 40n));
  assert.equal(hints.find({ writer, sequence: 20n }), hint);
  assert.equal(hints.find({ writer, sequence: 21n }), undefined);
  assert.equal(hints.find({ writer: writerId('0e'.repeat(16)), sequence: 20n }), undefined);
  hints.drop(writer, hint);
  assert.equal(hints.find({ writer, sequence: 20n }), undefined);
  assert.ok(hints.find({ writer, sequence: 30n }) !== undefined);
});

test('of many runs the last ones are kept', () => {
  const hints = new RunHints();
  for (let run = 0n; run < 1000n; run += 1n) hints.note(writer, hintOf(run * 10n, run * 10n + 5n));
  assert.equal(hints.find({ writer, sequence: 0n }), undefined);
  assert.ok(hints.find({ writer, sequence: 9990n }) !== undefined);
});
