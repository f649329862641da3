// Which small sealed packs are worth writing together into one: a pure decision on their sizes.
//
// Invariants: nothing is read or changed here. A pack is small below a quarter of a full one; so many small ones are merged that a record is written
// again about once for every sixteenfold growth of its pack, and what was merged to a quarter of a full pack is never merged again.
// Why at all: a round of settling ends when what was quiet is settled, so a house that gets little at a time gets many little packs, and each costs
// two footers, a place on every medium, and a row in every list.

import { assert } from '../base/index.ts';

export type SmallPack = { readonly pack: string; readonly sizeBytes: number };

/** So many small packs are worth one. */
export const mergePacksMin = 16;

/** Packs below this are small. */
export function smallBelowBytes(packBytesMax: number): number {
  assert(packBytesMax > 0, 'a full pack has a size');
  return Math.floor(packBytesMax / 4);
}

/** The packs to merge now, of the small ones, oldest first; none while they are too few. */
export function planMerge(small: readonly SmallPack[], packBytesMax: number): readonly string[] {
  const chosen: string[] = [];
  let sizeBytes = 0;
  for (const each of small) {
    assert(each.sizeBytes <= smallBelowBytes(packBytesMax), 'a pack that is merged is small');
    if (sizeBytes + each.sizeBytes > packBytesMax) break;
    chosen.push(each.pack);
    sizeBytes += each.sizeBytes;
  }
  const isFull = sizeBytes > packBytesMax - smallBelowBytes(packBytesMax);
  return chosen.length >= mergePacksMin || isFull ? chosen : [];
}
