// A walk over the records of a pack from one offset to another, in the order they lie, that survives any damage.
//
// Invariants: every record yielded has a head that passes its checksum, and `bodyGood` says whether its body passes its digest (when
// bodies are asked for); what is neither record, commit record nor padding is yielded as damage, with its extent; after damage the walk goes on
// at the next multiple of 16 where a head is whole. Memory is one window and one record.
// Trap: with encryption off, content may itself be a pack; inside damage its records would look like ours. So callers that salvage confirm
// what they find against an index or a commit record where there is one.

import { assert, bytesEqual, concatBytes, emptyBytes, isArchiveError, isZero, roundUp, sha256 } from '../base/index.ts';
import { releaseBytes } from '../codec/index.ts';
import {
  blockSizeBytes,
  bodySizeBytesMax,
  type Commit,
  commitSizeBytes,
  decodeCommit,
  decodeHead,
  type Head,
  headExtraBytesMax,
  headSizeBytes,
  recordAlignBytes,
  recordKind,
  recordMark,
  recordSpanBytes,
} from '../format/index.ts';

export type Walked =
  | {
      readonly kind: 'record';
      readonly offset: number;
      readonly head: Head;
      /** Empty when bodies are not asked for. */
      readonly body: Uint8Array;
      readonly bodyGood: boolean;
      /** Whether the bytes up to the next multiple of 16 are the zeros they should be; looked at with the body. */
      readonly paddingGood: boolean;
    }
  | { readonly kind: 'commit'; readonly offset: number; readonly commit: Commit }
  | { readonly kind: 'damage'; readonly offset: number; readonly sizeBytes: number };

/** Fresh bytes, which are the caller's from then on. */
export type ReadBytes = (offset: number, length: number) => Promise<Uint8Array>;

export type WalkOptions = {
  readonly window: Window;
  readonly from: number;
  readonly to: number;
  /** Whether the body of this record is read and checked. */
  readonly bodies: (head: Head) => boolean;
};

const markBuffer = Buffer.from(recordMark);

/**
 * A stretch of a file kept while walking. Several walks over one file may share it. Walking on, every byte is read once: what is still wanted of the
 * stretch before is kept.
 */
export class Window {
  readonly #read: ReadBytes;
  readonly #to: number;
  readonly #sizeBytes: number;
  #bytes: Uint8Array = new Uint8Array(0);
  #offset = 0;

  /** `to`: nothing is read from there on. `sizeBytes`: the least that is read at a time. */
  constructor(read: ReadBytes, to: number, sizeBytes = 1024 * 1024) {
    assert(sizeBytes % blockSizeBytes === 0, 'a window is read in whole blocks');
    this.#read = read;
    this.#to = to;
    this.#sizeBytes = sizeBytes;
  }

  /** At least `length` bytes from `offset`, fewer only at the end: what torn bytes point at may lie beyond it. Valid until the next call. */
  async at(offset: number, length: number): Promise<Uint8Array> {
    if (offset >= this.#to) return emptyBytes;
    const wanted = Math.min(length, this.#to - offset);
    const end = this.#offset + this.#bytes.byteLength;
    if (offset < this.#offset || offset > end) {
      this.#bytes = await this.#readFrom(offset, wanted);
      this.#offset = offset;
    } else if (offset + wanted > end) {
      const kept = this.#bytes.subarray(offset - this.#offset);
      const more = await this.#readFrom(end, offset + wanted - end);
      this.#bytes = kept.byteLength === 0 ? more : concatBytes([kept, more]);
      this.#offset = offset;
      // Left to a collection, one of these for every window: tens of megabytes.
      if (kept.byteLength > 0) releaseBytes(more);
    }
    return this.#bytes.subarray(offset - this.#offset);
  }

  #readFrom(offset: number, wanted: number): Promise<Uint8Array> {
    return this.#read(offset, Math.min(roundUp(Math.max(wanted, this.#sizeBytes), blockSizeBytes), this.#to - offset));
  }
}

const headBytesMax = headSizeBytes + headExtraBytesMax;

/** Reads that go on past a medium's error: what cannot be read is told, block by block, and comes as zeros. */
export function readAround(read: ReadBytes, onUnreadable: (offset: number, sizeBytes: number) => void): ReadBytes {
  return async (offset, length) => {
    try {
      return await read(offset, length);
    } catch (error) {
      if (!isArchiveError(error, 'DISK_IO')) throw error;
    }
    const whole = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      const piece = Math.min(blockSizeBytes - ((offset + at) % blockSizeBytes), length - at);
      try {
        whole.set(await read(offset + at, piece), at);
      } catch (error) {
        if (!isArchiveError(error, 'DISK_IO')) throw error;
        onUnreadable(offset + at, piece);
      }
      at += piece;
    }
    return whole;
  };
}

