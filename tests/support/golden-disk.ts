// The golden disk: packs of format version 1 that were made once (scripts/make-golden.ts) and are read for ever, with what they must give.
//
// Its keys are derived here from a fixed root by FORMAT.md 4.1, word for word and apart from src/keys, so that a mistake in either shows.

import { createHmac } from 'node:crypto';
import { join } from 'node:path';
import type { KeyGroup } from '../../src/base/index.ts';
import { cipherKeys, noWalks } from '../../src/codec/index.ts';
import type { KeySource, ManyGroupKeys } from '../../src/keys/index.ts';

export const goldenFolder = join(import.meta.dirname, '..', '..', 'testdata', 'packs', 'v1');

export const goldenRoot = Buffer.alloc(32, 0x47);

export type GoldenObject = {
  readonly key: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  /** The bytes themselves where they are few. */
  readonly text?: string;
};

export type Golden = {
  readonly bucket: string;
  readonly objects: readonly GoldenObject[];
  /** Stored after what the torn group held: must not be there. */
  readonly absent: readonly string[];
  readonly packs: readonly { readonly pack: string; readonly class: string; readonly records: number }[];
};

/** K of a group: eighty steps down the tree, the year's 16 bits and then the group's 64, each from its most significant. */
function groupKey(group: KeyGroup): Buffer {
  const bits = group.year.toString(2).padStart(16, '0') + group.group.toString(2).padStart(64, '0');
  let node: Buffer = goldenRoot;
  for (const bit of bits)
    node = createHmac('sha256', node)
      .update('stele/1/node')
      .update(Uint8Array.of(Number(bit)))
      .digest();
  return node;
}

export const goldenKeys = {
  groupKeys: (group: KeyGroup, cipher: number) => cipherKeys(groupKey(group), cipher),
  manyGroupKeys: (groups): ManyGroupKeys => ({
    keys: groups.map(({ group, cipher }) => cipherKeys(groupKey(group), cipher)),
    walks: noWalks,
    places: groups.map((_, place) => place),
  }),
} as KeySource;
