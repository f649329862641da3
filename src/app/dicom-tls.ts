// TLS of the DICOM door: files of the settings become what a listener and a caller take.
//
// Invariants: without a certificate there is no TLS listener; with authorities callers must show a certificate that one of them signed.

import { readFileSync } from 'node:fs';
import { ArchiveError } from '../base/index.ts';
import type { TlsClientOptions, TlsServerOptions } from '../dicom/index.ts';
import type { Settings } from './settings.ts';

export type DicomTls = { readonly server: TlsServerOptions | undefined; readonly client: TlsClientOptions };

/** CONFIG_INVALID when a file cannot be read, or one of certificate and key is missing. */
export function readDicomTls(settings: Settings): DicomTls {
  const { dicomTlsCert, dicomTlsKey, dicomTlsCa } = settings;
  const ca = dicomTlsCa === undefined ? {} : { ca: read('dicom_tls_ca', dicomTlsCa) };
  if (dicomTlsCert === undefined && dicomTlsKey === undefined) return { server: undefined, client: ca };
  if (dicomTlsCert === undefined || dicomTlsKey === undefined)
    throw new ArchiveError('CONFIG_INVALID', 'dicom_tls_cert and dicom_tls_key belong together');
  const identity = { cert: read('dicom_tls_cert', dicomTlsCert), key: read('dicom_tls_key', dicomTlsKey) };
  const clientCertificate = dicomTlsCa === undefined ? 'none' : 'required';
  return { server: { ...identity, ...ca, clientCertificate }, client: { ...identity, ...ca } };
}

function read(name: string, file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
    throw new ArchiveError('CONFIG_INVALID', `${name} names a file that cannot be read (${code})`, { cause: error });
  }
}
