// Settings: what one start of the program is told, from `stele.yaml`, the environment and the command line.
//
// Invariants: every setting has a default, one type and limits, and is listed in `settingSpecs` once, from which the file's schema, the
// environment's variables and the help are made; a setting that is not in the list is an error and not silently passed over.
// Left out on purpose: reading the file (settings-file.ts) and acting on it (running.ts).

import path from 'node:path';
import { ArchiveError, assert } from '../base/index.ts';

export type DiskSetting = { readonly path: string; readonly label: string };

export type Settings = {
  readonly data: string;
  readonly host: string;
  readonly httpPort: number;
  readonly httpTls: 'auto' | 'on' | 'off' | 'proxy';
  readonly httpTlsCert: string | undefined;
  readonly httpTlsKey: string | undefined;
  readonly httpTlsNames: readonly string[];
  readonly publicUrl: string | undefined;
  readonly trustedProxies: readonly string[];
  readonly dicomwebCorsOrigins: readonly string[];
  readonly dicomPort: number;
  readonly dicomTlsPort: number;
  readonly dicomTlsCert: string | undefined;
  readonly dicomTlsKey: string | undefined;
  readonly dicomTlsCa: string | undefined;
  readonly s3Port: number;
  readonly aet: string;
  readonly databaseUrl: string | undefined;
  readonly disks: readonly DiskSetting[];
  readonly copies: number;
  readonly whenFewer: 'refuse' | 'accept';
  readonly encryption: boolean;
  readonly cipher: 'aes-256-gcm' | 'sm4';
  readonly packSizeBytes: number;
  readonly packAgeSeconds: number;
  readonly settleSeconds: number;
  readonly settleBytesPerSecond: number;
  readonly scrubDays: number;
  readonly scrubBytesPerSecond: number;
  readonly workers: number;
};

export type SettingKind =
  | { readonly kind: 'text'; readonly pattern?: RegExp; readonly says?: string }
  | { readonly kind: 'path' }
  | { readonly kind: 'number'; readonly least: number; readonly most: number }
  | { readonly kind: 'size'; readonly least: number; readonly most: number }
  | { readonly kind: 'choice'; readonly choices: readonly string[] }
  | { readonly kind: 'switch' }
  /** Texts: a list in the file, with commas between them in the environment. */
  | { readonly kind: 'list'; readonly pattern: RegExp; readonly says: string }
  | { readonly kind: 'disks' };

export type SettingSpec = {
  readonly name: string;
  readonly field: keyof Settings;
  readonly value: SettingKind;
  readonly env?: string;
  readonly says: string;
};

const mib = 1024 * 1024;
const gib = 1024 * mib;
const yearSeconds = 365 * 86_400;
const port: SettingKind = { kind: 'number', least: 0, most: 65_535 };
const rate: SettingKind = { kind: 'size', least: 0, most: 1024 * gib };

