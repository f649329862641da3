// keys: the keyring, its tree and its files, behind a door that an HSM could fill. Values and bytes only: no disk, no event.

export type { GroupCipher, KeySource, ManyGroupKeys } from './key-source.ts';
export type { Generation, KeyringFields, TenantKeys } from './keyring.ts';
export { exportsOpening, Keyring } from './keyring.ts';
export type { DecodedKeyring, ExportFields, KeyringHeader, Protection } from './keyring-file.ts';
export {
  decodeKeyring,
  encodeExport,
  encodeKeyring,
  encodeProtectedKeyring,
  keyringFileBytesMax,
  passphraseCharsMax,
  readKeyringHeader,
} from './keyring-file.ts';
export type { Import, KeyringCandidate, KeyringChoice } from './keyring-merge.ts';
export { importExport, newestKeyring } from './keyring-merge.ts';
export { groupKeysMax, halfWayNodesMax, LiveKeyring } from './live-keyring.ts';
