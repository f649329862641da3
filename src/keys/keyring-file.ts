// The keyring's file and its export (FORMAT.md 4.2): a keyring <-> bytes, in the clear or under a passphrase.
//
//   {"format":"stele-keyring","version":1,"archive":hex,"generation":"n"[,"export":"n","created":ISO 8601]
//    ,"tenants":[...]   or   ,"kdf":{...},"nonce":base64,"sealed":base64
//    ,"sha256":hex}     of all bytes of the file before `,"sha256"`
//
// Invariants: what is decoded is the keyring that was encoded, or an error; a damaged file is KEYRING_CORRUPT by its digest before a passphrase is
// tried, so PASSPHRASE_WRONG nearly always means what it says; no error carries a key, a passphrase or a piece of the file.
// Left out on purpose: where files lie and how they are replaced; this is bytes and values.

import { createCipheriv, createDecipheriv, scrypt } from 'node:crypto';
import {
  ArchiveError,
  type ArchiveId,
  archiveId,
  assert,
  base64Of,
  bytesOfBase64,
  concatBytes,
  hexOf,
  isHex128,
  type Random,
  sha256,
  type TenantId,
  tenantId,
  utf8Bytes,
  utf8Text,
} from '../base/index.ts';
import { type CipherNumber, checkedCipher, keySizeBytes } from '../codec/index.ts';
import { type CoverNode, coverOf, nodesOf } from './cover.ts';
import { type Generation, Keyring, type TenantKeys } from './keyring.ts';

const format = 'stele-keyring';
const formatVersion = 1;

/** A thousand shreds in one year of one tenant leave 55,000 nodes, 6.9 MB; thirty thousand fit. Beyond this a file is not ours. */
export const keyringFileBytesMax = 256 * 1024 * 1024;
export const passphraseCharsMax = 1024;

const kdf = { n: 131_072, r: 8, p: 1 } as const;
const saltBytes = 16;
const nonceBytes = 12;
const tagBytes = 16;
/** What a file may ask for: 128 * n * r bytes of memory, so at most 256 MiB. */
const kdfLimits = { n: 262_144, r: 8, p: 4 } as const;

export type ExportFields = { readonly number: bigint; readonly created: string };

/** What a file tells without its keys. */
export type KeyringHeader = {
  readonly archive: ArchiveId;
  readonly generation: Generation;
  /** Absent in a keyring file. */
  readonly export: ExportFields | undefined;
  readonly isProtected: boolean;
};

export type DecodedKeyring = KeyringHeader & { readonly ring: Keyring };

export function encodeKeyring(ring: Keyring): Uint8Array {
  return withDigest({ ...headerJson(ring, undefined), tenants: tenantsJson(ring) });
}

export type Protection = { readonly passphrase: string; readonly random: Random };

/** The keyring file of an archive whose keyring itself is under a passphrase. Takes about half a second, not on this thread. */
export function encodeProtectedKeyring(ring: Keyring, protection: Protection): Promise<Uint8Array> {
  return encodeSealed(ring, undefined, protection);
}

/** An export. Its number is the caller's to keep unique; `created` is ISO 8601. Takes about half a second, not on this thread. */
export function encodeExport(ring: Keyring, fields: ExportFields, protection: Protection): Promise<Uint8Array> {
  assert(fields.number >= 1n, 'exports count from 1');
  return encodeSealed(ring, fields, protection);
}

