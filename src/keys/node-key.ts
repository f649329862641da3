// The step down the key tree (FORMAT.md 4.1): child = HMAC-SHA256(node key, "stele/1/node" ‖ byte of the bit), eighty times from a root to a group.
//
// Invariants: gives exactly what any HMAC-SHA256 gives (a test compares with node:crypto); intermediate keys live in one scratch array that the
// next derivation overwrites; time does not depend on keys, only on the number of steps.
// Written out here, since eighty calls of node:crypto's HMAC cost 230 us, nearly all of it the calls, and this costs 110: a new group must not be
// dearer than its first record. A key is eight 32-bit words while it is on its way.

import { assert } from '../base/index.ts';

export const keySizeBytes = 32;
const keyWords = 8;

// FIPS 180-4, 4.2.2: the first 32 bits of the fractions of the cube roots of the first 64 primes.
const roundConstants = Int32Array.from(
  (
    '428a2f98 71374491 b5c0fbcf e9b5dba5 3956c25b 59f111f1 923f82a4 ab1c5ed5 d807aa98 12835b01 243185be 550c7dc3 72be5d74 80deb1fe 9bdc06a7 ' +
    'c19bf174 e49b69c1 efbe4786 0fc19dc6 240ca1cc 2de92c6f 4a7484aa 5cb0a9dc 76f988da 983e5152 a831c66d b00327c8 bf597fc7 c6e00bf3 d5a79147 ' +
    '06ca6351 14292967 27b70a85 2e1b2138 4d2c6dfc 53380d13 650a7354 766a0abb 81c2c92e 92722c85 a2bfe8a1 a81a664b c24b8b70 c76c51a3 d192e819 ' +
    'd6990624 f40e3585 106aa070 19a4c116 1e376c08 2748774c 34b0bcb5 391c0cb3 4ed8aa4a 5b9cca4f 682e6ff3 748f82ee 78a5636f 84c87814 8cc70208 ' +
    '90befffa a4506ceb bef9a3f7 c67178f2'
  )
    .split(' ')
    .map((word) => Number.parseInt(word, 16)),
);

// FIPS 180-4, 5.3.3.
const initialState = Int32Array.of(
  0x6a09e667,
  0xbb67ae85,
  0x3c6ef372,
  0xa54ff53a,
  0x510e527f,
  0x9b05688c,
  0x1f83d9ab,
  0x5be0cd19,
);

const blockWords = 16;
const schedule = new Int32Array(64);

assert(roundConstants.length === schedule.length, 'a round has a constant');

const upper0 = (x: number): number => ((x >>> 2) | (x << 30)) ^ ((x >>> 13) | (x << 19)) ^ ((x >>> 22) | (x << 10));
const upper1 = (x: number): number => ((x >>> 6) | (x << 26)) ^ ((x >>> 11) | (x << 21)) ^ ((x >>> 25) | (x << 7));
const lower0 = (x: number): number => ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
const lower1 = (x: number): number => ((x >>> 17) | (x << 15)) ^ ((x >>> 19) | (x << 13)) ^ (x >>> 10);
const choose = (x: number, y: number, z: number): number => z ^ (x & (y ^ z));
const majority = (x: number, y: number, z: number): number => (x & y) | (z & (x | y));

/** Words 16 to 63 from the first 16. */
function extendSchedule(w: Int32Array): void {
  for (let t = blockWords; t < 64; t += 1) {
    w[t] = (((w[t - 16]! + w[t - 7]!) | 0) + ((lower0(w[t - 15]!) + lower1(w[t - 2]!)) | 0)) | 0;
  }
}

