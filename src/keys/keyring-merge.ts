// Which of several keyrings counts: the newest of the copies on disks, and what an export brings back.
//
// Invariants: a shredded group does not return by reading an older copy nor by importing an export for what is missing, only by `replace`, which says so;
// no copy that is damaged or of another archive is taken; when nothing can be read and something was there, that is an error, never an empty keyring.
// Left out on purpose: reading and writing the copies, and the `imported` event.

import { ArchiveError, type ArchiveId, bytesEqual, isArchiveError, type TenantId } from '../base/index.ts';
import { compareRoots } from './cover.ts';
import type { Generation, Keyring, TenantKeys } from './keyring.ts';
import { decodeKeyring, encodeKeyring, readKeyringHeader } from './keyring-file.ts';

/** A place where a copy may lie, and what was found there; undefined where there was none. */
export type KeyringCandidate<T> = { readonly place: T; readonly bytes: Uint8Array | undefined };

export type KeyringChoice<T> = {
  readonly ring: Keyring;
  /** As it stands in its file. */
  readonly bytes: Uint8Array;
  /** Places that hold an older generation or none: to be renewed. */
  readonly stale: readonly T[];
  /** Places whose copy is damaged: to be renewed, and reported. */
  readonly corrupt: readonly T[];
  /** Places whose copy is of another archive: not to be touched. */
  readonly foreign: readonly T[];
};

type Readable<T> = { readonly place: T; readonly bytes: Uint8Array; readonly generation: Generation };

/**
 * The copy of the greatest generation. Undefined when no place has any. KEYRING_CORRUPT: there are copies and all are damaged, or two of the
 * greatest generation differ. DATA_FOREIGN: all are of other archives. PASSPHRASE_WRONG: the one that counts is protected by another passphrase.
 */
export async function newestKeyring<T>(
  candidates: readonly KeyringCandidate<T>[],
  options: { readonly archive: ArchiveId; readonly passphrase?: string | undefined },
): Promise<KeyringChoice<T> | undefined> {
  const missing: T[] = [];
  const corrupt: T[] = [];
  const foreign: T[] = [];
  const readable: Readable<T>[] = [];
  for (const { place, bytes } of candidates) {
    const found = bytes === undefined ? 'missing' : headerOrDamage(bytes);
    if (bytes === undefined || found === 'missing') missing.push(place);
    else if (found === 'corrupt') corrupt.push(place);
    else if (found.archive !== options.archive) foreign.push(place);
    else readable.push({ place, bytes, generation: found.generation });
  }
  if (readable.length === 0) {
    if (corrupt.length > 0) throw new ArchiveError('KEYRING_CORRUPT', 'every copy of the keyring is damaged');
    if (foreign.length > 0) throw new ArchiveError('DATA_FOREIGN', 'the keyring found belongs to another archive');
    return undefined;
  }
  const generation = readable.reduce((most, each) => (each.generation > most ? each.generation : most), 0n);
  const newest = readable.filter((each) => each.generation === generation);
  const ring = await decodeAlike(newest, options.passphrase);
  const older = readable.filter((each) => each.generation < generation).map((each) => each.place);
  return { ring, bytes: (newest[0] as Readable<T>).bytes, stale: [...older, ...missing], corrupt, foreign };
}

function headerOrDamage(bytes: Uint8Array): ReturnType<typeof readKeyringHeader> | 'corrupt' {
  try {
    return readKeyringHeader(bytes);
  } catch (error) {
    if (isArchiveError(error, 'KEYRING_CORRUPT')) return 'corrupt';
    throw error;
  }
}

/** Decodes copies of one generation, each distinct one once (under a passphrase the same keyring differs in salt and nonce). */
async function decodeAlike<T>(copies: readonly Readable<T>[], passphrase: string | undefined): Promise<Keyring> {
  const seen: Uint8Array[] = [];
  let ring: Keyring | undefined;
  for (const { bytes } of copies) {
    if (seen.some((each) => bytesEqual(each, bytes))) continue;
    seen.push(bytes);
    const decoded = (await decodeKeyring(bytes, passphrase)).ring;
    if (ring !== undefined && !bytesEqual(encodeKeyring(ring), encodeKeyring(decoded))) {
      throw new ArchiveError('KEYRING_CORRUPT', `two keyrings of generation ${decoded.generation} differ`);
    }
    ring = decoded;
  }
  if (ring === undefined) throw new ArchiveError('KEYRING_CORRUPT', 'no copy of the keyring was read');
  return ring;
}

export type Import = {
  /** A later generation than both; the same keyring when the export brought nothing. */
  readonly ring: Keyring;
  readonly added: readonly TenantId[];
  readonly replaced: readonly TenantId[];
  /** Tenants of both, whose keys come of different roots: what was written with the one is not opened by the other. */
  readonly different: readonly TenantId[];
};

/**
 * Takes keys of an export into a keyring. `missing`: only tenants that the keyring does not have, so nothing shredded returns. `replace`: the export's
 * keys for each of its tenants, also those of groups that were shredded since. DATA_FOREIGN: of another archive.
 */
export function importExport(ring: Keyring, exported: Keyring, options: { mode: 'missing' | 'replace' }): Import {
  if (exported.archive !== ring.archive) {
    throw new ArchiveError('DATA_FOREIGN', 'the export belongs to another archive');
  }
  const tenants = new Map<TenantId, TenantKeys>(ring.tenants);
  const added: TenantId[] = [];
  const replaced: TenantId[] = [];
  const different: TenantId[] = [];
  for (const [tenant, keys] of exported.tenants) {
    const own = ring.tenants.get(tenant);
    if (own === undefined) added.push(tenant);
    else {
      if (compareRoots(own.cover, keys.cover) === 'different') different.push(tenant);
      if (options.mode === 'missing') continue;
      replaced.push(tenant);
    }
    tenants.set(tenant, keys);
  }
  const changed = added.length + replaced.length > 0;
  return { ring: changed ? ring.next(tenants, exported.generation) : ring, added, replaced, different };
}