export async function* walkRecords(options: WalkOptions): AsyncGenerator<Walked> {
  const { window } = options;
  let offset = options.from;
  while (offset < options.to) {
    const near = await window.at(offset, headBytesMax);
    if (near.byteLength === 0) return;
    const head = decodeHead(near);
    if (head === undefined || head === 'short') {
      const commitOffset = await commitBehindZeros(window, offset);
      if (commitOffset !== undefined) {
        offset = commitOffset;
        continue;
      }
      const next = await nextHead(window, offset, options.to);
      if (!next.padding) yield { kind: 'damage', offset, sizeBytes: next.offset - offset };
      offset = next.offset;
      continue;
    }
    if (head.kind === recordKind.commit) {
      const commit = decodeCommit((await window.at(offset, commitSizeBytes)).subarray(0, commitSizeBytes));
      if (commit === undefined) yield { kind: 'damage', offset, sizeBytes: commitSizeBytes };
      else yield { kind: 'commit', offset, commit };
      offset += commitSizeBytes;
      continue;
    }
    const end = offset + recordSpanBytes(head);
    if (!options.bodies(head)) {
      yield {
        kind: 'record',
        offset,
        head: ownHead(head),
        body: new Uint8Array(0),
        bodyGood: end <= options.to,
        paddingGood: true,
      };
      offset = end;
      continue;
    }
    const sizeBytes = head.bytes.byteLength + head.bodySizeBytes;
    const span = (await window.at(offset, end - offset)).subarray(0, end - offset);
    const body = span.slice(head.bytes.byteLength, sizeBytes);
    const paddingGood = isZero(span.subarray(sizeBytes));
    const bodyGood = body.byteLength === head.bodySizeBytes && bytesEqual(sha256(body), head.bodyDigest);
    yield { kind: 'record', offset, head: ownHead(head), body, bodyGood, paddingGood };
    // A body that fails may be a record written over by another: look for heads inside it as well.
    offset = bodyGood ? end : await afterBadBody(window, offset + head.bytes.byteLength, end, options.to);
  }
}

/** A head whose bytes outlive the window. */
export function ownHead(head: Head): Head {
  const bytes = head.bytes.slice();
  const base = head.bytes.byteOffset;
  const inside = (part: Uint8Array): Uint8Array =>
    bytes.subarray(part.byteOffset - base, part.byteOffset - base + part.byteLength);
  return {
    ...head,
    bytes,
    bodyDigest: inside(head.bodyDigest),
    nonce: head.nonce.byteLength === 0 ? head.nonce : inside(head.nonce),
  };
}

async function afterBadBody(window: Window, from: number, end: number, to: number): Promise<number> {
  // When a record stands where this one's successor should be, only the body is rotten.
  const next = decodeHead(await window.at(end, headBytesMax));
  if (end <= to && next !== undefined && next !== 'short') return end;
  const found = await nextHead(window, Math.ceil(from / recordAlignBytes) * recordAlignBytes, to);
  return Math.min(found.offset, Math.max(end, from));
}

/** The commit record that ends the block, when nothing but zeros lies before it: the usual end of a group, told without a look further. */
async function commitBehindZeros(window: Window, offset: number): Promise<number | undefined> {
  const commitOffset = roundUp(offset + commitSizeBytes, blockSizeBytes) - commitSizeBytes;
  const before = commitOffset - offset;
  if (before === 0) return undefined;
  const bytes = (await window.at(offset, before + commitSizeBytes)).subarray(0, before + commitSizeBytes);
  if (!isZero(bytes.subarray(0, before))) return undefined;
  return decodeCommit(bytes.subarray(before)) === undefined ? undefined : commitOffset;
}

/** The next multiple of 16 where a head is whole; `padding` when nothing but a group's zeros lies before it. */
async function nextHead(window: Window, from: number, to: number): Promise<{ offset: number; padding: boolean }> {
  let zeros = true;
  for (let offset = from; offset < to; ) {
    const bytes = await window.at(offset, bodySizeBytesMax);
    if (bytes.byteLength === 0) break;
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let place = buffer.indexOf(markBuffer);
    while (place >= 0) {
      if ((offset + place) % recordAlignBytes === 0) {
        const near = await window.at(offset + place, headBytesMax);
        const head = decodeHead(near);
        if (head !== undefined && head !== 'short') {
          const padding = zeros && head.kind === recordKind.commit && isZero(buffer.subarray(0, place));
          return { offset: offset + place, padding };
        }
      }
      place = buffer.indexOf(markBuffer, place + 1);
    }
    zeros = zeros && isZero(buffer);
    // A mark may lie across two windows.
    const step = Math.max(
      recordAlignBytes,
      Math.floor((bytes.byteLength - recordMark.byteLength) / recordAlignBytes) * recordAlignBytes,
    );
    if (offset + bytes.byteLength >= to) break;
    offset += step;
  }
  return { offset: to, padding: zeros };
}
