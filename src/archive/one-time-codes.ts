// One-time codes: TOTP (RFC 6238: HMAC-SHA-1, 30 seconds, six digits) and recovery codes.
//
// Invariants: pure; comparing takes as long for any code of the right length; a code is of one step, and who remembers the last step that was taken refuses it again.
// Left out on purpose: where secrets are kept and what was used (second-factors.ts).

import { createHmac, timingSafeEqual } from 'node:crypto';
import { hexOf, type Random, sha256, utf8Bytes } from '../base/index.ts';

const stepSeconds = 30;
/** Clocks of telephones and servers differ: the step before and the one after count, too. */
const driftSteps = 1;
const digits = 6;
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
export const secretBytes = 20;
export const recoveryCodesCount = 10;

/** RFC 4648, without padding. */
export function base32Of(bytes: Uint8Array): string {
  let [text, held, count] = ['', 0, 0];
  for (const byte of bytes) {
    held = (held << 8) | byte;
    count += 8;
    while (count >= 5) {
      count -= 5;
      text += alphabet[(held >>> count) & 31] ?? '';
    }
    held &= (1 << count) - 1;
  }
  return count === 0 ? text : text + (alphabet[(held << (5 - count)) & 31] ?? '');
}

export function codeOfStep(secret: Uint8Array, step: number): string {
  const counter = new Uint8Array(8);
  new DataView(counter.buffer).setBigUint64(0, BigInt(step));
  const mac = createHmac('sha1', secret).update(counter).digest();
  const offset = (mac.at(-1) ?? 0) & 15;
  return String((mac.readUInt32BE(offset) & 0x7fff_ffff) % 10 ** digits).padStart(digits, '0');
}

export function stepAt(ms: number): number {
  return Math.floor(ms / 1000 / stepSeconds);
}

/** The step of a code that fits now and is later than `after`; undefined: it does not fit, or was used. */
export function stepOfCode(secret: Uint8Array, code: string, nowMs: number, after: number): number | undefined {
  if (!/^\d{6}$/.test(code)) return undefined;
  let found: number | undefined;
  for (let step = stepAt(nowMs) - driftSteps; step <= stepAt(nowMs) + driftSteps; step += 1) {
    const isSame = timingSafeEqual(utf8Bytes(codeOfStep(secret, Math.max(0, step))), utf8Bytes(code));
    if (isSame && step > after) found ??= step;
  }
  return found;
}

/** What an authenticator reads from a picture. */
export function factorUrl(
  secret: Uint8Array,
  { issuer, user }: { readonly issuer: string; readonly user: string },
): string {
  const label = `${encodeURIComponent(issuer)}:${encodeURIComponent(user)}`;
  return `otpauth://totp/${label}?secret=${base32Of(secret)}&issuer=${encodeURIComponent(issuer)}&algorithm=SHA1&digits=${digits}&period=${stepSeconds}`;
}

/** 80 random bits, in groups of four characters. */
export function newRecoveryCode(random: Random): string {
  return (base32Of(random.bytes(10)).match(/.{4}/g) ?? []).join('-');
}

/** What is kept of a recovery code: random enough for a plain hash. */
export function hashOfRecoveryCode(code: string): string {
  return hexOf(sha256(utf8Bytes(code.toUpperCase().replace(/[^A-Z2-7]/g, ''))));
}
