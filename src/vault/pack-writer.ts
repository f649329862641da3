// PackWriter: one open pack, written alike on each of its mirrors, group by group.
//
// Invariants: the next group's commit record is not written before every mirror has synced the one before; a mirror whose write or
// sync failed is never written again, and with it the pack takes no more groups (the caller goes on in a new pack); what is
// indexed is what was synced on every mirror.
// Left out on purpose: which records wait (append-queue.ts), the footer (seal-pack.ts), copying to a mirror that failed (copy-pack.ts).

import {
  ArchiveError,
  type ArchiveId,
  assert,
  type DiskId,
  defined,
  type HybridTime,
  type PackId,
  sha256,
  type WriterId,
} from '../base/index.ts';
import type { DiskFile } from '../disk/index.ts';
import {
  blockSizeBytes,
  commitSizeBytes,
  encodeCommit,
  encodeHeader,
  groupPaddingBytes,
  isFactKind,
  type PackClassName,
  packRecordsMax,
} from '../format/index.ts';
import type { GroupImage } from './group-image.ts';
import { recordsBytesMax } from './limits.ts';
import { OpenIndex } from './open-index.ts';
import { openPath } from './paths.ts';
import { leavesOf, type MadeRecord, recordParts, spanOf, zeroBytes } from './record.ts';
import type { StoreDisk } from './store-disk.ts';

export type Mirror = { readonly store: StoreDisk; readonly file: DiskFile; good: boolean };

export type PackPlan = {
  readonly pack: PackId;
  readonly class: PackClassName;
  readonly writer: WriterId;
  readonly archive: ArchiveId;
  readonly created: HybridTime;
  readonly createdMonotonicMs: number;
};

export class PackWriter {
  readonly plan: PackPlan;
  readonly index = new OpenIndex();
  readonly mirrors: readonly Mirror[];
  /** End of what every mirror has synced: the next group begins here. */
  #endOffset = blockSizeBytes;
  #commitOffset: number | undefined;
  #groupCount = 0;
  #factBytes = 0;
  #recordBytes = 0;
  #headerWritten = false;
  #broken = false;

  private constructor(plan: PackPlan, mirrors: readonly Mirror[]) {
    this.plan = plan;
    this.mirrors = mirrors;
  }

  /** Opens a new pack on these disks. What cannot be made on every one of them is made on none. */
  static async create(plan: PackPlan, stores: readonly StoreDisk[]): Promise<PackWriter> {
    assert(stores.length > 0, 'a pack has a mirror');
    const tried = await Promise.allSettled(stores.map((store) => store.disk.open(openPath(plan.pack), 'create')));
    const mirrors: Mirror[] = [];
    let failure: { store: StoreDisk; reason: unknown } | undefined;
    tried.forEach((each, index) => {
      const store = defined(stores[index], 'a result for each disk');
      if (each.status === 'fulfilled') mirrors.push({ store, file: each.value, good: true });
      else failure = { store, reason: each.reason };
    });
    if (failure === undefined) return new PackWriter(plan, mirrors);
    await Promise.allSettled(
      mirrors.map(async (mirror) => {
        await mirror.file.close();
        await mirror.store.disk.remove(openPath(plan.pack));
      }),
    );
    throw new MirrorFault([failure.store.id], failure.reason);
  }

  get endOffset(): number {
    return this.#endOffset;
  }

  get broken(): boolean {
    return this.#broken;
  }

  get commitOffset(): number | undefined {
    return this.#commitOffset;
  }

  get groupCount(): number {
    return this.#groupCount;
  }

  get recordBytes(): number {
    return this.#recordBytes;
  }

