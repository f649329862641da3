// Randomness as a parameter: the system's for keys and ids, a seeded one for simulations.
//
// Invariant: nothing under src/ draws randomness except through a Random that it was given. The seeded one must never make a key
// outside a test; it says so by its name.

import { randomFillSync } from 'node:crypto';

export interface Random {
  bytes(count: number): Uint8Array;
  /** An integer, 0 <= n < limit. */
  below(limit: number): number;
}

const poolSizeBytes = 4096;

class SystemRandom implements Random {
  #pool = new Uint8Array(poolSizeBytes);
  #used = poolSizeBytes;

  bytes(count: number): Uint8Array {
    if (count > poolSizeBytes / 4) return randomFillSync(new Uint8Array(count));
    // One system call a pool instead of one a nonce; what was handed out is wiped from the pool.
    if (this.#used + count > poolSizeBytes) {
      randomFillSync(this.#pool);
      this.#used = 0;
    }
    const out = this.#pool.slice(this.#used, this.#used + count);
    this.#pool.fill(0, this.#used, this.#used + count);
    this.#used += count;
    return out;
  }

  below(limit: number): number {
    const bytes = this.bytes(6);
    let value = 0;
    for (const byte of bytes) value = value * 256 + byte;
    return value % limit;
  }
}

export const systemRandom: Random = new SystemRandom();

/** xoshiro128** from one 32-bit seed: the same seed, the same run. Not for keys. */
export class SeededRandom implements Random {
  readonly #state = new Uint32Array(4);

  constructor(seed: number) {
    let mix = seed >>> 0;
    for (let index = 0; index < 4; index += 1) {
      mix = (mix + 0x9e3779b9) >>> 0;
      let z = mix;
      z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
      z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
      this.#state[index] = (z ^ (z >>> 16)) >>> 0;
    }
  }

  u32(): number {
    const s = this.#state as unknown as [number, number, number, number] & Uint32Array;
    const product = Math.imul(s[1], 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const shifted = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = (s[3] << 11) | (s[3] >>> 21);
    return result;
  }

  bytes(count: number): Uint8Array {
    const out = new Uint8Array(count);
    for (let offset = 0; offset < count; offset += 4) {
      const word = this.u32();
      for (let lane = 0; lane < 4 && offset + lane < count; lane += 1) out[offset + lane] = word >>> (8 * lane);
    }
    return out;
  }

  below(limit: number): number {
    return Math.floor((this.u32() / 0x1_0000_0000) * limit);
  }
}
