// Storage commitment: promises that were asked for, kept until they were given and the asker has heard.
//
// Invariants: "committed" is said only of instances whose every record was read back from its medium on as many disks as are asked for; what may still
// become so is pending and asked again later, for days, across restarts; a request is forgotten when its answer was taken, or when nobody took it
// for `keptMs`. Site rows in the control stream: they survive the loss of the database.
// Left out on purpose: how the asker is reached (the DICOM door).

import { ArchiveError, type Clock, isArchiveError, type TenantId, tenantId } from '../base/index.ts';
import type { Catalog, JsonObject, SiteTable } from '../catalog/index.ts';
import type { Vault } from '../vault/index.ts';
import type { Accounts } from './accounts.ts';

export type CommitmentItem = { readonly classUid: string; readonly instanceUid: string };

export type Commitment = {
  readonly key: string;
  readonly title: string;
  readonly transaction: string;
  readonly tenant: TenantId;
  readonly items: readonly CommitmentItem[];
  readonly askedMs: number;
  readonly tries: number;
  readonly nextMs: number;
};

export type Verdict = 'committed' | 'pending' | 'unknown-instance' | 'other-class';
export type JudgedItem = CommitmentItem & { readonly verdict: Verdict };

/** What one request may name: a site row holds it. */
export const commitmentItemsMax = 5000;
const tableName = 'commitments';
const keptMs = 7 * 86_400_000;
const firstRetryMs = 15_000;
const retryMsMax = 60 * 60_000;

export class Commitments {
  readonly #vault: Vault;
  readonly #catalog: Catalog;
  readonly #accounts: Accounts;
  readonly #clock: Clock;
  readonly #copies: number;
  readonly #table: SiteTable<Commitment>;

  constructor(parts: { vault: Vault; catalog: Catalog; accounts: Accounts; clock: Clock; copies: number }) {
    this.#vault = parts.vault;
    this.#catalog = parts.catalog;
    this.#accounts = parts.accounts;
    this.#clock = parts.clock;
    this.#copies = parts.copies;
    this.#table = parts.catalog.site.table(tableName, commitmentOf);
  }

  /** Notes a request. Durable when it resolves; safe to repeat. LIMIT_EXCEEDED. */
  async ask(request: Pick<Commitment, 'title' | 'transaction' | 'tenant' | 'items'>): Promise<Commitment> {
    if (request.items.length > commitmentItemsMax)
      throw new ArchiveError('LIMIT_EXCEEDED', `a commitment names at most ${commitmentItemsMax} instances`);
    const nowMs = Math.floor(this.#clock.nowMs());
    const key = `${request.title}/${request.transaction}`;
    const commitment: Commitment = { ...request, key, askedMs: nowMs, tries: 0, nextMs: nowMs };
    await this.#write(commitment);
    return commitment;
  }

  /** Those whose time has come, and when the next one's will. */
  async due(): Promise<{ readonly due: readonly Commitment[]; readonly nextMs: number | undefined }> {
    const all = (await this.#table.list()).map((each) => each.row);
    const nowMs = this.#clock.nowMs();
    const later = all.filter((each) => each.nextMs > nowMs).map((each) => each.nextMs);
    return {
      due: all.filter((each) => each.nextMs <= nowMs),
      nextMs: later.length === 0 ? undefined : Math.min(...later),
    };
  }

  /** What can be promised of each instance now. */
  async judge(commitment: Commitment): Promise<JudgedItem[]> {
    const judged: JudgedItem[] = [];
    for (const item of commitment.items) judged.push({ ...item, verdict: await this.#judgeItem(commitment, item) });
    return judged;
  }

  async #judgeItem({ tenant }: Commitment, item: CommitmentItem): Promise<Verdict> {
    const [claim] = await this.#catalog.instances.claims(tenant, item.instanceUid);
    if (claim === undefined) return 'unknown-instance';
    if (claim.classUid !== item.classUid) return 'other-class';
    const row = await this.#catalog.objects.version(claim.id, item);
    if (row?.ref === undefined) return 'pending';
    try {
      for await (const { id } of this.#vault.contents.records(row.ref)) {
        if ((await this.#vault.reader.countGoodCopies(id)) < this.#copies) return 'pending';
      }
      // The entry or bundle that names it, too: without it nobody finds the bytes.
      return (await this.#vault.reader.countGoodCopies(row.bundle ?? row.version.record)) < this.#copies
        ? 'pending'
        : 'committed';
    } catch (error) {
      if (isArchiveError(error, 'CLOSED') || !(error instanceof ArchiveError)) throw error;
      return 'pending';
    }
  }

  /** The asker has taken the answer. */
  async done(commitment: Commitment): Promise<void> {
    await this.#accounts.write([{ table: tableName, key: commitment.key, row: null }]);
  }

  /** Later again, ever less often; given up when it was asked for too long ago. */
  async later(commitment: Commitment): Promise<void> {
    const nowMs = Math.floor(this.#clock.nowMs());
    if (nowMs - commitment.askedMs > keptMs) return this.done(commitment);
    const waitMs = Math.min(retryMsMax, firstRetryMs * 2 ** Math.min(commitment.tries, 20));
    await this.#write({ ...commitment, tries: commitment.tries + 1, nextMs: nowMs + waitMs });
  }

  async #write(commitment: Commitment): Promise<void> {
    const row: JsonObject = {
      title: commitment.title,
      transaction: commitment.transaction,
      tenant: commitment.tenant,
      items: commitment.items.map((item) => [item.classUid, item.instanceUid]),
      askedMs: commitment.askedMs,
      tries: commitment.tries,
      nextMs: commitment.nextMs,
    };
    await this.#accounts.write([{ table: tableName, key: commitment.key, row }]);
  }
}

function commitmentOf(row: JsonObject): Commitment | undefined {
  const { title, transaction, tenant, items, askedMs, tries, nextMs } = row;
  if (typeof title !== 'string' || typeof transaction !== 'string' || typeof tenant !== 'number') return undefined;
  if (typeof askedMs !== 'number' || typeof tries !== 'number' || typeof nextMs !== 'number') return undefined;
  if (!Array.isArray(items)) return undefined;
  return {
    key: `${title}/${transaction}`,
    title,
    transaction,
    tenant: tenantId(tenant),
    items: items.flatMap((item) =>
      Array.isArray(item) ? [{ classUid: String(item[0]), instanceUid: String(item[1]) }] : [],
    ),
    askedMs,
    tries,
    nextMs,
  };
}