  /** Whether this many records of this length still go in, footer included. */
  hasRoom(recordCount: number, sizeBytes: number, packBytesMax: number): boolean {
    if (this.index.count + recordCount > packRecordsMax) return false;
    const after = this.#endOffset + sizeBytes;
    return this.index.count === 0 || (after <= packBytesMax && after + this.#factBytes <= recordsBytesMax);
  }

  /**
   * Durable on every mirror when it resolves. On failure none of these records is in the pack as far as anyone may rely on it, and the
   * pack takes no more: append them, as they are, to another. `image`: where these records, in this order, were put together.
   */
  async writeGroup(records: readonly MadeRecord[], hybrid: HybridTime, image?: GroupImage): Promise<void> {
    assert(records.length > 0, 'a group has a record');
    assert(!this.#broken, 'a broken pack takes no more groups');
    const groupOffset = this.#endOffset;
    const sizeBytes = records.reduce((sum, record) => sum + spanOf(record), 0);
    const commitOffset = groupOffset + sizeBytes + groupPaddingBytes(sizeBytes);
    const commit = encodeCommit({
      writer: this.plan.writer,
      hybrid,
      number: this.#groupCount,
      recordCount: records.length,
      inFooter: false,
      groupOffset,
      previousCommitOffset: this.#commitOffset,
      recordCountSoFar: this.index.count + records.length,
      leavesDigest: sha256(leavesOf(records)),
    });
    const header = this.#headerWritten ? undefined : encodeHeader(this.plan);
    const writeOffset = header === undefined ? groupOffset : 0;
    const parts = image === undefined ? groupParts(records, commit, header) : [image.bytes(commit, header)];
    await this.#onEveryMirror((file) => file.writeDurably(writeOffset, parts));
    this.#headerWritten = true;
    this.#commitOffset = commitOffset;
    this.#endOffset = commitOffset + commitSizeBytes;
    assert(this.#endOffset % blockSizeBytes === 0, 'a group ends at a block');
    this.#groupCount += 1;
    this.#indexRecords(records, groupOffset);
  }

  async #onEveryMirror(work: (file: DiskFile) => Promise<void>): Promise<void> {
    const done = await Promise.allSettled(this.mirrors.map((mirror) => work(mirror.file)));
    const failed: DiskId[] = [];
    let cause: unknown;
    done.forEach((each, index) => {
      if (each.status === 'fulfilled') return;
      const mirror = defined(this.mirrors[index], 'a result for each mirror');
      mirror.good = false;
      failed.push(mirror.store.id);
      cause = each.reason;
    });
    if (failed.length === 0) return;
    this.#broken = true;
    throw new MirrorFault(failed, cause);
  }

  #indexRecords(records: readonly MadeRecord[], groupOffset: number): void {
    let offset = groupOffset;
    for (const record of records) {
      this.index.add({
        id: record.id,
        offset,
        sizeBytes: record.head.byteLength + record.body.byteLength,
        kind: record.kind,
        group: record.group,
        hybrid: record.hybrid,
        plainSizeBytes: record.plainSizeBytes,
        codec: record.codec,
        cipher: record.cipher,
        leaf: record.leaf,
      });
      const span = spanOf(record);
      offset += span;
      this.#recordBytes += span;
      if (isFactKind(record.kind)) this.#factBytes += span;
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.mirrors.map((mirror) => mirror.file.close()));
  }
}

function groupParts(
  records: readonly MadeRecord[],
  commit: Uint8Array,
  header: Uint8Array | undefined,
): readonly Uint8Array[] {
  const parts = recordParts(records);
  const paddingBytes = groupPaddingBytes(records.reduce((sum, record) => sum + spanOf(record), 0));
  if (paddingBytes > 0) parts.push(zeroBytes(paddingBytes));
  parts.push(commit);
  return header === undefined ? parts : [header, ...parts];
}

/** Some mirrors failed: which, and why. The others hold what they held. */
export class MirrorFault extends ArchiveError {
  readonly disks: readonly DiskId[];

  constructor(disks: readonly DiskId[], cause: unknown) {
    const why = cause instanceof ArchiveError ? cause : undefined;
    super(why?.code ?? 'DISK_IO', why?.message ?? 'a mirror failed', { cause });
    this.disks = disks;
  }
}
