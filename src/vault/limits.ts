// The vault's named limits. What is bounded here keeps memory independent of how much the archive holds.

import { assert } from '../base/index.ts';
import { bodySizeBytesMax, chunkSizeBytesMax, packSizeBytesMax } from '../format/index.ts';

export type VaultLimits = {
  /** Plain bytes accepted and not yet acknowledged; callers wait beyond it. */
  readonly inFlightBytesMax: number;
  /** One group commit: one write and one sync for all that waits, up to this. */
  readonly groupBytesMax: number;
  readonly groupRecordsMax: number;
  /** Bytes that nobody waits for are written when so many have come together. */
  readonly lazyBytesMax: number;
  /** A pack is sealed when its records reach this, or this age. */
  readonly packBytesMax: number;
  readonly packAgeMsMax: number;
  /** Copies of a pack tried before a group is given up. */
  readonly packAttemptsMax: number;
  /** Decoded index records kept for reading, 786 KB each at most. */
  readonly indexPagesMax: number;
  /** Packs kept open for reading. */
  readonly readFilesMax: number;
  /** Records of one content read ahead. */
  readonly readAheadMax: number;
};

export const vaultLimitsDefault: VaultLimits = {
  inFlightBytesMax: 16 * 1024 * 1024,
  groupBytesMax: 8 * 1024 * 1024,
  groupRecordsMax: 4096,
  lazyBytesMax: 4 * 1024 * 1024,
  packBytesMax: 1024 * 1024 * 1024,
  packAgeMsMax: 15 * 60 * 1000,
  packAttemptsMax: 4,
  indexPagesMax: 32,
  readFilesMax: 64,
  readAheadMax: 4,
};

/** A footer is at most as long as the records it repeats, so half of the format's limit leaves it room. */
export const recordsBytesMax = packSizeBytesMax / 2;

assert(bodySizeBytesMax < recordsBytesMax, 'a pack holds more than one record');
assert(chunkSizeBytesMax < vaultLimitsDefault.inFlightBytesMax, 'a chunk fits the bytes in flight');
assert(vaultLimitsDefault.packBytesMax <= recordsBytesMax, 'a pack of the default size can be sealed');
