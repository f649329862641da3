// Verification of one copy of a pack: every byte of it read back from the medium and held against what it says of itself.
//
// Invariants: reads go past the page cache, or the report says `cached`; one window and one record in memory; it can stop at any record and go on
// from there; it changes nothing. A pack is good when its header, every group, its footer and its locator are, and the root over its records
// is the one its locator names.

import { bytesEqual, concatBytes, isArchiveError, isZero, Sha256, sha256, toArchiveError } from '../base/index.ts';
import { releaseBytes } from '../codec/index.ts';
import type { DiskFile } from '../disk/index.ts';
import { blockSizeBytes, decodeHeader, type Locator, leafOf, MerkleRoot, recordSpanBytes } from '../format/index.ts';
import { PackCopy } from './pack-copy.ts';
import type { PlacementKind } from './register.ts';
import { readAround, type Walked, Window, walkRecords } from './walk.ts';

export type Problem = { readonly offset: number; readonly sizeBytes: number; readonly what: ProblemKind };

export type ProblemKind = 'header' | 'locator' | 'record' | 'padding' | 'group' | 'footer' | 'root' | 'unreadable';

export type Verdict = {
  readonly problems: readonly Problem[];
  readonly checkedBytes: number;
  readonly recordCount: number;
  /** True when the file system has no way past its cache: then the medium itself was not proven. */
  readonly cached: boolean;
};

/** Problems noted for one copy; beyond it the copy is replaced whole anyway. */
export const problemsMax = 1000;
const windowBytes = 2 * 1024 * 1024;

export type VerifyOptions = {
  readonly file: DiskFile;
  readonly kind: PlacementKind;
  /** Waits as long as the throttle asks after so many bytes; throws CLOSED to stop. */
  readonly pace: (bytes: number) => Promise<void>;
};

export async function verifyCopy(options: VerifyOptions): Promise<Verdict> {
  const { file } = options;
  const problems: Problem[] = [];
  const note = (what: ProblemKind, offset: number, sizeBytes: number): void => {
    if (problems.length < problemsMax) problems.push({ what, offset, sizeBytes });
  };
  let cached = false;
  let checkedBytes = 0;
  const read = async (offset: number, length: number): Promise<Uint8Array> => {
    const result = await file.readUncached(offset, length);
    cached ||= result.cached;
    checkedBytes += result.bytes.byteLength;
    await options.pace(result.bytes.byteLength);
    return result.bytes;
  };
  const sizeBytes = await file.sizeBytes();
  try {
    decodeHeader(await read(0, blockSizeBytes));
  } catch (error) {
    rethrowUnlessDamage(error);
    note('header', 0, blockSizeBytes);
  }
  const locator = await new PackCopy(file, options.kind).locator().catch((error: unknown) => {
    rethrowUnlessDamage(error);
    return undefined;
  });
  if (locator === undefined) {
    note('locator', Math.max(0, sizeBytes - blockSizeBytes), blockSizeBytes);
    return { problems, checkedBytes, recordCount: 0, cached };
  }
  const recordCount = options.kind === 'pack' ? await verifyGroups(read, locator, note) : locator.recordCount;
  await verifyFooter(read, locator, options.kind, note);
  return { problems, checkedBytes, recordCount, cached };
}

type Note = (what: ProblemKind, offset: number, sizeBytes: number) => void;
type Read = (offset: number, length: number) => Promise<Uint8Array>;

/** A sector that cannot be read is damage to report, piece by piece, and not the end of the verification. */
function around(read: Read, note: Note): Read {
  return readAround(read, (offset, sizeBytes) => note('unreadable', offset, sizeBytes));
}

function noteRecord(record: Walked & { kind: 'record' }, note: Note): void {
  const sizeBytes = record.head.bytes.byteLength + record.head.bodySizeBytes;
  if (!record.bodyGood) note('record', record.offset, sizeBytes);
  else if (!record.paddingGood) note('padding', record.offset + sizeBytes, recordSpanBytes(record.head) - sizeBytes);
}