export const settingSpecs: readonly SettingSpec[] = [
  { name: 'data', field: 'data', value: { kind: 'path' }, env: 'STELE_DATA', says: 'data folder' },
  {
    name: 'host',
    field: 'host',
    value: { kind: 'text', pattern: /^[A-Za-z0-9.:_-]{1,255}$/, says: 'a host name or an address' },
    env: 'STELE_HOST',
    says: 'address to listen on',
  },
  {
    name: 'http_port',
    field: 'httpPort',
    value: port,
    env: 'STELE_HTTP_PORT',
    says: 'port of HTTP; 0 picks a free one',
  },
  {
    name: 'http_tls',
    field: 'httpTls',
    value: { kind: 'choice', choices: ['auto', 'on', 'off', 'proxy'] },
    env: 'STELE_HTTP_TLS',
    says: 'HTTP over TLS: auto is on beyond this machine; proxy takes plain requests of trusted_proxies alone',
  },
  {
    name: 'http_tls_cert',
    field: 'httpTlsCert',
    value: { kind: 'path' },
    env: 'STELE_HTTP_TLS_CERT',
    says: 'PEM file of our certificate for HTTP; without it one is made and renewed',
  },
  {
    name: 'http_tls_key',
    field: 'httpTlsKey',
    value: { kind: 'path' },
    env: 'STELE_HTTP_TLS_KEY',
    says: 'PEM file of its key',
  },
  {
    name: 'http_tls_names',
    field: 'httpTlsNames',
    value: {
      kind: 'list',
      pattern: /^[A-Za-z0-9.:-]{1,253}$/,
      says: 'names or addresses such as pacs.example',
    },
    env: 'STELE_HTTP_TLS_NAMES',
    says: 'names that the certificate we make is good for, beside those of this machine',
  },
  {
    name: 'public_url',
    field: 'publicUrl',
    value: {
      kind: 'text',
      pattern: /^https?:\/\/[A-Za-z0-9.[\]:-]{1,255}(?:\/[A-Za-z0-9._~-]{1,255}){0,16}\/?$/,
      says: 'a URL such as https://pacs.example/stele',
    },
    env: 'STELE_PUBLIC_URL',
    says: 'HTTP as clients call it, where links in answers lead; without it what they call, or their proxy says',
  },
  {
    name: 'trusted_proxies',
    field: 'trustedProxies',
    value: {
      kind: 'list',
      pattern: /^[0-9A-Fa-f.:]{2,45}(?:\/\d{1,3})?$/,
      says: 'addresses such as 10.0.0.5 or 10.0.0.0/8',
    },
    env: 'STELE_TRUSTED_PROXIES',
    says: 'proxies whose Forwarded and X-Forwarded- headers count',
  },
  {
    name: 'dicomweb_cors_origins',
    field: 'dicomwebCorsOrigins',
    value: {
      kind: 'list',
      pattern: /^(?:\*|https?:\/\/[A-Za-z0-9.[\]:-]{1,255})$/,
      says: 'origins such as https://viewer.example, or "*"',
    },
    env: 'STELE_DICOMWEB_CORS_ORIGINS',
    says: 'pages of other origins that a browser lets ask DICOMweb',
  },
  { name: 'dicom_port', field: 'dicomPort', value: port, env: 'STELE_DICOM_PORT', says: 'port of DICOM' },
  {
    name: 'dicom_tls_port',
    field: 'dicomTlsPort',
    value: port,
    env: 'STELE_DICOM_TLS_PORT',
    says: 'port of DICOM over TLS, where a certificate is given',
  },
  {
    name: 'dicom_tls_cert',
    field: 'dicomTlsCert',
    value: { kind: 'path' },
    env: 'STELE_DICOM_TLS_CERT',
    says: 'PEM file of our certificate for DICOM over TLS',
  },
  {
    name: 'dicom_tls_key',
    field: 'dicomTlsKey',
    value: { kind: 'path' },
    env: 'STELE_DICOM_TLS_KEY',
    says: 'PEM file of its key',
  },
  {
    name: 'dicom_tls_ca',
    field: 'dicomTlsCa',
    value: { kind: 'path' },
    env: 'STELE_DICOM_TLS_CA',
    says: 'PEM file of who signs the certificates of peers; with it, callers must show one',
  },
  { name: 's3_port', field: 's3Port', value: port, env: 'STELE_S3_PORT', says: 'port of S3' },
  {
    name: 'aet',
    field: 'aet',
    value: {
      kind: 'text',
      pattern: /^[\x21-\x5b\x5d-\x7e]{1,16}$/,
      says: 'an application entity title, at most 16 characters',
    },
    env: 'STELE_AET',
    says: 'application entity title',
  },
  {
    name: 'database_url',
    field: 'databaseUrl',
    value: { kind: 'text', pattern: /^postgres(ql)?:\/\/\S+$/, says: 'a PostgreSQL URL' },
    env: 'STELE_DATABASE_URL',
    says: 'PostgreSQL instead of the embedded database',
  },
  {
    name: 'disks',
    field: 'disks',
    value: { kind: 'disks' },
    says: 'list of {path, label}; default one disk in the data folder',
  },
  { name: 'copies', field: 'copies', value: { kind: 'number', least: 1, most: 8 }, says: 'disks that hold each pack' },
  {
    name: 'when_fewer',
    field: 'whenFewer',
    value: { kind: 'choice', choices: ['refuse', 'accept'] },
    says: 'what to do with new data when fewer disks than copies are there',
  },
  { name: 'encryption', field: 'encryption', value: { kind: 'switch' }, says: 'encrypt what is stored' },
  {
    name: 'cipher',
    field: 'cipher',
    value: { kind: 'choice', choices: ['aes-256-gcm', 'sm4'] },
    says: 'cipher of new records',
  },
  {
    name: 'pack_size',
    field: 'packSizeBytes',
    value: { kind: 'size', least: 4 * mib, most: 2047 * mib },
    says: 'size at which a pack is sealed',
  },
  {
    name: 'pack_age_seconds',
    field: 'packAgeSeconds',
    value: { kind: 'number', least: 1, most: 30 * 86_400 },
    says: 'age at which a pack is sealed',
  },
  {
    name: 'settle_seconds',
    field: 'settleSeconds',
    value: { kind: 'number', least: 0, most: yearSeconds },
    env: 'STELE_SETTLE_SECONDS',
    says: 'how long something has been quiet before it settles',
  },
  {
    name: 'settle_rate',
    field: 'settleBytesPerSecond',
    value: rate,
    says: 'bytes a second that settling may write; 0 for no limit',
  },
  {
    name: 'scrub_days',
    field: 'scrubDays',
    value: { kind: 'number', least: 0, most: 3650 },
    says: 'days in which everything is read back once; 0 for never',
  },
  {
    name: 'scrub_rate',
    field: 'scrubBytesPerSecond',
    value: rate,
    says: 'bytes a second that scrubbing may read; 0 for no limit',
  },
  {
    name: 'workers',
    field: 'workers',
    value: { kind: 'number', least: 0, most: 64 },
    says: 'threads that pack and encrypt; 0 for as many as fit the machine',
  },
];

