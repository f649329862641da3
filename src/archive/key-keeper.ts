// KeyKeeper: the keyring in use, its copies on the disks, its exports, and the destruction of groups.
//
// Invariants: one change at a time; a later generation is on every disk that is there before it is used; an export is numbered in the control
// stream before it is handed out; a shredding is told in the control stream first and done then, and a start finishes what a crash
// left between the two; an older copy that turns up again (a disk that was away) is renewed and never read.
// Left out on purpose: holds (whoever may forbid a shredding is asked through `mayShred`), and where an export file goes.

import {
  ArchiveError,
  type Clock,
  controlGroup,
  groupText,
  type KeyGroup,
  type Random,
  sameGroup,
  systemTenant,
  toArchiveError,
} from '../base/index.ts';
import type { Catalog, ShredRow } from '../catalog/index.ts';
import { encodeEvent, recordKind } from '../format/index.ts';
import {
  decodeKeyring,
  encodeExport,
  encodeKeyring,
  exportsOpening,
  type Generation,
  importExport,
  type Keyring,
  type LiveKeyring,
} from '../keys/index.ts';
import { keyringPath, type StoreDisk, type Vault } from '../vault/index.ts';

/** Writes a keyring on these disks. At least one must take it; those that did not are named. */
export async function writeKeyring(stores: readonly StoreDisk[], ring: Keyring): Promise<readonly StoreDisk[]> {
  const bytes = encodeKeyring(ring);
  const failed: StoreDisk[] = [];
  let failure: unknown;
  for (const store of stores) {
    if (store.state === 'missing') continue;
    try {
      await store.disk.writeWhole(keyringPath, bytes);
    } catch (error) {
      failed.push(store);
      failure = error;
    }
  }
  if (failed.length === stores.length) throw toArchiveError(failure, 'DISK_MISSING', 'no disk takes the keyring');
  return failed;
}

export type ExportFacts = { readonly number: bigint; readonly generation: Generation; readonly createdMs: number };

export type KeyStatus = {
  readonly generation: Generation;
  readonly tenants: readonly number[];
  readonly exports: readonly ExportFacts[];
  /** Groups that were shredded, with the exports that could still open each. */
  readonly shredded: readonly { readonly group: string; readonly openedBy: readonly bigint[] }[];
  readonly warnings: readonly string[];
};

/** Throws when the group must not be destroyed: a hold, a retention. */
export type MayShred = (group: KeyGroup) => Promise<void>;

export class KeyKeeper {
  readonly #live: LiveKeyring;
  readonly #vault: Vault;
  readonly #catalog: Catalog;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #mayShred: MayShred;
  #last: Promise<unknown> = Promise.resolve();

  constructor(parts: {
    live: LiveKeyring;
    vault: Vault;
    catalog: Catalog;
    clock: Clock;
    random: Random;
    mayShred: MayShred;
  }) {
    this.#live = parts.live;
    this.#vault = parts.vault;
    this.#catalog = parts.catalog;
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.#mayShred = parts.mayShred;
  }

