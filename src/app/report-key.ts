// The key that signs reports: Ed25519, made at the first report and kept in the data folder, readable by its owner alone.
//
// Invariants: it is made once and never replaced by itself; one that is damaged is told and not passed over, or reports of the same archive would be signed by
// two keys. Its public half lies beside it, to be given to whoever is to check reports elsewhere.

import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { ArchiveError } from '../base/index.ts';
import { publicKeyOf } from '../doors/pull/index.ts';
import { fileFault, systemCode } from './named-files.ts';

const keyName = 'report-key.pem';
const publicName = 'report-key.public.pem';

export type ReportKey = { readonly privateKeyPem: string; readonly publicKey: string; readonly file: string };

/** Makes it where there is none. DATA_FOREIGN when it is damaged, ACCESS_DENIED, DISK_*. */
export function takeReportKey(data: string): ReportKey {
  const known = findReportKey(data);
  if (known !== undefined) return known;
  const pair = generateKeyPairSync('ed25519', {
    privateKeyEncoding: { format: 'pem', type: 'pkcs8' },
    publicKeyEncoding: { format: 'pem', type: 'spki' },
  });
  try {
    writeDurably(path.join(data, publicName), pair.publicKey);
    writeDurably(path.join(data, keyName), pair.privateKey);
  } catch (error) {
    throw fileFault(error, 'the key that signs reports cannot be written');
  }
  return takeReportKey(data);
}

export function findReportKey(data: string): ReportKey | undefined {
  const file = path.join(data, keyName);
  let privateKeyPem: string;
  try {
    privateKeyPem = fs.readFileSync(file, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return undefined;
    throw fileFault(error, 'the key that signs reports cannot be read');
  }
  try {
    return { privateKeyPem, publicKey: publicKeyOf(privateKeyPem), file };
  } catch (error) {
    throw new ArchiveError('DATA_FOREIGN', `${keyName} of the data folder is damaged`, {
      cause: error,
      hint: 'restore that file; or move it away, and later reports are signed by a new key',
    });
  }
}

/** The public key that a PEM file holds, as it stands in a report. ARGUMENT_INVALID. */
export function publicKeyIn(pem: string): string {
  try {
    return createPublicKey(pem).export({ format: 'der', type: 'spki' }).toString('base64');
  } catch (error) {
    throw new ArchiveError('ARGUMENT_INVALID', 'that file holds no public key', { cause: error });
  }
}

/** Whole or not at all, also after a power cut. */
function writeDurably(file: string, text: string): void {
  const aside = `${file}.new`;
  const fd = fs.openSync(aside, 'w', 0o600);
  try {
    fs.writeSync(fd, text);
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
  fs.renameSync(aside, file);
  const folder = fs.openSync(path.dirname(file), 'r');
  try {
    fs.fsyncSync(folder);
  } finally {
    fs.closeSync(folder);
  }
}
