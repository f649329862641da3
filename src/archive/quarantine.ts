// The quarantine: what was sent to be an instance and cannot be read, kept for people to look at. The sender was told that it is not stored.
//
// Invariants: what came is kept as it came, up to a limit; an object here is no instance and is found by day and sender alone; keeping it never hides why it was
// refused: whatever goes wrong here, the sender hears the first error.

import { ArchiveError, type Clock, type Random, type TenantId, utf8Bytes } from '../base/index.ts';
import { encodeObjectEntry, recordKind } from '../format/index.ts';
import type { ContentHints, Vault } from '../vault/index.ts';
import { newGroup, newObjectId } from './objects.ts';

export const quarantineBucket = 'quarantine';
/** Of one object; what comes beyond is passed over. */
const quarantineBytesMax = 256 * 1024 * 1024;
const asBytes: ContentHints = { hintAt: () => ({ kind: 'bytes', effort: 'fast' }) };

type ContentWriter = ReturnType<Vault['contentWriter']>;
type Sent = { readonly tenant: TenantId; readonly syntax: string; readonly source?: string | undefined };

/** What came so far was written; the rest still comes. */
export type Quarantined = {
  readonly writer: ContentWriter;
  readonly pieces: AsyncGenerator<Uint8Array>;
  readonly error: unknown;
};

export class Quarantine {
  readonly #vault: Vault;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(parts: { vault: Vault; clock: Clock; random: Random }) {
    this.#vault = parts.vault;
    this.#clock = parts.clock;
    this.#random = parts.random;
  }

  /** The same for what is still in memory. */
  async keepHeld(
    sent: Sent,
    bad: Omit<Quarantined, 'writer'> & { readonly held: readonly Uint8Array[] },
  ): Promise<void> {
    const group = newGroup(sent.tenant, this.#clock, this.#random);
    const writer = this.#vault.contentWriter('ingest', group, asBytes);
    for (const piece of bad.held) await writer.write(piece);
    await this.keep(sent, { ...bad, writer });
  }

  async keep(sent: Sent, { writer, pieces, error }: Quarantined): Promise<void> {
    // Only what is wrong with the bytes makes them worth keeping.
    if (!(error instanceof ArchiveError)) return;
    try {
      for (let next = await pieces.next(); next.done !== true; next = await pieces.next())
        if (writer.sizeBytes < quarantineBytesMax) await writer.write(next.value);
    } catch {
      // The sender broke off as well: what came is kept.
    }
    if (writer.sizeBytes === 0) return;
    const id = newObjectId(this.#clock, this.#random);
    const createdMs = Math.floor(this.#clock.nowMs());
    const day = new Date(createdMs).toISOString().slice(0, 10);
    const sender = (sent.source ?? 'unknown').replaceAll('/', '_');
    await writer.finish((content) => [
      {
        kind: recordKind.entry,
        group: writer.group,
        plain: encodeObjectEntry({
          type: 'object',
          id,
          bucket: quarantineBucket,
          key: utf8Bytes(`${day}/${sender}/${id}`),
          sizeBytes: content.sizeBytes,
          digest: content.digest,
          ref: content.ref,
          first: content.first,
          createdMs,
          state: 'live',
          mode: undefined,
          mtimeMs: undefined,
          contentType: undefined,
          meta: { code: error.code, why: error.message, syntax: sent.syntax },
        }),
      },
    ]);
  }
}