export type SettingValues = { -readonly [K in keyof Settings]?: Settings[K] };

const names = new Set(settingSpecs.map((spec) => spec.name));
assert(names.size === settingSpecs.length, 'a setting is listed once');

/** The value of a setting, from text or YAML. Throws a sentence without a place; the caller adds where. */
export function settingValue(spec: SettingSpec, raw: unknown, folder: string): Settings[keyof Settings] {
  const wrong = (says: string): ArchiveError => new ArchiveError('CONFIG_INVALID', `${spec.name} must be ${says}`);
  const { value } = spec;
  switch (value.kind) {
    case 'text': {
      const text = typeof raw === 'number' ? String(raw) : raw;
      if (typeof text !== 'string' || text === '' || value.pattern?.test(text) === false)
        throw wrong(value.says ?? 'text');
      return text;
    }
    case 'path':
      if (typeof raw !== 'string' || raw === '') throw wrong('a path');
      return path.resolve(folder, raw);
    case 'number': {
      const number = typeof raw === 'string' && /^\d{1,12}$/.test(raw) ? Number(raw) : raw;
      if (typeof number !== 'number' || !Number.isInteger(number) || number < value.least || number > value.most) {
        throw wrong(`a whole number from ${value.least} to ${value.most}`);
      }
      return number;
    }
    case 'size': {
      const size = sizeOf(raw);
      if (size === undefined || size < value.least || size > value.most) {
        throw wrong(`a size from ${value.least} to ${value.most} bytes, such as 512 MiB`);
      }
      return size;
    }
    case 'choice':
      if (typeof raw !== 'string' || !value.choices.includes(raw)) throw wrong(`one of ${value.choices.join(', ')}`);
      return raw;
    case 'switch':
      if (raw === true || raw === 'true' || raw === 'on') return true;
      if (raw === false || raw === 'false' || raw === 'off') return false;
      throw wrong('true or false');
    case 'list': {
      const texts = typeof raw === 'string' ? raw.split(',').map((each) => each.trim()) : raw;
      if (!Array.isArray(texts) || !texts.every((each) => typeof each === 'string' && value.pattern.test(each)))
        throw wrong(`a list of ${value.says}`);
      return texts as string[];
    }
    case 'disks':
      throw wrong('a list of {path, label}');
  }
}

const units: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  KB: 1000,
  KIB: 1024,
  MB: 1e6,
  MIB: mib,
  GB: 1e9,
  GIB: gib,
};

function sizeOf(raw: unknown): number | undefined {
  if (typeof raw === 'number') return Number.isInteger(raw) ? raw : undefined;
  if (typeof raw !== 'string') return undefined;
  const match = /^(\d{1,15})\s*([A-Za-z]{0,3})$/.exec(raw.trim());
  const unit = units[(match?.[2] ?? 'x').toUpperCase()];
  return match === null || unit === undefined ? undefined : Number(match[1]) * unit;
}

/** Values of the environment; a variable that is set and empty counts as not set. */
export function settingsOfEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  folder: string,
): SettingValues {
  const values: Record<string, unknown> = {};
  for (const spec of settingSpecs) {
    const raw = spec.env === undefined ? undefined : env[spec.env];
    if (raw === undefined || raw === '') continue;
    try {
      values[spec.field] = settingValue(spec, raw, folder);
    } catch (error) {
      throw error instanceof ArchiveError ? new ArchiveError('CONFIG_INVALID', `${spec.env}: ${error.message}`) : error;
    }
  }
  return values as SettingValues;
}

/** Later ones win over earlier ones; what nobody says is the default. */
export function settingsOf(parts: readonly SettingValues[], folder: string): Settings {
  const given: SettingValues = {};
  for (const part of parts) Object.assign(given, part);
  const data = given.data ?? path.resolve(folder, 'data');
  return {
    host: '127.0.0.1',
    httpPort: 8080,
    httpTls: 'auto',
    httpTlsCert: undefined,
    httpTlsKey: undefined,
    httpTlsNames: [],
    publicUrl: undefined,
    trustedProxies: ['127.0.0.1', '::1'],
    dicomwebCorsOrigins: [],
    dicomPort: 11_112,
    dicomTlsPort: 2762,
    dicomTlsCert: undefined,
    dicomTlsKey: undefined,
    dicomTlsCa: undefined,
    s3Port: 9000,
    aet: 'STELE',
    databaseUrl: undefined,
    disks: [{ path: path.join(data, 'disk'), label: 'disk' }],
    copies: 1,
    whenFewer: 'refuse',
    encryption: true,
    cipher: 'aes-256-gcm',
    packSizeBytes: gib,
    packAgeSeconds: 15 * 60,
    settleSeconds: 60 * 60,
    settleBytesPerSecond: 0,
    scrubDays: 30,
    scrubBytesPerSecond: 64 * mib,
    workers: 0,
    ...given,
    data,
  };
}