async function encodeSealed(
  ring: Keyring,
  fields: ExportFields | undefined,
  protection: Protection,
): Promise<Uint8Array> {
  const { passphrase, random } = protection;
  const salt = random.bytes(saltBytes);
  const nonce = random.bytes(nonceBytes);
  const plain = utf8Bytes(JSON.stringify(tenantsJson(ring)));
  const key = await keyOfPassphrase(passphrase, salt, kdf);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(utf8Bytes(associatedText(ring.archive, ring.generation, fields?.number ?? 0n)));
  const sealed = concatBytes([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  plain.fill(0);
  key.fill(0);
  return withDigest({
    ...headerJson(ring, fields),
    kdf: { name: 'scrypt', ...kdf, salt: base64Of(salt) },
    nonce: base64Of(nonce),
    sealed: base64Of(sealed),
  });
}

function headerJson(ring: Keyring, fields: ExportFields | undefined): Record<string, unknown> {
  const header = { format, version: formatVersion, archive: ring.archive, generation: String(ring.generation) };
  return fields === undefined ? header : { ...header, export: String(fields.number), created: fields.created };
}

function tenantsJson(ring: Keyring): unknown[] {
  return [...ring.tenants]
    .sort(([a], [b]) => a - b)
    .map(([tenant, { cipher, cover }]) => ({
      tenant,
      cipher,
      nodes: nodesOf(cover).map(({ depth, path, key }) => ({ depth, path, key: base64Of(key) })),
    }));
}

function associatedText(archive: ArchiveId, generation: Generation, exportNumber: bigint): string {
  return `${format}/${formatVersion}/${archive}/${generation}/${exportNumber}`;
}

const digestField = ',"sha256":"';

function withDigest(json: Record<string, unknown>): Uint8Array {
  const text = JSON.stringify(json).slice(0, -1);
  return utf8Bytes(`${text}${digestField}${hexOf(sha256(utf8Bytes(text)))}"}\n`);
}

function keyOfPassphrase(
  passphrase: string,
  salt: Uint8Array,
  params: { n: number; r: number; p: number },
): Promise<Uint8Array> {
  if (passphrase === '' || passphrase.length > passphraseCharsMax) {
    throw new ArchiveError('ARGUMENT_INVALID', `a passphrase has 1 to ${passphraseCharsMax} characters`);
  }
  const { n: N, r, p } = params;
  const maxmem = 128 * r * (N + p) + 32 * 1024 * 1024;
  return new Promise((resolve, reject) => {
    scrypt(utf8Bytes(passphrase.normalize('NFC')), salt, keySizeBytes, { N, r, p, maxmem }, (error, key) => {
      if (error === null) resolve(key);
      else reject(new ArchiveError('INTERNAL', 'scrypt failed', { cause: error }));
    });
  });
}

// --- Reading -----------------------------------------------------------------------------------------------------------------------

type Json = Record<string, unknown>;

function corrupt(what: string): ArchiveError {
  return new ArchiveError('KEYRING_CORRUPT', `a keyring file is damaged: ${what}`);
}

/** What the file says of itself, its digest checked. KEYRING_CORRUPT, or CODEC_UNKNOWN for a later version. */
export function readKeyringHeader(bytes: Uint8Array): KeyringHeader {
  return headerOf(jsonOf(bytes));
}

/**
 * KEYRING_CORRUPT: damaged. PASSPHRASE_WRONG: it is protected, and the passphrase is missing or another. CODEC_UNKNOWN: of a later version.
 * A protected one takes about half a second, not on this thread.
 */
export async function decodeKeyring(bytes: Uint8Array, passphrase?: string): Promise<DecodedKeyring> {
  const json = jsonOf(bytes);
  const header = headerOf(json);
  const tenants = header.isProtected ? await unseal(json, header, passphrase) : json['tenants'];
  const { archive, generation } = header;
  return { ...header, ring: new Keyring({ archive, generation, tenants: tenantsOf(tenants) }) };
}

function jsonOf(bytes: Uint8Array): Json {
  if (bytes.byteLength > keyringFileBytesMax) throw corrupt('it is too long');
  const text = utf8Text(bytes);
  if (text === undefined) throw corrupt('it is not text');
  const end = text.lastIndexOf(digestField);
  if (end < 0) throw corrupt('its end is missing');
  const json = parseJson(text);
  if (json['sha256'] !== hexOf(sha256(utf8Bytes(text.slice(0, end))))) throw corrupt('its digest is another');
  if (json['format'] !== format) throw corrupt('it is something else');
  if (json['version'] !== formatVersion) {
    throw new ArchiveError('CODEC_UNKNOWN', 'a keyring file is of a version that this one does not know');
  }
  return json;
}

function parseJson(text: string): Json {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // Without the cause: its message quotes the text, and that holds keys.
    throw corrupt('it is not JSON');
  }
  return objectOf(json);
}

function objectOf(value: unknown): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw corrupt('an object is missing');
  return value as Json;
}

function arrayOf(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw corrupt('a list is missing');
  return value;
}

