// Applier: brings durable facts into the catalog, in the order of each stream, with the sequence they bring it to.
//
// Invariants: a stream's applied sequence never passes a fact that was not applied: when applying fails once, the stream's later groups fail
// too until a restart, which hands the missing facts on again; a fact that cannot be opened because its key was destroyed is passed over, and one
// that is damaged or newer is counted and named; applying twice changes nothing.

import {
  ArchiveError,
  isArchiveError,
  isAuditGroup,
  type RecordId,
  recordIdText,
  toArchiveError,
  type WriterId,
} from '../base/index.ts';
import { type AppliedSequence, type Catalog, type CatalogChange, changesPerBatchMax } from '../catalog/index.ts';
import { decodeAuditRecord, type PackClassName } from '../format/index.ts';
import type { DurableGroup, FoundFact } from '../vault/index.ts';
import type { AuditFact, AuditIndex } from './audit-index.ts';
import { type Fact, project } from './project.ts';

export type PassedOver = { readonly record: string; readonly code: string };

const namedMax = 1000;

/** Rows that a change comes to. */
const weightOf = (change: CatalogChange): number => (change.kind === 'bundle' ? change.members.length : 1);

function auditFact({ hybrid, plain }: Fact): AuditFact {
  return { hybrid, record: decodeAuditRecord(plain) };
}

export class Applier {
  readonly #catalog: Catalog;
  readonly #audit: AuditIndex;
  readonly #failed = new Map<PackClassName, ArchiveError>();
  /** Facts that could not be read, the first of them by name. */
  readonly passedOver: PassedOver[] = [];
  passedOverCount = 0;
  shreddedCount = 0;

  constructor(catalog: Catalog, audit: AuditIndex) {
    this.#catalog = catalog;
    this.#audit = audit;
  }

  /** Whether some stream takes no more until a restart. */
  get failure(): ArchiveError | undefined {
    return this.#failed.values().next().value;
  }

  /** For the vault's onDurable. Committed in the catalog when it resolves. DATABASE_FAILED. */
  async apply(group: DurableGroup, stream: PackClassName): Promise<void> {
    const before = this.#failed.get(stream);
    if (before !== undefined) {
      throw new ArchiveError(
        before.code,
        `an earlier change of the ${stream} stream did not reach the catalog; restart to go on`,
        { cause: before },
      );
    }
    try {
      // Before the sequence that says they are there: a crash between repeats them.
      const audited = group.facts.filter((fact) => isAuditGroup(fact.group));
      if (audited.length > 0) await this.#audit.apply(audited.map(auditFact));
      const changes = group.facts.flatMap((fact) => (isAuditGroup(fact.group) ? [] : project(fact)));
      const applied = group.sequence === undefined ? [] : [{ writer: group.writer, sequence: group.sequence }];
      await this.#inBatches(changes, applied);
    } catch (error) {
      const failure = toArchiveError(error, 'DATABASE_FAILED', 'a durable change did not reach the catalog');
      this.#failed.set(stream, failure);
      throw failure;
    }
  }

  /** For the vault's recovery: facts that may not have been applied. */
  async take(facts: readonly FoundFact[]): Promise<void> {
    let changes: CatalogChange[] = [];
    let weight = 0;
    const audited: AuditFact[] = [];
    for (const { id, group, hybrid, plain } of facts) {
      if (weight >= changesPerBatchMax) {
        // A bundle is thousands of changes: they are not held until the last fact.
        await this.#inBatches(changes, []);
        [changes, weight] = [[], 0];
      }
      try {
        if (plain instanceof ArchiveError) throw plain;
        if (isAuditGroup(group)) audited.push(auditFact({ id, group, hybrid, plain }));
        else {
          const more = project({ id, group, hybrid, plain });
          changes.push(...more);
          for (const change of more) weight += weightOf(change);
        }
      } catch (error) {
        this.#passOver(id, error);
      }
    }
    await this.#audit.apply(audited);
    await this.#inBatches(changes, []);
  }

  /** Notes that all of these writers' records up to there were handed on. */
  async reached(writers: ReadonlyMap<WriterId, bigint>): Promise<void> {
    const applied = [...writers].map(([writer, sequence]) => ({ writer, sequence }));
    if (applied.length > 0) await this.#inBatches([], applied);
  }

  #passOver(id: RecordId, error: unknown): void {
    if (isArchiveError(error, 'KEY_SHREDDED')) {
      this.shreddedCount += 1;
      return;
    }
    // Without the keyring nothing can be told at all: that is for the operator to mend before going on.
    if (!(error instanceof ArchiveError) || error.code === 'KEY_MISSING') throw error;
    this.passedOverCount += 1;
    if (this.passedOver.length < namedMax) this.passedOver.push({ record: recordIdText(id), code: error.code });
  }

  async #inBatches(changes: readonly CatalogChange[], applied: readonly AppliedSequence[]): Promise<void> {
    for (let from = 0; from === 0 || from < changes.length; ) {
      let to = from;
      for (let weight = 0; to < changes.length && weight < changesPerBatchMax; to += 1)
        weight += weightOf(changes[to] as CatalogChange);
      const batch = changes.slice(from, to);
      // The sequence goes with the last batch: a crash before it repeats the whole group.
      await this.#catalog.applyBatch(batch, to >= changes.length ? applied : []);
      from = Math.max(to, 1);
    }
  }
}
