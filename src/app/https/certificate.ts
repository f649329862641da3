// Certificates that we make ourselves: an authority of this archive, and what it signs for this server (RFC 5280, ECDSA on P-256).
//
// Invariants: the authority signs for servers only and has nobody below it; a server's certificate names every name and address that it is asked for by,
// since browsers look at nothing else; serial numbers are 127 random bits.
// Left out on purpose: revocation. Who loses a key removes the folder, and makes everybody trust another authority.

import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { isIP } from 'node:net';
import { der, utf8Bytes } from '../../base/index.ts';

const { bitString, integer, numbered, objectId, octets, sequence, setOf, time, truth, utf8String } = der;

export type Identity = { readonly cert: string; readonly key: string };

export type CertificateTimes = { readonly fromMs: number; readonly untilMs: number };

const oid = {
  commonName: '2.5.4.3',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  basicConstraints: '2.5.29.19',
  keyUsage: '2.5.29.15',
  extendedKeyUsage: '2.5.29.37',
  subjectAltName: '2.5.29.17',
  subjectKeyId: '2.5.29.14',
  authorityKeyId: '2.5.29.35',
  serverAuth: '1.3.6.1.5.5.7.3.1',
} as const;

const signatureAlgorithm = sequence(objectId(oid.ecdsaWithSha256));

/** An authority whose certificate says who it is by a name of ours. */
export function makeAuthority(name: string, times: CertificateTimes, serial: Uint8Array): Identity {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const cert = signed({
    serial,
    issuer: name,
    subject: name,
    times,
    publicKey,
    signer: privateKey,
    extensions: [
      extension(oid.basicConstraints, sequence(truth(), integer(Uint8Array.of(0))), 'critical'),
      // keyCertSign and cRLSign.
      extension(oid.keyUsage, bitString(Uint8Array.of(0x06), 1), 'critical'),
      extension(oid.subjectKeyId, octets(keyIdOf(publicKey))),
    ],
  });
  return { cert, key: pemOf(privateKey) };
}

/** What the authority says of a server that answers to these names and addresses. */
export function makeServerIdentity(
  authority: Identity & { readonly name: string },
  names: readonly string[],
  times: CertificateTimes,
  serial: Uint8Array,
): Identity {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const signer = createPrivateKey(authority.key);
  const cert = signed({
    serial,
    issuer: authority.name,
    subject: names[0] ?? 'stele',
    times,
    publicKey,
    signer,
    extensions: [
      extension(oid.basicConstraints, sequence(), 'critical'),
      // digitalSignature.
      extension(oid.keyUsage, bitString(Uint8Array.of(0x80), 7), 'critical'),
      extension(oid.extendedKeyUsage, sequence(objectId(oid.serverAuth))),
      extension(oid.subjectAltName, sequence(...names.map(generalName))),
      extension(oid.subjectKeyId, octets(keyIdOf(publicKey))),
      extension(oid.authorityKeyId, sequence(numbered(0, keyIdOf(createPublicKey(signer)), 'plain'))),
    ],
  });
  return { cert, key: pemOf(privateKey) };
}

/** The bytes of an address, as a certificate has them: 4, or 16. */
export function addressBytes(address: string): Uint8Array {
  if (isIP(address) === 4) return Uint8Array.from(address.split('.').map(Number));
  const [head = '', tail] = address.split('%', 1)[0]?.split('::') ?? [];
  const groups = (text: string): number[] =>
    text === ''
      ? []
      : text.split(':').flatMap((group) => {
          if (group.includes('.')) return group.split('.').map(Number);
          const value = Number.parseInt(group, 16);
          return [value >> 8, value & 0xff];
        });
  const [before, behind] = [groups(head), groups(tail ?? '')];
  return Uint8Array.from([...before, ...new Array<number>(16 - before.length - behind.length).fill(0), ...behind]);
}

const generalName = (name: string): Uint8Array =>
  isIP(name) === 0 ? numbered(2, utf8Bytes(name), 'plain') : numbered(7, addressBytes(name), 'plain');

function extension(id: string, value: Uint8Array, critical?: 'critical'): Uint8Array {
  return sequence(objectId(id), ...(critical === undefined ? [] : [truth()]), octets(value));
}

const nameOf = (commonName: string): Uint8Array =>
  sequence(setOf(sequence(objectId(oid.commonName), utf8String(commonName.slice(0, 64)))));

function keyIdOf(key: KeyObject): Uint8Array {
  return createHash('sha256').update(spkiOf(key)).digest().subarray(0, 20);
}

const spkiOf = (key: KeyObject): Uint8Array => key.export({ type: 'spki', format: 'der' });
const pemOf = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString();

function signed(parts: {
  readonly serial: Uint8Array;
  readonly issuer: string;
  readonly subject: string;
  readonly times: CertificateTimes;
  readonly publicKey: KeyObject;
  readonly signer: KeyObject;
  readonly extensions: readonly Uint8Array[];
}): string {
  const { serial, issuer, subject, times, publicKey, signer, extensions } = parts;
  const version3 = numbered(0, integer(Uint8Array.of(2)), 'inner');
  const positive = Uint8Array.from(serial, (byte, index) => (index === 0 ? (byte & 0x7f) | 0x40 : byte));
  const said = sequence(
    version3,
    integer(positive),
    signatureAlgorithm,
    nameOf(issuer),
    sequence(time(times.fromMs), time(times.untilMs)),
    nameOf(subject),
    spkiOf(publicKey),
    numbered(3, sequence(...extensions), 'inner'),
  );
  const signature = sign('sha256', said, { key: signer, dsaEncoding: 'der' });
  const bytes = sequence(said, signatureAlgorithm, bitString(signature));
  const lines =
    Buffer.from(bytes)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
