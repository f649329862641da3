// A set of names that is only asked whether it has one: eight bytes and a little room each, whatever their lengths.
//
// Invariant: what was put in is found. That something else is found instead has a chance of one in 2^64 a pair, with names that nobody chose for it.

import { assert, sha256, utf8Bytes, viewOf } from '../base/index.ts';

export class UidSet {
  #table = new BigUint64Array(1024);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(name: string): void {
    if (this.#count * 4 >= this.#table.length * 3) this.#grow();
    if (put(this.#table, hashOf(name))) this.#count += 1;
  }

  has(name: string): boolean {
    const hash = hashOf(name);
    return this.#table[placeOf(this.#table, hash)] === hash;
  }

  #grow(): void {
    const wider = new BigUint64Array(this.#table.length * 2);
    for (const hash of this.#table) if (hash !== 0n) put(wider, hash);
    this.#table = wider;
  }
}

function hashOf(name: string): bigint {
  const hash = viewOf(sha256(utf8Bytes(name))).getBigUint64(0);
  // Zero is an empty place.
  return hash === 0n ? 1n : hash;
}

/** Where a hash is, or would be. */
function placeOf(table: BigUint64Array, hash: bigint): number {
  const mask = table.length - 1;
  assert((table.length & mask) === 0, 'a table has a power of two places');
  for (let place = Number(hash & BigInt(mask)); ; place = (place + 1) & mask)
    if (table[place] === 0n || table[place] === hash) return place;
}

function put(table: BigUint64Array, hash: bigint): boolean {
  const place = placeOf(table, hash);
  const isNew = table[place] === 0n;
  table[place] = hash;
  return isNew;
}
