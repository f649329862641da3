// Passwords: how they are kept and compared, and what a good one is.
//
// Invariants: kept as scrypt's output with its own salt and cost, so it cannot be read back and the cost can grow; a comparison takes as long for a name that nobody has
// as for a wrong password; a bounded number is compared at once, since each takes 32 MiB and a tenth of a second or more.
// The rule (GB/T 22239, level 3, asks for complexity): 16 characters and more of any kind, or 8 and more of three kinds (small letters, capitals, digits, others); never
// the name itself, nor one of those that everybody tries first.

import { scrypt, timingSafeEqual } from 'node:crypto';
import { ArchiveError, base64Of, bytesOfBase64, type Random, utf8Bytes } from '../base/index.ts';

/** 32 MiB and three passes. */
const cost = { N: 32_768, r: 8, p: 3 } as const;
const memoryBytesMax = 256 * 1024 * 1024;
const hashBytes = 32;
const saltBytes = 16;
export const passwordCharsMin = 8;
export const passwordCharsMax = 1024;
const longChars = 16;
/** Two of the four threads that Node also reads files with. */
const checksMax = 2;
const waitingMax = 32;

/** Parts of what is tried first; compared without case. */
const commonParts = [
  'password',
  'passw0rd',
  '12345678',
  '87654321',
  'qwertyui',
  'abcd1234',
  'admin123',
  'administrator',
  'letmein',
  'iloveyou',
];

type Cost = { readonly N: number; readonly r: number; readonly p: number };
type Kept = { readonly cost: Cost; readonly salt: Uint8Array; readonly hash: Uint8Array };

/** Compared with when there is no such user, so that it takes as long. */
const decoy: Kept = { cost, salt: new Uint8Array(saltBytes), hash: new Uint8Array(hashBytes) };

export class Passwords {
  readonly #random: Random;
  #checking = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  async keep(password: string): Promise<string> {
    const salt = this.#random.bytes(saltBytes);
    const hash = await this.#derive(password, cost, salt);
    return `scrypt$${cost.N}$${cost.r}$${cost.p}$${base64Of(salt)}$${base64Of(hash)}`;
  }

  /** Whether it is the password that was kept; `kept` undefined: there is none, which takes as long. BUSY. */
  async matches(password: string, kept: string | undefined): Promise<boolean> {
    const found = kept === undefined ? undefined : keptOf(kept);
    const against = found ?? decoy;
    const hash = await this.#derive(password.slice(0, passwordCharsMax), against.cost, against.salt);
    return timingSafeEqual(hash, against.hash) && found !== undefined;
  }

  /** Whether it was kept with another cost than is asked for now. */
  isOld(kept: string): boolean {
    const found = keptOf(kept)?.cost;
    return found === undefined || found.N !== cost.N || found.r !== cost.r || found.p !== cost.p;
  }

  async #derive(password: string, { N, r, p }: Cost, salt: Uint8Array): Promise<Uint8Array> {
    if (this.#checking >= checksMax) {
      if (this.#waiting.length >= waitingMax) throw new ArchiveError('BUSY', 'too many passwords are being checked');
      // Who lets go hands its place on.
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else this.#checking += 1;
    try {
      return await derive(password, { N, r, p, maxmem: memoryBytesMax + 1024 * 1024 }, salt);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#checking -= 1;
      else next();
    }
  }
}

function derive(password: string, how: Cost & { readonly maxmem: number }, salt: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    scrypt(utf8Bytes(password.normalize('NFC')), salt, hashBytes, how, (error, key) => {
      if (error === null) resolve(key);
      else reject(new ArchiveError('INTERNAL', 'scrypt failed', { cause: error }));
    });
  });
}

/** undefined: it was kept in a way that this version does not know, or that would cost more than it may. */
function keptOf(text: string): Kept | undefined {
  const [name, n, r, p, salt, hash] = text.split('$');
  const [N, R, P] = [Number(n), Number(r), Number(p)];
  if (name !== 'scrypt' || salt === undefined || hash === undefined) return undefined;
  const isFit = [N, R, P].every((each) => Number.isSafeInteger(each) && each >= 1) && (N & (N - 1)) === 0;
  if (!isFit || 128 * N * R > memoryBytesMax || P > 16) return undefined;
  const bytes = bytesOfBase64(hash);
  return bytes.byteLength === hashBytes
    ? { cost: { N, r: R, p: P }, salt: bytesOfBase64(salt), hash: bytes }
    : undefined;
}

/** ARGUMENT_INVALID: nobody may have it. */
export function checkPasswordLength(password: string): void {
  if (password.length < passwordCharsMin || password.length > passwordCharsMax)
    throw new ArchiveError('ARGUMENT_INVALID', `a password has ${passwordCharsMin} to ${passwordCharsMax} characters`);
}

/** What is weak about it; undefined: nothing. */
export function weaknessOf(password: string, name: string): string | undefined {
  const folded = password.toLowerCase();
  if (folded.includes(name.toLowerCase()) && name.length >= 3) return 'it holds the name of its user';
  if (new Set(password).size < 5) return 'it repeats a few characters';
  if (password.length < 24 && commonParts.some((part) => folded.includes(part))) return 'it is one that is tried first';
  if (password.length >= longChars) return undefined;
  const kinds = [/\p{Ll}/u, /\p{Lu}/u, /\p{Nd}/u, /[^\p{Ll}\p{Lu}\p{Nd}]/u].filter((kind) => kind.test(password));
  if (kinds.length >= 3) return undefined;
  return `it has fewer than ${longChars} characters, and not three kinds of them (small letters, capitals, digits, others)`;
}
