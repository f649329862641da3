// The way down a tree of keys (FORMAT.md 4.1): child = HMAC-SHA256(node key, "stele/1/node" ‖ byte of the bit), eighty times from a root to a group.
//
// Invariants: gives exactly what any HMAC-SHA256 gives (a test compares with node:crypto); intermediate keys live in the memory of this thread's kernel,
// which is wiped after each walk; time does not depend on keys, only on the number of steps.
// The kernel (kernel/tree.c, built by scripts/build-kernel.ts) is there because a new group must not be dearer than its first record, and a rebuild walks to
// each: eighty calls of node:crypto's HMAC cost 230 us, nearly all of it the calls; written out in JavaScript 110; the kernel one key 100, four keys
// side by side 45 each. It lies here and not with the tree, so that workers may walk.
// Left out on purpose: which node a walk begins at, and what was shredded: that is the tree (../keys).

import { readFileSync } from 'node:fs';
import { assert, utf8Bytes } from '../base/index.ts';

export const keySizeBytes = 32;
const keyWords = keySizeBytes / 4;
const blockWords = 16;
/** Keys that the kernel walks with side by side. */
const lanes = 4;
/** Steps of one call of the kernel. */
const stepsMax = 96;

type TreeKernel = {
  readonly memory: WebAssembly.Memory;
  lanesAt(): number;
  blocksAt(): number;
  pathsAt(): number;
  walk1(steps: number): void;
  walk4(steps: number): void;
};

const program = new WebAssembly.Module(readFileSync(new URL('./kernel/tree.wasm', import.meta.url)));
const kernel = new WebAssembly.Instance(program).exports as unknown as TreeKernel;
const memory = kernel.memory.buffer;
const laneView = new DataView(memory, kernel.lanesAt(), keySizeBytes * lanes);
const laneBytes = new Uint8Array(memory, kernel.lanesAt(), keySizeBytes * lanes);
const paths = new Uint8Array(memory, kernel.pathsAt(), stepsMax * lanes);

/** The message of a step as HMAC's second inner block: its bytes, the end mark, zeros, and the length in bits of a block and the message. */
function messageBlock(bit: 0 | 1): Uint32Array {
  const message = Uint8Array.of(...utf8Bytes('stele/1/node'), bit, 0x80);
  const view = new DataView(new ArrayBuffer(blockWords * 4));
  message.forEach((byte, at) => {
    view.setUint8(at, byte);
  });
  view.setUint32((blockWords - 1) * 4, (64 + message.byteLength - 1) * 8);
  return Uint32Array.from({ length: blockWords }, (_, word) => view.getUint32(word * 4));
}

new Uint32Array(memory, kernel.blocksAt(), 2 * blockWords).set([...messageBlock(0), ...messageBlock(1)]);

/** The key of the node that lies below `key` by the bits `path[from]` to `path[to - 1]`. A new array, also when there is no step. */
export function keyBelow(key: Uint8Array, path: Uint8Array, from: number, to: number): Uint8Array {
  const [below] = walk([{ key, path }], from, to);
  assert(below !== undefined, 'a walk ends');
  return below;
}

export type Walk = { readonly key: Uint8Array; readonly path: Uint8Array };

/** The same for many, each with its own path, in the same order. */
export function keysBelow(walks: readonly Walk[], from: number, to: number): Uint8Array[] {
  const below: Uint8Array[] = [];
  for (let first = 0; first < walks.length; first += lanes)
    below.push(...walk(walks.slice(first, first + lanes), from, to));
  return below;
}

/** Up to four together. */
function walk(walks: readonly Walk[], from: number, to: number): Uint8Array[] {
  const steps = to - from;
  assert(steps >= 0 && steps <= stepsMax && walks.length <= lanes, 'a walk goes down and ends');
  walks.forEach(({ key, path }, lane) => {
    assert(key.byteLength === keySizeBytes, 'the key of a node has 32 bytes');
    assert(to <= path.length, 'a path is long enough for its walk');
    const view = new DataView(key.buffer, key.byteOffset, keySizeBytes);
    for (let word = 0; word < keyWords; word += 1)
      laneView.setUint32((word * lanes + lane) * 4, view.getUint32(word * 4), true);
    for (let step = 0; step < steps; step += 1) paths[step * lanes + lane] = path[from + step] as number;
  });
  if (walks.length === 1) kernel.walk1(steps);
  else kernel.walk4(steps);
  const below = walks.map((_, lane) => {
    const key = new Uint8Array(keySizeBytes);
    const view = new DataView(key.buffer);
    for (let word = 0; word < keyWords; word += 1)
      view.setUint32(word * 4, laneView.getUint32((word * lanes + lane) * 4, true));
    return key;
  });
  laneBytes.fill(0);
  return below;
}

export function childKey(key: Uint8Array, bit: 0 | 1): Uint8Array {
  return keyBelow(key, Uint8Array.of(bit), 0, 1);
}

/** Walks to be made by whoever opens records: the bytes of each are the key it begins at and its way, a bit a step from the highest on (big-endian u64). */
export type KeyWalks = { readonly bytes: Uint8Array; readonly ciphers: Uint8Array; readonly steps: number };

export const noWalks: KeyWalks = { bytes: new Uint8Array(0), ciphers: new Uint8Array(0), steps: 0 };

const wayBytes = 8;
export const walkBytes = keySizeBytes + wayBytes;
const walkStepsMax = wayBytes * 8;

/** Writes walk `index`. The way is the last `steps` bits of `path`. */
export function writeWalk({ bytes, steps }: KeyWalks, index: number, { key, path }: Walk): void {
  assert(key.byteLength === keySizeBytes && steps <= walkStepsMax, 'a walk that is sent begins at a key and is short');
  const at = index * walkBytes;
  bytes.set(key, at);
  for (let step = 0; step < steps; step += 1) {
    const byte = at + keySizeBytes + (step >> 3);
    bytes[byte] = (bytes[byte] as number) | ((path[path.length - steps + step] as number) << (7 - (step & 7)));
  }
}

/** The keys at the ends of the walks. What the walks held is wiped. */
export function keysOfWalks({ bytes, steps }: KeyWalks): Uint8Array[] {
  assert(bytes.byteLength % walkBytes === 0, 'walks are whole');
  const walks: Walk[] = [];
  for (let at = 0; at < bytes.byteLength; at += walkBytes) {
    const path = new Uint8Array(steps);
    for (let step = 0; step < steps; step += 1)
      path[step] = ((bytes[at + keySizeBytes + (step >> 3)] as number) >> (7 - (step & 7))) & 1;
    walks.push({ key: bytes.subarray(at, at + keySizeBytes), path });
  }
  const keys = keysBelow(walks, 0, steps);
  bytes.fill(0);
  return keys;
}
