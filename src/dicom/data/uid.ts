// UIDs: what one looks like, and making new ones.
//
// Keeps: a Uid is what the archive may use as a name: 1-64 characters, digits in components. Leading zeros in a component are wrong and common; such a UID
// passes, since refusing it would refuse the study. Padding (a trailing NUL, or a space from careless writers) is taken off before the check.
// New ones are 128 random bits under 2.25 (PS3.5 annex B.2), which needs no registered root.

import { assert, type Random } from '../../base/index.ts';

declare const branded: unique symbol;
export type Uid = string & { readonly [branded]: 'Uid' };

export const uidCharsMax = 64;

export function isUid(text: string): text is Uid {
  return text.length <= uidCharsMax && /^[0-9]+(?:\.[0-9]+)+$/.test(text);
}

/** The UID in a text that may carry padding, or undefined. */
export function parseUid(text: string): Uid | undefined {
  const trimmed = text.replace(/[\0 ]+$/, '');
  return isUid(trimmed) ? trimmed : undefined;
}

export function makeUid(random: Random): Uid {
  let number = 0n;
  for (const byte of random.bytes(16)) number = (number << 8n) | BigInt(byte);
  const uid = `2.25.${number}`;
  assert(isUid(uid), 'a UID of 128 bits fits into 64 characters');
  return uid;
}

/** Drawn once for this project. Peers log it, and some keep lists of what each implementation needs. */
export const implementationClassUid = '2.25.29451886520873377716229710758735888568' as Uid;
/** At most 16 characters. */
export const implementationVersionName = 'STELE_1';
