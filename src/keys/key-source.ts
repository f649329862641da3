// KeySource: the door to keys for everything that writes or reads records. A keyring fills it (live-keyring.ts); an HSM could.

import type { ArchiveError, KeyGroup, TenantId } from '../base/index.ts';
import type { CipherKeys, CipherNumber } from '../codec/index.ts';

export type GroupCipher = { readonly group: KeyGroup; readonly cipher: number };

export interface KeySource {
  /**
   * The subkeys of a group for one cipher. Synchronous, safe to repeat, the same answer until the group is shredded. Nobody writes into what it
   * answers. KEY_MISSING: nothing is known of the tenant. KEY_SHREDDED: the group's key was destroyed. CODEC_UNKNOWN: no such cipher.
   */
  groupKeys(group: KeyGroup, cipher: number): CipherKeys;

  /**
   * The same for many groups at once, in their order, which costs less a group than one by one; an error stands in the place of one that has no keys.
   * They are not remembered: whoever asks so reads each group once.
   */
  manyGroupKeys(groups: readonly GroupCipher[]): (CipherKeys | ArchiveError)[];

  /** The cipher that new records of this tenant shall have. KEY_MISSING: nothing is known of the tenant. */
  cipherOf(tenant: TenantId): CipherNumber;

  /** Whether the group's key can be had. False for a shredded group and for an unknown tenant. */
  contains(group: KeyGroup): boolean;
}