function countOf(value: unknown, max: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > max) {
    throw corrupt('a number is missing or out of bounds');
  }
  return value;
}

function bytesFrom(value: unknown, sizeBytes?: number): Uint8Array {
  if (typeof value !== 'string') throw corrupt('bytes are missing');
  const bytes = bytesOfBase64(value);
  // Decoding passes over what is not base64; what comes out must be written the same way.
  if (base64Of(bytes) !== value) throw corrupt('bytes are not base64');
  if (sizeBytes !== undefined && bytes.byteLength !== sizeBytes) throw corrupt('bytes have another length');
  return bytes;
}

function decimalOf(value: unknown): bigint {
  if (typeof value !== 'string' || !/^(0|[1-9]\d{0,19})$/.test(value)) throw corrupt('a number is missing');
  return BigInt(value);
}

function headerOf(json: Json): KeyringHeader {
  const archive = json['archive'];
  if (typeof archive !== 'string' || !isHex128(archive)) throw corrupt('the archive id is missing');
  const generation = decimalOf(json['generation']);
  if (generation === 0n) throw corrupt('generations count from 1');
  const number = json['export'] === undefined ? 0n : decimalOf(json['export']);
  const created = json['created'];
  return {
    archive: archiveId(archive),
    generation,
    export: number === 0n ? undefined : { number, created: typeof created === 'string' ? created : '' },
    isProtected: json['tenants'] === undefined,
  };
}

async function unseal(json: Json, header: KeyringHeader, passphrase: string | undefined): Promise<unknown> {
  const params = objectOf(json['kdf']);
  if (params['name'] !== 'scrypt') {
    throw new ArchiveError('CODEC_UNKNOWN', 'a keyring file is protected in a way that this version does not know');
  }
  const n = countOf(params['n'], kdfLimits.n);
  const r = countOf(params['r'], kdfLimits.r);
  const p = countOf(params['p'], kdfLimits.p);
  if (n < 2 || (n & (n - 1)) !== 0 || r === 0 || p === 0) throw corrupt('the parameters of scrypt are out of bounds');
  const salt = bytesFrom(params['salt']);
  const nonce = bytesFrom(json['nonce'], nonceBytes);
  const sealed = bytesFrom(json['sealed']);
  if (sealed.byteLength < tagBytes) throw corrupt('the sealed part is missing');
  if (passphrase === undefined) {
    throw new ArchiveError('PASSPHRASE_WRONG', 'the keyring is protected by a passphrase, and none was given');
  }
  const key = await keyOfPassphrase(passphrase, salt, { n, r, p });
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes });
  decipher.setAAD(utf8Bytes(associatedText(header.archive, header.generation, header.export?.number ?? 0n)));
  decipher.setAuthTag(sealed.subarray(sealed.byteLength - tagBytes));
  const plain = decipher.update(sealed.subarray(0, sealed.byteLength - tagBytes));
  key.fill(0);
  try {
    decipher.final();
  } catch {
    throw new ArchiveError('PASSPHRASE_WRONG', 'the passphrase does not open the keyring');
  }
  const text = utf8Text(plain);
  plain.fill(0);
  if (text === undefined) throw corrupt('what was sealed is not text');
  return parseTenants(text);
}

function parseTenants(text: string): unknown {
  return parseJson(`{"tenants":${text}}`)['tenants'];
}

function tenantsOf(value: unknown): Map<TenantId, TenantKeys> {
  const tenants = new Map<TenantId, TenantKeys>();
  for (const each of arrayOf(value)) {
    const json = objectOf(each);
    const tenant = tenantId(countOf(json['tenant'], 0xffff_ffff));
    if (tenants.has(tenant)) throw corrupt('a tenant is there twice');
    const cipher: CipherNumber = checkedCipher(countOf(json['cipher'], 0xffff));
    tenants.set(tenant, { cipher, cover: coverOf(arrayOf(json['nodes']).map(nodeFrom)) });
  }
  return tenants;
}

function nodeFrom(value: unknown): CoverNode {
  const json = objectOf(value);
  const path = json['path'];
  if (typeof path !== 'string') throw corrupt('the path of a node is missing');
  return { depth: countOf(json['depth'], 0xffff), path, key: bytesFrom(json['key'], keySizeBytes) };
}
