// What is told of the audit: its events, and whether they are all there.
//
// Invariants: listing asks the table, checking the packs; both write what waits first, so that whoever asks sees what was done until then; a pack that is written anew
// while the check runs is read where it lies then.

import { isAuditGroup, type PackId, toArchiveError } from '../base/index.ts';
import type { Vault } from '../vault/index.ts';
import type { Audit } from './audit.ts';
import type { ChainEnd } from './audit-event.ts';
import type { AuditCursor, AuditFilter, AuditIndex, AuditPage } from './audit-index.ts';
import { AuditChecker, type AuditVerdict } from './audit-verify.ts';

const packsPage = 100;
/** Looks for packs that came while others were read. */
const roundsMax = 10;

export class AuditLog {
  readonly #audit: Audit;
  readonly #index: AuditIndex;
  readonly #vault: Vault;

  constructor(parts: { audit: Audit; index: AuditIndex; vault: Vault }) {
    this.#audit = parts.audit;
    this.#index = parts.index;
    this.#vault = parts.vault;
  }

  /** A page of events, newest first. */
  async list(filter: AuditFilter, options: { limit: number; after?: AuditCursor | undefined }): Promise<AuditPage> {
    // What cannot be written now is listed later; listing goes on.
    await this.#audit.flush().catch(() => undefined);
    return this.#index.list(filter, options);
  }

  /** Reads every event from the packs. `written`: ends of chains that were written down elsewhere. */
  async verify(written: readonly ChainEnd[], onPack: (done: number) => void): Promise<AuditVerdict> {
    await this.#audit.flush();
    const known = [
      ...(await this.#index.ends()).map((end) => ({ ...end, whence: 'the table' })),
      ...written.map((end) => ({ ...end, whence: 'what was written down' })),
    ];
    await this.#vault.sealOpen('all');
    const checker = new AuditChecker();
    const done = new Set<PackId>();
    for (let round = 0; round < roundsMax; round += 1) {
      const packs = (await this.#controlPacks()).filter((pack) => !done.has(pack));
      if (packs.length === 0) break;
      for (const pack of packs) {
        await this.#take(pack, checker);
        done.add(pack);
        onPack(done.size);
      }
    }
    return checker.end(known);
  }

  async #take(pack: PackId, checker: AuditChecker): Promise<void> {
    checker.beginPack();
    try {
      await this.#vault.readFacts(pack, () => {
        checker.beginAgain();
        return async (facts) => {
          for (const fact of facts) if (isAuditGroup(fact.group)) checker.take(fact);
        };
      });
    } catch (error) {
      checker.beginAgain();
      // Let go meanwhile: what was in it is in a pack that is still to come.
      if ((await this.#vault.register.pack(pack)) === undefined) return;
      checker.lackPack(pack, toArchiveError(error, 'INTERNAL', '').code);
    }
  }

  async #controlPacks(): Promise<PackId[]> {
    const packs: PackId[] = [];
    for (let after: PackId | undefined; ; ) {
      const page = await this.#vault.register.packsAfter(after, packsPage, 'control');
      for (const { pack } of page) packs.push(pack);
      after = page.at(-1)?.pack;
      if (page.length < packsPage) return packs;
    }
  }
}
