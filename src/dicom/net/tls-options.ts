// TLS as DICOM asks for it: the BCP 195 profile (PS3.15 annex B), for both roles.
//
// Invariants: TLS 1.2 or 1.3, forward secrecy and authenticated encryption only; a peer's certificate is checked unless the caller says in words that
// it is not.
// Left out on purpose: reading keys from files; they come as PEM text or bytes.

import { createSecureContext, type SecureContextOptions, type TlsOptions } from 'node:tls';
import { ArchiveError } from '../../base/index.ts';

type Pem = string | Uint8Array;

export type TlsIdentity = {
  readonly key: Pem;
  readonly cert: Pem;
  readonly passphrase?: string;
};

export type TlsServerOptions = TlsIdentity & {
  /** Who may sign certificates of clients. */
  readonly ca?: Pem | readonly Pem[];
  /** `optional`: asked for, and what came of it is told to whoever decides. */
  readonly clientCertificate: 'none' | 'optional' | 'required';
};

export type TlsClientOptions = Partial<TlsIdentity> & {
  /** Who may sign the server's certificate; by default the authorities that Node trusts. */
  readonly ca?: Pem | readonly Pem[];
  /** The name in the server's certificate, where it is not the host's. */
  readonly serverName?: string;
  /** `name`: the certificate is checked and its name is not, for devices that all have one. `nothing`: encryption against listeners only. */
  readonly unchecked?: 'name' | 'nothing';
};

/** What the other side of a TLS connection has shown. */
export type TlsPeer = {
  readonly protocol: string;
  readonly cipher: string;
  /** A certificate of an authority that we know. */
  readonly isAuthorized: boolean;
  /** SHA-256 of its certificate, when it showed one. */
  readonly fingerprint: string | undefined;
};

/** Suites of RFC 9325; those of TLS 1.3 are all good and always on. */
const ciphers = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_128_GCM_SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'DHE-RSA-AES256-GCM-SHA384',
  'DHE-RSA-AES128-GCM-SHA256',
].join(':');

const profile = { minVersion: 'TLSv1.2', ciphers } as const;

function pem(value: Pem): string | Buffer {
  return typeof value === 'string' ? value : Buffer.from(value);
}

function authorities(ca: Pem | readonly Pem[] | undefined): Pick<SecureContextOptions, 'ca'> {
  if (ca === undefined) return {};
  const list = typeof ca === 'string' || ca instanceof Uint8Array ? [ca] : ca;
  return { ca: list.map(pem) };
}

function credentials(options: Partial<TlsIdentity>): Pick<SecureContextOptions, 'key' | 'cert' | 'passphrase'> {
  const { key, cert, passphrase } = options;
  return {
    ...(key === undefined ? {} : { key: pem(key) }),
    ...(cert === undefined ? {} : { cert: pem(cert) }),
    ...(passphrase === undefined ? {} : { passphrase }),
  };
}

/** CONFIG_INVALID when key, certificate or authorities are no PEM, or do not fit. */
function checked(options: SecureContextOptions): SecureContextOptions {
  try {
    createSecureContext(options);
  } catch (cause) {
    throw new ArchiveError('CONFIG_INVALID', 'the TLS key, certificate or authorities cannot be used', { cause });
  }
  return options;
}

export function tlsServerOptions(options: TlsServerOptions): TlsOptions {
  const { clientCertificate } = options;
  return {
    ...checked({ ...profile, ...credentials(options), ...authorities(options.ca), dhparam: 'auto' }),
    honorCipherOrder: true,
    requestCert: clientCertificate !== 'none',
    rejectUnauthorized: clientCertificate === 'required',
  };
}

/** For `tls.connect`, beside host and port. */
export function tlsClientOptions(options: TlsClientOptions): SecureContextOptions & {
  rejectUnauthorized: boolean;
  servername?: string;
  checkServerIdentity?: () => undefined;
} {
  return {
    ...checked({ ...profile, ...credentials(options), ...authorities(options.ca) }),
    rejectUnauthorized: options.unchecked !== 'nothing',
    ...(options.serverName === undefined ? {} : { servername: options.serverName }),
    ...(options.unchecked === 'name' ? { checkServerIdentity: () => undefined } : {}),
  };
}
