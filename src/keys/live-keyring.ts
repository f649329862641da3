// LiveKeyring: the keyring that a running archive uses, with the keys that it derived lately.
//
// Invariants: a generation is replaced only by a greater one; with it goes everything derived from the old one, so a shredded group has no
// key from that moment on, except in jobs that already took it; memory is bounded by two named limits.
// A key that was handed out is never overwritten: a job that waits for a worker would encrypt with zeros.

import { ArchiveError, assert, groupText, type KeyGroup, type TenantId } from '../base/index.ts';
import {
  type CipherKeys,
  type CipherNumber,
  checkedCipher,
  cipherKeys,
  keyBelow,
  noCipherKeys,
  type Walk,
  walkBytes,
  writeWalk,
} from '../codec/index.ts';
import { heldAbove, pathOf, treeDepth, yearBits } from './cover.ts';
import type { GroupCipher, KeySource, ManyGroupKeys } from './key-source.ts';
import type { Keyring } from './keyring.ts';
import { RecentMap } from './recent-map.ts';

/** Groups whose subkeys are kept, about 300 bytes each. */
export const groupKeysMax = 8192;

/** Nodes kept half-way, about 250 bytes each: as many as one year of one tenant has at that depth, twice. */
export const halfWayNodesMax = 8192;

/** New groups are random within their year, so 12 bits below the year nearly every path leads through a node that is kept: 52 steps instead of 80. */
const halfWayDepth = yearBits + 12;

assert(2 ** (halfWayDepth - yearBits) <= halfWayNodesMax, 'a year of a tenant has room among the nodes kept');

export class LiveKeyring implements KeySource {
  #ring: Keyring;
  readonly #groups = new RecentMap<CipherKeys>(groupKeysMax);
  readonly #halfWay = new RecentMap<Uint8Array>(halfWayNodesMax);

  constructor(ring: Keyring) {
    this.#ring = ring;
  }

  get ring(): Keyring {
    return this.#ring;
  }

  /** Another generation from now on. It must be later, and on every disk before this is called. */
  replace(ring: Keyring): void {
    assert(ring.archive === this.#ring.archive, 'a keyring is replaced by one of the same archive');
    assert(ring.generation > this.#ring.generation, 'a keyring is replaced by a later generation');
    this.#ring = ring;
    this.#groups.clear();
    this.#halfWay.clear();
  }

  cipherOf(tenant: TenantId): CipherNumber {
    return this.#ring.tenantKeys(tenant).cipher;
  }

  contains(group: KeyGroup): boolean {
    return this.#ring.contains(group);
  }

  groupKeys(group: KeyGroup, cipher: number): CipherKeys {
    const known = checkedCipher(cipher);
    if (known === 0) return noCipherKeys;
    const name = `${known}:${group.tenant}:${group.year}:${group.group}`;
    const kept = this.#groups.get(name);
    if (kept !== undefined) return kept;
    const groupKey = this.#deriveGroupKey(group);
    const keys = cipherKeys(groupKey, known);
    groupKey.fill(0);
    this.#groups.set(name, keys);
    return keys;
  }

  manyGroupKeys(groups: readonly GroupCipher[]): ManyGroupKeys {
    const keys: CipherKeys[] = [];
    const walks: (Walk & { readonly cipher: CipherNumber })[] = [];
    const found = groups.map(({ group, cipher }): { key: number } | { walk: number } | ArchiveError => {
      try {
        const known = checkedCipher(cipher);
        if (known === 0) return { key: keys.push(noCipherKeys) - 1 };
        const { key, path, depth } = this.#nodeAbove(group);
        if (depth === halfWayDepth) return { walk: walks.push({ key, path, cipher: known }) - 1 };
        return { key: keys.push(cipherKeys(keyBelow(key, path, depth, treeDepth), known)) - 1 };
      } catch (error) {
        if (!(error instanceof ArchiveError)) throw error;
        return error;
      }
    });
    const sent = {
      bytes: new Uint8Array(walks.length * walkBytes),
      ciphers: Uint8Array.from(walks, (walk) => walk.cipher),
      steps: treeDepth - halfWayDepth,
    };
    for (const [index, walk] of walks.entries()) writeWalk(sent, index, walk);
    const places = found.map((each) => {
      if (each instanceof ArchiveError) return each;
      return 'key' in each ? each.key : keys.length + each.walk;
    });
    return { keys, walks: sent, places };
  }

  #deriveGroupKey(group: KeyGroup): Uint8Array {
    const { key, path, depth } = this.#nodeAbove(group);
    return keyBelow(key, path, depth, treeDepth);
  }

  /** The node from which the walk to a group begins, and its depth: half-way down, or deeper where shredding left a node there. */
  #nodeAbove(group: KeyGroup): Walk & { readonly depth: number } {
    const path = pathOf(group.year, group.group);
    const above = heldAbove(this.#ring.tenantKeys(group.tenant).cover, path);
    if (above === undefined) {
      throw new ArchiveError('KEY_SHREDDED', `the key of group ${groupText(group)} was destroyed`);
    }
    if (above.depth >= halfWayDepth) return { key: above.key, path, depth: above.depth };
    const name = `${group.tenant}:${group.year}:${group.group >> BigInt(treeDepth - halfWayDepth)}`;
    let halfWay = this.#halfWay.get(name);
    if (halfWay === undefined) {
      halfWay = keyBelow(above.key, path, above.depth, halfWayDepth);
      this.#halfWay.set(name, halfWay);
    }
    return { key: halfWay, path, depth: halfWayDepth };
  }
}
