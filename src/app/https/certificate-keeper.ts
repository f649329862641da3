// CertificateKeeper: what the HTTP doors show of themselves: a certificate of the operator's, or one of an authority of our own, renewed by itself.
//
// Invariants: our authority's key and the server's lie in the data folder for its owner only; a certificate is made anew a month before it ends, when the
// server answers to other names, or when it cannot be read; the authority lasts, since every workstation was told to trust it. What the operator gave is
// never changed, and read again when it was: a certificate that was renewed there needs no restart.
// Layout: <data>/tls/ca.crt, ca.key, server.crt, server.key.

import { X509Certificate } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import path from 'node:path';
import { createSecureContext } from 'node:tls';
import { ArchiveError, type Clock, type Random } from '../../base/index.ts';
import { addressBytes, type Identity, makeAuthority, makeServerIdentity } from './certificate.ts';

const dayMs = 86_400_000;
const authorityDays = 20 * 365;
/** What browsers take at most. */
const serverDays = 397;
const renewDaysBefore = 30;
/** Clocks of workstations may be behind. */
const backdatedMs = dayMs;
const serialBytes = 16;

export type KeeperOptions = {
  readonly folder: string;
  /** The operator's own, both or none. */
  readonly given: { readonly cert: string; readonly key: string } | undefined;
  /** Names and addresses beside those of this machine. */
  readonly names: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
};

export class CertificateKeeper {
  readonly #options: KeeperOptions;
  #shown: Identity | undefined;
  #authorityCert: string | undefined;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /** PEM of our own authority, for workstations to trust; undefined where the operator's certificate is shown. */
  get authority(): string | undefined {
    return this.#authorityCert;
  }

  /** The day on which what is shown ends. */
  get endsMs(): number | undefined {
    return this.#shown === undefined ? undefined : endOf(this.#shown.cert);
  }

  /**
   * What is to be shown now; `undefined` when that is what was shown before. To be asked at the start and once a day. CONFIG_INVALID when the operator's
   * files cannot be used, DISK_READ_ONLY when ours cannot be written.
   */
  renew(): Identity | undefined {
    const { given } = this.#options;
    const now = given === undefined ? this.#own() : readGiven(given);
    if (this.#shown?.cert === now.cert && this.#shown.key === now.key) return undefined;
    this.#shown = now;
    return now;
  }

  #own(): Identity {
    const nowMs = this.#options.clock.nowMs();
    const authority = this.#authority(nowMs);
    this.#authorityCert = authority.cert;
    const names = this.#names();
    const kept = this.#read('server');
    if (kept !== undefined && isGood(kept, authority, names, nowMs)) return kept;
    const untilMs = Math.min(nowMs + serverDays * dayMs, endOf(authority.cert));
    const times = { fromMs: nowMs - backdatedMs, untilMs: untilMs - backdatedMs };
    const made = makeServerIdentity(authority, names, times, this.#options.random.bytes(serialBytes));
    const identity = { ...made, cert: `${made.cert}${authority.cert}` };
    this.#write('server', identity);
    return identity;
  }

  #authority(nowMs: number): Identity & { readonly name: string } {
    const kept = this.#read('ca');
    // It is made again only when it could no longer sign for a year.
    if (kept !== undefined && endOf(kept.cert) > nowMs + serverDays * dayMs && fits(kept))
      return { ...kept, name: commonNameOf(kept.cert) };
    const { random } = this.#options;
    const name = `Stele ${Buffer.from(random.bytes(4)).toString('hex')} local authority`;
    const times = { fromMs: nowMs - backdatedMs, untilMs: nowMs + authorityDays * dayMs };
    const made = makeAuthority(name, times, random.bytes(serialBytes));
    this.#write('ca', made);
    return { ...made, name };
  }

  /** Under which names this machine is asked for. */
  #names(): readonly string[] {
    const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
    const own = addresses.filter((each) => !each.address.startsWith('fe80:')).map((each) => each.address);
    const host = /^[A-Za-z0-9.-]{1,253}$/.test(hostname()) ? [hostname()] : [];
    return [...new Set([...this.#options.names, ...host, 'localhost', ...own])];
  }

  #file(name: string): string {
    return path.join(this.#options.folder, 'tls', name);
  }

  #read(name: 'ca' | 'server'): Identity | undefined {
    const [cert, key] = [this.#file(`${name}.crt`), this.#file(`${name}.key`)];
    if (!existsSync(cert) || !existsSync(key)) return undefined;
    const identity = { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
    return fits(identity) ? identity : undefined;
  }

  /** The key first: a crash in between leaves a pair that does not fit, which is made again. */
  #write(name: 'ca' | 'server', identity: Identity): void {
    try {
      mkdirSync(path.join(this.#options.folder, 'tls'), { recursive: true, mode: 0o700 });
      for (const [end, text, mode] of [
        ['key', identity.key, 0o600],
        ['crt', identity.cert, 0o644],
      ] as const) {
        const file = this.#file(`${name}.${end}`);
        writeFileSync(`${file}.new`, text, { mode });
        chmodSync(`${file}.new`, mode);
        renameSync(`${file}.new`, file);
      }
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
      throw new ArchiveError(
        code === 'ENOSPC' ? 'DISK_FULL' : 'DISK_READ_ONLY',
        `the certificate of this server cannot be written to the data folder (${code})`,
        { cause: error },
      );
    }
  }
}

function readGiven({ cert, key }: { readonly cert: string; readonly key: string }): Identity {
  const read = (name: string, file: string): string => {
    try {
      return readFileSync(file, 'utf8');
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
      throw new ArchiveError('CONFIG_INVALID', `${name} names a file that cannot be read (${code})`, { cause: error });
    }
  };
  const identity = { cert: read('http_tls_cert', cert), key: read('http_tls_key', key) };
  if (!fits(identity))
    throw new ArchiveError('CONFIG_INVALID', 'http_tls_cert and http_tls_key are no certificate and its key', {
      hint: 'give the certificate with those that sign it, and its key, as PEM without a passphrase',
    });
  return identity;
}

/** Whether a listener can show it. */
function fits(identity: Identity): boolean {
  try {
    createSecureContext(identity);
    return true;
  } catch {
    return false;
  }
}

function isGood(identity: Identity, authority: Identity, names: readonly string[], nowMs: number): boolean {
  const certificate = new X509Certificate(identity.cert);
  const isSigned = certificate.checkIssued(new X509Certificate(authority.cert));
  const isLong = endOf(identity.cert) - renewDaysBefore * dayMs > nowMs && Date.parse(certificate.validFrom) <= nowMs;
  return isSigned && isLong && names.every((name) => saysName(certificate, name));
}

function saysName(certificate: X509Certificate, name: string): boolean {
  if (certificate.checkHost(name, { subject: 'never' }) !== undefined) return true;
  return name.includes(':') || /^[\d.]+$/.test(name)
    ? addressBytes(name).byteLength > 0 && certificate.checkIP(name) !== undefined
    : false;
}

const endOf = (cert: string): number => Date.parse(new X509Certificate(cert).validTo);
const commonNameOf = (cert: string): string => /CN=(.*)/.exec(new X509Certificate(cert).subject)?.[1] ?? '';
