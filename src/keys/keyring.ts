// Keyring: the keys of an archive, each tenant's as a cover of its tree, in one generation.
//
// Invariants: a keyring is never changed; whatever is done to it gives another with a greater generation, so of two copies of one archive's keyring
// the greater generation is the later; a group that was shredded has no key in any later generation, unless an export was brought back on purpose.
// Left out on purpose: files and passphrases (keyring-file.ts), where copies lie, and the record that says a group was shredded (vault and app).

import { ArchiveError, type ArchiveId, assert, type KeyGroup, type Random, type TenantId } from '../base/index.ts';
import { type CipherNumber, keySizeBytes } from '../codec/index.ts';
import { type Cover, held, heldAbove, pathOf, shredPath, yearBits } from './cover.ts';

export type TenantKeys = { readonly cipher: CipherNumber; readonly cover: Cover };

export type Generation = bigint;

export type KeyringFields = {
  readonly archive: ArchiveId;
  readonly generation: Generation;
  readonly tenants: ReadonlyMap<TenantId, TenantKeys>;
};

export class Keyring {
  readonly archive: ArchiveId;
  readonly generation: Generation;
  readonly tenants: ReadonlyMap<TenantId, TenantKeys>;

  constructor(fields: KeyringFields) {
    assert(fields.generation >= 1n, 'generations count from 1');
    this.archive = fields.archive;
    this.generation = fields.generation;
    this.tenants = fields.tenants;
  }

  /** The first generation, without any tenant. */
  static empty(archive: ArchiveId): Keyring {
    return new Keyring({ archive, generation: 1n, tenants: new Map() });
  }

  /** With a new random root for a tenant that has none. */
  withTenant(tenant: TenantId, options: { cipher: CipherNumber; random: Random }): Keyring {
    assert(!this.tenants.has(tenant), 'a tenant gets one root');
    const cover = held(options.random.bytes(keySizeBytes));
    return this.next(new Map(this.tenants).set(tenant, { cipher: options.cipher, cover }));
  }

  /** New records of the tenant get this cipher; old ones keep theirs. */
  withCipher(tenant: TenantId, cipher: CipherNumber): Keyring {
    return this.next(new Map(this.tenants).set(tenant, { ...this.tenantKeys(tenant), cipher }));
  }

  tenantKeys(tenant: TenantId): TenantKeys {
    const keys = this.tenants.get(tenant);
    if (keys === undefined) {
      throw new ArchiveError('KEY_MISSING', `the keyring of generation ${this.generation} has no tenant ${tenant}`);
    }
    return keys;
  }

  contains(group: KeyGroup): boolean {
    const cover = this.tenants.get(group.tenant)?.cover;
    return heldAbove(cover, pathOf(group.year, group.group)) !== undefined;
  }

  /** Without the keys of these groups; this same keyring when none of them has one. A control group is refused. */
  shred(groups: readonly KeyGroup[]): Keyring {
    return this.#without(
      groups.map((each) => ({ tenant: each.tenant, path: pathOf(each.year, each.group), group: each })),
    );
  }

  /** Without the keys of a whole year: at most 16 nodes stay, where shredding its groups one by one leaves some fifty for each. */
  shredYear(tenant: TenantId, year: number): Keyring {
    const path = pathOf(year, 0n).subarray(0, yearBits);
    return this.#without([{ tenant, path, group: { tenant, year, group: 0n } }]);
  }

  #without(targets: readonly { tenant: TenantId; path: Uint8Array; group: KeyGroup }[]): Keyring {
    const tenants = new Map(this.tenants);
    let changed = false;
    for (const { tenant, path, group } of targets) {
      if (group.year === 0 && group.group === 0n) {
        throw new ArchiveError('ARGUMENT_INVALID', 'the control group of a tenant is not shredded');
      }
      const keys = tenants.get(tenant) ?? this.tenantKeys(tenant);
      const cover = shredPath(keys.cover, path);
      if (cover === keys.cover) continue;
      tenants.set(tenant, { ...keys, cover });
      changed = true;
    }
    return changed ? this.next(tenants) : this;
  }

  /** The next generation with these tenants; later than `after` as well, where that is given. */
  next(tenants: ReadonlyMap<TenantId, TenantKeys>, after: Generation = 0n): Keyring {
    const generation = (after > this.generation ? after : this.generation) + 1n;
    return new Keyring({ archive: this.archive, generation, tenants });
  }
}

/** Which exports still hold the key of a group that was shredded: those made before the keyring reached the generation without it. */
export function exportsOpening<T extends { readonly number: number; readonly generation: Generation }>(
  exports: readonly T[],
  shredGeneration: Generation,
): T[] {
  return exports.filter((each) => each.generation < shredGeneration);
}
