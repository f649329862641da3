// A signed report: sealing, checking, and its text for people.
//
// Invariants: what is signed is the one canonical text of the report, so a file that was formatted anew still verifies and one that was changed does not; a
// report that verifies against the key inside it alone proves nothing about who made it, so the caller says which key is to be trusted.
// Left out on purpose: where the key is kept.

import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { ArchiveError, base64Of, bytesOfBase64, hexOf, sha256, utf8Bytes } from '../../base/index.ts';
import { canonicalJson, type JsonObject, type JsonValue } from './json.ts';

export type SignedReport = { readonly report: JsonObject; readonly key: string; readonly signature: string };

const spki = { format: 'der', type: 'spki' } as const;

/** `privateKeyPem`: Ed25519, PKCS #8. */
export function signReport(report: JsonObject, privateKeyPem: string): SignedReport {
  const key = createPrivateKey(privateKeyPem);
  return {
    report,
    key: publicKeyOf(privateKeyPem),
    signature: base64Of(sign(null, utf8Bytes(canonicalJson(report)), key)),
  };
}

/** The public half, as it stands in a report: SPKI in base64. */
export function publicKeyOf(privateKeyPem: string): string {
  return base64Of(createPublicKey(createPrivateKey(privateKeyPem)).export(spki));
}

/** For people to compare. */
export function keyFingerprint(key: string): string {
  return hexOf(sha256(bytesOfBase64(key))).slice(0, 32);
}

/** ARGUMENT_INVALID for what is no signed report. */
export function parseSignedReport(text: string): SignedReport {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw notReport();
  }
  if (typeof value !== 'object' || value === null) throw notReport();
  const { report, key, signature } = value as Record<string, unknown>;
  if (typeof report !== 'object' || report === null || typeof key !== 'string' || typeof signature !== 'string')
    throw notReport();
  if ((report as Record<string, unknown>)['format'] !== 'stele-pull-report') throw notReport();
  return { report: report as JsonObject, key, signature };
}

/** Whether it says what was signed, with the key that it names. */
export function isSignatureGood({ report, key, signature }: SignedReport): boolean {
  let publicKey: KeyObject;
  try {
    publicKey = createPublicKey({ key: Buffer.from(key, 'base64'), ...spki });
  } catch {
    return false;
  }
  if (publicKey.asymmetricKeyType !== 'ed25519') return false;
  return verify(null, utf8Bytes(canonicalJson(report)), publicKey, Buffer.from(signature, 'base64'));
}

function notReport(): ArchiveError {
  return new ArchiveError('ARGUMENT_INVALID', 'this file is no signed report of a pull');
}

const exampleLines = 20;

/** What the signed part says, for people. */
export function reportText({ report, key }: SignedReport): string[] {
  const counts = objectOf(report['counts']);
  const source = objectOf(report['source']);
  const from =
    source['kind'] === 'folder' ? `folder ${textOf(source['path'])}` : textOf(source['title'] ?? source['url']);
  const lines = [
    `pull ${textOf(report['job'])} from ${from}, ${textOf(report['state'])}, report of ${textOf(report['madeAt'])}`,
    report['complete'] === true
      ? 'COMPLETE: everything that the source named is here'
      : 'NOT COMPLETE: see what is named below',
    '',
    ...[
      'studies',
      'series',
      'instances',
      'arrived',
      'missing',
      'refused',
      'different',
      'passedOver',
      'onlyHere',
      'receivedBytes',
    ].map((name) => `${name.padEnd(14)}${textOf(counts[name])}`),
    '',
    'Digests are SHA-256 of each data set as this archive received it, and are ours: the source gave none to compare with.',
    `All instances stand in the list of ${textOf(objectOf(report['instances'])['lines'])} lines with SHA-256 ${textOf(objectOf(report['instances'])['sha256'])}.`,
  ];
  for (const name of ['missing', 'refused', 'different', 'inDoubt', 'unequalStudies', 'passedOver'] as const)
    lines.push(...exceptionLines(name, objectOf(report[name])));
  const ris = objectOf(report['ris']);
  if (report['ris'] !== undefined) {
    lines.push('', `RIS: ${textOf(ris['rows'])} rows, ${textOf(ris['missing'])} of them not here`);
    for (const each of listOf(ris['missingNamed']).slice(0, exampleLines)) lines.push(`  ${plainText(each)}`);
    lines.push(
      `RIS: ${textOf(objectOf(ris['otherCounts'])['count'])} with another count, ${textOf(objectOf(ris['notInRis'])['count'])} studies it does not have`,
    );
  }
  const corrections = objectOf(report['corrections']);
  if (report['corrections'] !== undefined)
    lines.push(
      '',
      `corrections: ${textOf(corrections['rows'])} rows, ${[
        'applied',
        'already so',
        'not here',
        'ambiguous',
        'refused',
        'not tried',
      ]
        .filter((name) => corrections[name] !== 0)
        .map((name) => `${textOf(corrections[name])} ${name}`)
        .join(', ')}`,
    );
  lines.push('', `signed with Ed25519, key ${keyFingerprint(key)}`);
  return lines;
}

function exceptionLines(name: string, { count, named }: JsonObject): string[] {
  if (count === 0 || count === undefined) return [];
  const lines = listOf(named)
    .slice(0, exampleLines)
    .map((each) => `  ${plainText(each)}`);
  const more = Number(count) - lines.length;
  return ['', `${name}: ${textOf(count)}`, ...lines, ...(more > 0 ? [`  and ${more} more in the JSON`] : [])];
}

function objectOf(value: JsonValue | undefined): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}

function listOf(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? (value as readonly JsonValue[]) : [];
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

function plainText(value: JsonValue): string {
  return Object.entries(objectOf(value))
    .filter(([, each]) => each !== '')
    .map(([name, each]) => `${name} ${typeof each === 'object' ? JSON.stringify(each) : String(each)}`)
    .join(', ');
}
