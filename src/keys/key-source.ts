// KeySource: the door to keys for everything that writes or reads records. A keyring fills it (live-keyring.ts); an HSM could.

import type { ArchiveError, KeyGroup, TenantId } from '../base/index.ts';
import type { CipherKeys, CipherNumber, KeyWalks } from '../codec/index.ts';

export type GroupCipher = { readonly group: KeyGroup; readonly cipher: number };

/** Keys that are at hand, and ways to those that are not: whoever opens the records walks them. */
export type ManyGroupKeys = {
  readonly keys: readonly CipherKeys[];
  readonly walks: KeyWalks;
  /** For each group, in the order asked: its place in `keys`, or behind them in `walks`; or why it has no key. */
  readonly places: readonly (number | ArchiveError)[];
};

export interface KeySource {
  /**
   * The subkeys of a group for one cipher. Synchronous, safe to repeat, the same answer until the group is shredded. Nobody writes into what it
   * answers. KEY_MISSING: nothing is known of the tenant. KEY_SHREDDED: the group's key was destroyed. CODEC_UNKNOWN: no such cipher.
   */
  groupKeys(group: KeyGroup, cipher: number): CipherKeys;

  /** The same for many groups at once, for whoever reads each once: they are not remembered, and most are not even derived here. */
  manyGroupKeys(groups: readonly GroupCipher[]): ManyGroupKeys;

  /** The cipher that new records of this tenant shall have. KEY_MISSING: nothing is known of the tenant. */
  cipherOf(tenant: TenantId): CipherNumber;

  /** Whether the group's key can be had. False for a shredded group and for an unknown tenant. */
  contains(group: KeyGroup): boolean;
}