  /** A numbered copy of the keyring under a passphrase. Its number is durable before it resolves; a repeat makes another number. */
  makeExport(passphrase: string): Promise<{ readonly facts: ExportFacts; readonly bytes: Uint8Array }> {
    return this.#alone(async () => {
      const ring = this.#live.ring;
      const before = await this.#catalog.site.exports();
      const number = before.reduce((most, each) => (each.number > most ? each.number : most), 0n) + 1n;
      const createdMs = Math.floor(this.#clock.nowMs());
      const created = new Date(createdMs).toISOString();
      const bytes = await encodeExport(ring, { number, created }, { passphrase, random: this.#random });
      const { generation } = ring;
      const plain = encodeEvent({ type: 'exported', number: Number(number), generation, createdMs });
      await this.#vault.say('control', [{ kind: recordKind.event, group: controlGroup(systemTenant), plain }]);
      return { facts: { number, generation, createdMs }, bytes };
    });
  }

  /**
   * Takes keys from an export: of tenants that have none, or with `replace` of all, shredded groups included. Safe to repeat.
   * PASSPHRASE_WRONG, KEYRING_CORRUPT, DATA_FOREIGN.
   */
  takeExport(
    bytes: Uint8Array,
    passphrase: string,
    mode: 'missing' | 'replace',
  ): Promise<{ readonly changed: boolean; readonly generation: Generation }> {
    return this.#alone(async () => {
      const exported = await decodeKeyring(bytes, passphrase);
      const before = this.#live.ring;
      const { ring } = importExport(before, exported.ring, { mode });
      if (ring === before) return { changed: false, generation: before.generation };
      await this.#use(ring);
      const plain = encodeEvent({
        type: 'imported',
        number: Number(exported.export?.number ?? 0n),
        generation: ring.generation,
      });
      await this.#vault.say('control', [{ kind: recordKind.event, group: controlGroup(systemTenant), plain }]);
      return { changed: true, generation: ring.generation };
    });
  }

  /** Destroys a group's key on every disk that is there. Final when it resolves; safe to repeat. NOT_FOUND, and what `mayShred` throws. */
  shred(group: KeyGroup): Promise<{ readonly generation: Generation; readonly openedBy: readonly bigint[] }> {
    return this.#alone(async () => {
      if (sameGroup(group, controlGroup(group.tenant))) {
        throw new ArchiveError('ARGUMENT_INVALID', 'the control group of a tenant is not shredded');
      }
      const known = await this.#catalog.groups.find(group);
      if (known === undefined)
        throw new ArchiveError('NOT_FOUND', `there is no group ${groupText(group)}`, {
          hint: 'find it with: stele where KEY',
        });
      const told = await this.#catalog.groups.shredded(group);
      if (told === undefined || this.#live.contains(group)) {
        await this.#mayShred(group);
        const generation = this.#live.ring.generation + 1n;
        const plain = encodeEvent({ type: 'shredded', year: group.year, group: group.group, generation });
        await this.#vault.say('control', [{ kind: recordKind.event, group: controlGroup(group.tenant), plain }]);
        await this.#use(this.#live.ring.shred([group]));
      }
      await this.#catalog.forgetGroup(group);
      return { generation: this.#live.ring.generation, openedBy: await this.#opening(this.#live.ring.generation) };
    });
  }

  /** Does what a crash left undone: groups told to be shredded whose key is still there in a keyring of before. Called at every start. */
  finish(): Promise<number> {
    return this.#alone(async () => {
      const { generation } = this.#live.ring;
      const shreds = await this.#catalog.groups.shreds();
      const open = shreds.filter((each) => each.generation > generation && this.#live.contains(each.group));
      if (open.length === 0) {
        await this.#forget(shreds);
        return 0;
      }
      let ring = this.#live.ring.shred(open.map((each) => each.group));
      const told = open.reduce((most, each) => (each.generation > most ? each.generation : most), 0n);
      // The generation that the events named is reached, so that exports made before are still told apart from those after.
      if (ring.generation < told) ring = ring.next(ring.tenants, told - 1n);
      await this.#use(ring);
      await this.#forget(shreds);
      return open.length;
    });
  }

  /** Names of groups whose key is gone, which a crash may have left in the catalog. */
  async #forget(shreds: readonly ShredRow[]): Promise<void> {
    for (const { group } of shreds) {
      if (this.#live.contains(group)) continue;
      if ((await this.#catalog.groups.find(group))?.last !== undefined) await this.#catalog.forgetGroup(group);
    }
  }

  /** Brings the keyring in use onto disks that lack it, such as one that was just attached. */
  renew(stores: readonly StoreDisk[]): Promise<void> {
    return this.#alone(async () => {
      await writeKeyring(stores, this.#live.ring);
    });
  }

  async status(): Promise<KeyStatus> {
    const exports = await this.#catalog.site.exports();
    const shreds = await this.#catalog.groups.shreds();
    const { ring } = this.#live;
    const warnings: string[] = [];
    const latest = exports.at(-1);
    if (latest === undefined)
      warnings.push(
        'the keyring was never exported: if every disk is lost, a copy of the packs cannot be read (stele keys export)',
      );
    const shredded = shreds.map((each) => ({ group: groupText(each.group), openedBy: openedBy(exports, each) }));
    const dangerous = new Set(shredded.flatMap((each) => each.openedBy));
    if (dangerous.size > 0)
      warnings.push(`exports ${[...dangerous].join(', ')} could still open what was shredded since: destroy them`);
    const missing = this.#vault.shelf.stores.filter((store) => store.state === 'missing').length;
    if (missing > 0 && shreds.length > 0) warnings.push(`${missing} disks are missing: a keyring on them may be older`);
    return { generation: ring.generation, tenants: [...ring.tenants.keys()], exports, shredded, warnings };
  }

  async #opening(generation: Generation): Promise<bigint[]> {
    return openedBy(await this.#catalog.site.exports(), { generation });
  }

  async #use(ring: Keyring): Promise<void> {
    const failed = await writeKeyring(this.#vault.shelf.stores, ring);
    for (const store of failed) store.failureCount += 1;
    this.#live.replace(ring);
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work, work);
    this.#last = mine.catch(() => undefined);
    return mine;
  }
}

function openedBy(exports: readonly ExportFacts[], shred: Pick<ShredRow, 'generation'>): bigint[] {
  const numbered = exports.map((each) => ({ number: Number(each.number), generation: each.generation }));
  return exportsOpening(numbered, shred.generation).map((each) => BigInt(each.number));
}
