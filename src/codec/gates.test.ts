import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { AssertionFault } from '../base/index.ts';
import { Gates, gatesBytes, gatesMax, passGate } from './gates.ts';

const newWords = (): Int32Array => new Int32Array(new SharedArrayBuffer(gatesBytes));

test('who begins writes where the record was moved last, and afterwards nobody moves it', () => {
  const words = newWords();
  const gates = new Gates(words);
  const [still, moved] = [gates.take(), gates.take()];
  assert.ok(still !== undefined && moved !== undefined);
  assert.ok(gates.move(moved, 100) && gates.move(moved, 200));
  assert.equal(passGate(words, still, 50), 50);
  assert.equal(passGate(words, moved, 50), 200);
  assert.ok(!gates.move(still, 300) && !gates.move(moved, 300));
});

test('a gate that was given back is as new, all of them are lent, and each is given back once', () => {
  const words = newWords();
  const gates = new Gates(words);
  const taken = Array.from({ length: gatesMax }, () => gates.take());
  assert.equal(gates.take(), undefined);
  assert.equal(new Set(taken).size, gatesMax);
  gates.move(0, 7);
  passGate(words, 0, 1);
  gates.give(0);
  assert.throws(() => gates.give(0), AssertionFault);
  assert.equal(gates.take(), 0);
  assert.equal(passGate(words, 0, 1), 1);
});

test('of a worker that begins and a thread that moves exactly one comes first, each time', async () => {
  const words = newWords();
  const gates = new Gates(words);
  const rounds = 2000;
  const seen = new Int32Array(new SharedArrayBuffer(rounds * 4));
  const turn = new Int32Array(new SharedArrayBuffer(4));
  const program = `import { workerData } from 'node:worker_threads';
    const { passGate } = await import(workerData.gates);
    const { words, seen, turn } = workerData;
    for (let round = 0; round < seen.length; round += 1) {
      while (Atomics.load(turn, 0) <= round);
      seen[round] = passGate(words, 0, 1);
      Atomics.store(turn, 0, -(round + 1));
      while (Atomics.load(turn, 0) < 0);
    }`;
  const url = new URL(`data:text/javascript,${encodeURIComponent(program)}`);
  const workerData = { gates: new URL('./gates.ts', import.meta.url).href, words, seen, turn };
  const worker = new Worker(url, { workerData, execArgv: [] });
  const ended = new Promise((resolve, reject) => worker.on('exit', resolve).on('error', reject));
  assert.equal(gates.take(), gatesMax - 1);
  // The worker uses gate 0, which is open as long as nobody passed it.
  const order = [];
  for (let round = 0; round < rounds; round += 1) {
    Atomics.store(words, 0, 0);
    Atomics.store(turn, 0, round + 1);
    order.push(gates.move(0, 2));
    while (Atomics.load(turn, 0) !== -(round + 1));
    Atomics.store(turn, 0, round + 1);
  }
  await ended;
  order.forEach((moved, round) => assert.equal(seen[round], moved ? 2 : 1));
});