/** One block, whose extended words are `w`, into `state`. Eight rounds a turn: after eight, every variable has its first part again. */
function compress(state: Int32Array, w: Int32Array): void {
  const k = roundConstants;
  let a = state[0]!;
  let b = state[1]!;
  let c = state[2]!;
  let d = state[3]!;
  let e = state[4]!;
  let f = state[5]!;
  let g = state[6]!;
  let h = state[7]!;
  let step = 0;
  for (let t = 0; t < 64; t += 8) {
    step = (h + upper1(e) + choose(e, f, g) + (w[t + 0]! + k[t + 0]!)) | 0;
    d = (d + step) | 0;
    h = (step + upper0(a) + majority(a, b, c)) | 0;
    step = (g + upper1(d) + choose(d, e, f) + (w[t + 1]! + k[t + 1]!)) | 0;
    c = (c + step) | 0;
    g = (step + upper0(h) + majority(h, a, b)) | 0;
    step = (f + upper1(c) + choose(c, d, e) + (w[t + 2]! + k[t + 2]!)) | 0;
    b = (b + step) | 0;
    f = (step + upper0(g) + majority(g, h, a)) | 0;
    step = (e + upper1(b) + choose(b, c, d) + (w[t + 3]! + k[t + 3]!)) | 0;
    a = (a + step) | 0;
    e = (step + upper0(f) + majority(f, g, h)) | 0;
    step = (d + upper1(a) + choose(a, b, c) + (w[t + 4]! + k[t + 4]!)) | 0;
    h = (h + step) | 0;
    d = (step + upper0(e) + majority(e, f, g)) | 0;
    step = (c + upper1(h) + choose(h, a, b) + (w[t + 5]! + k[t + 5]!)) | 0;
    g = (g + step) | 0;
    c = (step + upper0(d) + majority(d, e, f)) | 0;
    step = (b + upper1(g) + choose(g, h, a) + (w[t + 6]! + k[t + 6]!)) | 0;
    f = (f + step) | 0;
    b = (step + upper0(c) + majority(c, d, e)) | 0;
    step = (a + upper1(f) + choose(f, g, h) + (w[t + 7]! + k[t + 7]!)) | 0;
    e = (e + step) | 0;
    a = (step + upper0(b) + majority(b, c, d)) | 0;
  }
  state[0] = (state[0]! + a) | 0;
  state[1] = (state[1]! + b) | 0;
  state[2] = (state[2]! + c) | 0;
  state[3] = (state[3]! + d) | 0;
  state[4] = (state[4]! + e) | 0;
  state[5] = (state[5]! + f) | 0;
  state[6] = (state[6]! + g) | 0;
  state[7] = (state[7]! + h) | 0;
}

/** HMAC's first block: the key, padded with zeros, each byte changed by `pad`. */
function startKeyed(state: Int32Array, key: Int32Array, pad: number): void {
  for (let word = 0; word < keyWords; word += 1) schedule[word] = key[word]! ^ pad;
  for (let word = keyWords; word < blockWords; word += 1) schedule[word] = pad;
  extendSchedule(schedule);
  for (let word = 0; word < keyWords; word += 1) state[word] = initialState[word]!;
  compress(state, schedule);
}

/**
 * HMAC's second block, which is the same in every step on this bit and so extended once: "stele/1/node", the bit, the end mark, and
 * the length in bits, of a block and 13 bytes.
 */
function secondBlock(bit: 0 | 1): Int32Array {
  const words = new Int32Array(64);
  words.set([0x7374656c, 0x652f312f, 0x6e6f6465, (bit << 24) | 0x0080_0000]);
  words[15] = (64 + 13) * 8;
  extendSchedule(words);
  return words;
}

const secondBlocks = [secondBlock(0), secondBlock(1)] as const;
const innerPad = 0x36363636;
const outerPad = 0x5c5c5c5c;
const inner = new Int32Array(keyWords);

/** The child of `key` on `bit`, in place. */
function stepDown(key: Int32Array, bit: number): void {
  startKeyed(inner, key, innerPad);
  compress(inner, secondBlocks[bit === 0 ? 0 : 1]);
  startKeyed(key, key, outerPad);
  for (let word = 0; word < keyWords; word += 1) schedule[word] = inner[word]!;
  schedule[8] = 0x8000_0000 | 0;
  for (let word = 9; word < 15; word += 1) schedule[word] = 0;
  schedule[15] = (64 + 32) * 8;
  extendSchedule(schedule);
  compress(key, schedule);
}

const walking = new Int32Array(keyWords);

function wordsOf(key: Uint8Array): Int32Array {
  assert(key.byteLength === keySizeBytes, 'the key of a node has 32 bytes');
  const view = new DataView(key.buffer, key.byteOffset, keySizeBytes);
  for (let word = 0; word < keyWords; word += 1) walking[word] = view.getInt32(word * 4);
  return walking;
}

function bytesOfWords(words: Int32Array): Uint8Array {
  const key = new Uint8Array(keySizeBytes);
  const view = new DataView(key.buffer);
  for (let word = 0; word < keyWords; word += 1) view.setInt32(word * 4, words[word]!);
  return key;
}

/** The key of the node that lies below `key` by the bits `path[from]` to `path[to - 1]`. A new array, also when there is no step. */
export function keyBelow(key: Uint8Array, path: Uint8Array, from: number, to: number): Uint8Array {
  assert(from <= to && to <= path.length, 'a path goes down and ends');
  const words = wordsOf(key);
  for (let depth = from; depth < to; depth += 1) stepDown(words, path[depth]!);
  const below = bytesOfWords(words);
  words.fill(0);
  return below;
}

export function childKey(key: Uint8Array, bit: 0 | 1): Uint8Array {
  return keyBelow(key, Uint8Array.of(bit), 0, 1);
}
