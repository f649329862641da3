// The keyring of a start: the newest copy of all disks, a new one for a new archive, or an export where every copy is lost.
//
// Invariant: before it is used it lies on every disk that is there; stale and damaged copies are replaced, copies of other archives left alone.

import { writeKeyring } from '../archive/index.ts';
import { ArchiveError, type ArchiveId, defaultTenant, type Random, systemTenant } from '../base/index.ts';
import { type CipherNumber, cipherNumber } from '../codec/index.ts';
import {
  decodeKeyring,
  importExport,
  Keyring,
  keyringFileBytesMax,
  LiveKeyring,
  newestKeyring,
} from '../keys/index.ts';
import { keyringPath, type StoreDisk } from '../vault/index.ts';
import type { Settings } from './settings.ts';

export const ciphers: Readonly<Record<Settings['cipher'], CipherNumber>> = {
  'aes-256-gcm': cipherNumber.aes256Gcm,
  sm4: cipherNumber.sm4CtrHmacSm3,
};

export type KeyExport = { readonly bytes: Uint8Array; readonly passphrase: string };

export async function takeKeyring(
  stores: readonly StoreDisk[],
  parts: {
    archive: ArchiveId;
    isNew: boolean;
    random: Random;
    settings: Settings;
    keyExport: KeyExport | undefined;
    say: (line: string) => void;
  },
): Promise<LiveKeyring> {
  const { archive, random, say } = parts;
  const cipher = ciphers[parts.settings.cipher];
  const candidates = [];
  for (const store of stores)
    candidates.push({ place: store, bytes: await store.disk.readWhole(keyringPath, keyringFileBytesMax) });
  const choice = await newestKeyring(candidates, { archive }).catch((error: unknown) => {
    if (parts.keyExport !== undefined && error instanceof ArchiveError && error.code === 'KEYRING_CORRUPT')
      return undefined;
    throw error;
  });
  let ring = choice?.ring;
  let stale = [...(choice?.stale ?? []), ...(choice?.corrupt ?? [])];
  for (const store of choice?.corrupt ?? [])
    say(`the keyring on disk ${store.disk.label} was damaged and is written again`);
  if (ring === undefined && parts.isNew) {
    ring = Keyring.empty(archive)
      .withTenant(systemTenant, { cipher, random })
      .withTenant(defaultTenant, { cipher, random });
    stale = [...stores];
  }
  if (ring === undefined && parts.keyExport !== undefined) {
    const exported = await decodeKeyring(parts.keyExport.bytes, parts.keyExport.passphrase);
    ring = importExport(Keyring.empty(archive), exported.ring, { mode: 'missing' }).ring;
    stale = [...stores];
  }
  if (ring === undefined) throw new ArchiveError('KEY_MISSING', 'no disk of this archive holds a keyring');
  if (stale.length > 0) await writeKeyring(stale, ring);
  return new LiveKeyring(ring);
}