async function verifyGroups(read: Read, locator: Locator, note: Note): Promise<number> {
  const tree = new MerkleRoot();
  const to = locator.footerOffset;
  const window = new Window(around(read, note), to, windowBytes);
  let leaves: Uint8Array[] = [];
  let recordCount = 0;
  let groupNumber = 0;
  let countedSoFar = 0;
  let groupOffset = blockSizeBytes;
  for await (const each of walkRecords({ window, from: blockSizeBytes, to, bodies: () => true })) {
    switch (each.kind) {
      case 'damage':
        note('record', each.offset, each.sizeBytes);
        break;
      case 'record': {
        const leaf = leafOf(each.head.bytes);
        leaves.push(leaf);
        tree.add(leaf);
        recordCount += 1;
        noteRecord(each, note);
        releaseBytes(each.body);
        break;
      }
      case 'commit': {
        const { commit } = each;
        const whole =
          commit.number === groupNumber &&
          commit.groupOffset === groupOffset &&
          commit.recordCount === leaves.length &&
          commit.recordCountSoFar === countedSoFar + commit.recordCount &&
          bytesEqual(sha256(concatBytes(leaves)), commit.leavesDigest);
        if (!whole) note('group', commit.groupOffset, each.offset - commit.groupOffset);
        leaves = [];
        groupNumber = commit.number + 1;
        // As it says itself: what one group lacks is not held against the next.
        countedSoFar = commit.recordCountSoFar;
        groupOffset = Math.ceil((each.offset + 1) / blockSizeBytes) * blockSizeBytes;
        break;
      }
    }
  }
  if (recordCount !== locator.recordCount || !bytesEqual(tree.root(), locator.root)) note('root', 0, 0);
  return recordCount;
}

async function verifyFooter(read: Read, locator: Locator, kind: PlacementKind, note: Note): Promise<void> {
  const from = kind === 'pack' ? locator.footerOffset : blockSizeBytes;
  const to = from + locator.footerSizeBytes;
  const digest = new Sha256();
  for (let done = 0; done < locator.footerSizeBytes; ) {
    const bytes = await around(read, note)(from + done, Math.min(windowBytes, locator.footerSizeBytes - done));
    if (bytes.byteLength === 0) break;
    digest.update(bytes);
    done += bytes.byteLength;
  }
  if (!bytesEqual(digest.digest(), locator.footerDigest)) {
    // Where exactly, so that another copy that is rotten elsewhere can still help.
    let exact = false;
    const noteExact: Note = (what, offset, sizeBytes) => {
      exact = true;
      note(what, offset, sizeBytes);
    };
    const window = new Window(
      around(read, () => undefined),
      to,
      windowBytes,
    );
    for await (const each of walkRecords({ window, from, to, bodies: () => true })) {
      if (each.kind === 'damage') noteExact('footer', each.offset, each.sizeBytes);
      else if (each.kind === 'record')
        noteRecord(each, (_, offset, sizeBytes) => noteExact('footer', offset, sizeBytes));
    }
    if (!exact) note('footer', from, locator.footerSizeBytes);
  }
  if (kind === 'footer') return;
  // The gap before the locator is zeros on every medium.
  const gapFrom = locator.footerOffset + locator.footerSizeBytes;
  const gap = await around(read, note)(gapFrom, locator.packSizeBytes - blockSizeBytes - gapFrom);
  if (!isZero(gap)) note('footer', gapFrom, gap.byteLength);
}

/** Whether footer and gap of a sealed pack are as its locator says: quick, and no word on its records. */
export async function isFooterWhole(file: DiskFile, locator: Locator): Promise<boolean> {
  const problems: Problem[] = [];
  const read: Read = (offset, length) => file.read(offset, length);
  await verifyFooter(read, locator, 'pack', (what, offset, sizeBytes) => problems.push({ what, offset, sizeBytes }));
  return problems.length === 0;
}

function rethrowUnlessDamage(error: unknown): void {
  const fault = toArchiveError(error, 'INTERNAL', 'verification failed');
  const damage = ['DISK_IO', 'PACK_CORRUPT', 'PACK_TRUNCATED', 'PACK_NEWER', 'RECORD_CORRUPT'].some(
    (code) => fault.code === code,
  );
  if (!damage) throw fault;
}

/** Whether this failure says that the file is gone rather than damaged. */
export function isGone(error: unknown): boolean {
  return isArchiveError(error, 'FILE_MISSING') || isArchiveError(error, 'DISK_MISSING');
}
