// GroupImage: one group of records as it will lie in a pack, put together in a region of the shared memory: written from there in one piece, past the page
// cache and without another copy.
//
//   4096 bytes for the pack's header | record | record | ... | zeros | commit record
//
// Workers write large records straight to the places they were given, in the order in which they were sent; small ones are copied in behind them. Where a
// codec made a record shorter than its place, those behind it move up.
//
// A record that no worker has begun with when its group is written goes on to the next image, so that a group waits for one record a worker at the most.
//
// Invariants: places do not overlap; nothing is put together while a worker may still write; what was put together is one run of bytes that begins at a block
// and ends at one; records that do not belong to the group leave (`takeOut`) before anything moves.
// Left out on purpose: which records make a group (append-queue.ts), and what becomes of a group without an image (pack-writer.ts writes its parts).

import { assert } from '../base/index.ts';
import type { Place, SharedMemory } from '../codec/index.ts';
import { blockSizeBytes, commitSizeBytes, groupPaddingBytes } from '../format/index.ts';
import { type MadeRecord, spanOf } from './record.ts';

/** A commit record, and the most padding before it. */
const endBytesMax = blockSizeBytes + commitSizeBytes;

/** A place that a worker was given, in the image where it is now. */
export type Reservation = {
  image: GroupImage;
  readonly spanBytes: number;
  /** Whether the record goes there instead: no worker had begun with it. */
  readonly move: (to: Place) => boolean;
};

export class GroupImage {
  readonly #region: Uint8Array;
  readonly #memory: SharedMemory;
  /** Where records end at the latest. */
  readonly #limit: number;
  #end = blockSizeBytes;
  /** Places that a worker may write to. */
  readonly #reservations = new Set<Reservation>();
  #whenFinished: (() => void) | undefined;

  private constructor(memory: SharedMemory, region: Uint8Array, groupBytesMax: number) {
    this.#memory = memory;
    this.#region = region;
    this.#limit = Math.min(region.byteLength - endBytesMax, blockSizeBytes + groupBytesMax);
    assert(this.#limit > blockSizeBytes, 'a region has room for records');
  }

  /** Undefined when every region is in use, or all but `kept` of them. */
  static take(memory: SharedMemory, groupBytesMax: number, kept = 0): GroupImage | undefined {
    const region = memory.takeRegion(kept);
    return region === undefined ? undefined : new GroupImage(memory, region, groupBytesMax);
  }

  giveBack(): void {
    assert(this.#reservations.size === 0, 'nobody writes into a region that is given back');
    this.#memory.giveRegion(this.#region);
  }

  /** A place for a record of at most so many bytes with its padding; undefined when it is full. Each one is `finish`ed, whatever came of it. */
  reserve(spanBytes: number, move: Reservation['move']): { reservation: Reservation; place: Place } | undefined {
    const place = this.#placeOf(spanBytes);
    if (place === undefined) return undefined;
    const reservation: Reservation = { image: this, spanBytes, move };
    this.#add(reservation);
    return { reservation, place };
  }

  hasRoom(spanBytes: number): boolean {
    return this.#end + spanBytes <= this.#limit;
  }

  #placeOf(spanBytes: number): Place | undefined {
    if (!this.hasRoom(spanBytes)) return undefined;
    return { offset: this.#region.byteOffset + this.#end, length: spanBytes };
  }

  #add(reservation: Reservation): void {
    this.#reservations.add(reservation);
    this.#end += reservation.spanBytes;
  }

  finish(reservation: Reservation): void {
    const had = this.#reservations.delete(reservation);
    assert(had, 'a place is finished once, where it is');
    if (this.#reservations.size === 0) this.#whenFinished?.();
  }

  /** Sends on what no worker has begun with. `next`: the image that takes more. */
  handOn(next: (spanBytes: number) => GroupImage | undefined): void {
    for (const reservation of this.#reservations) {
      const image = next(reservation.spanBytes);
      if (image === undefined) return;
      const place = image.#placeOf(reservation.spanBytes);
      if (place === undefined || !reservation.move(place)) continue;
      this.#reservations.delete(reservation);
      reservation.image = image;
      image.#add(reservation);
    }
  }

  /** Resolves when no worker writes into it any more. Nothing may be reserved from then on. */
  async finished(): Promise<void> {
    if (this.#reservations.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#whenFinished = resolve;
    });
  }

  holds({ head }: { readonly head: Uint8Array }): boolean {
    const offset = head.byteOffset - this.#region.byteOffset;
    return head.buffer === this.#region.buffer && offset >= 0 && offset < this.#region.byteLength;
  }

  /** The same record in memory of its own. */
  takeOut(record: MadeRecord): MadeRecord {
    return { ...record, head: record.head.slice(), body: record.body.slice() };
  }

  /**
   * Puts these records together, those that lie here first; answers them in the order in which they lie now, or undefined when they do not fit: then nothing
   * moved. Their own bytes may be elsewhere afterwards, only their lengths are as they were.
   */
  compose(records: readonly MadeRecord[]): readonly MadeRecord[] | undefined {
    assert(this.#reservations.size === 0, 'records are put together when all are there');
    const sizeBytes = records.reduce((sum, record) => sum + spanOf(record), 0);
    if (blockSizeBytes + sizeBytes > this.#region.byteLength - endBytesMax) return undefined;
    const here = records.filter((record) => this.holds(record));
    here.sort((a, b) => a.head.byteOffset - b.head.byteOffset);
    const ordered = here.length === 0 ? records : [...here, ...records.filter((record) => !this.holds(record))];
    let end = blockSizeBytes;
    for (const record of ordered) {
      const span = spanOf(record);
      if (this.holds(record)) this.#moveUp(record.head.byteOffset - this.#region.byteOffset, span, end);
      else this.#copyIn(record, span, end);
      end += span;
    }
    this.#end = end;
    return ordered;
  }

  #moveUp(from: number, span: number, to: number): void {
    assert(to <= from, 'a record moves up or stays');
    if (to < from) this.#region.copyWithin(to, from, from + span);
  }

  #copyIn({ head, body }: MadeRecord, span: number, to: number): void {
    this.#region.set(head, to);
    this.#region.set(body, to + head.byteLength);
    this.#region.fill(0, to + head.byteLength + body.byteLength, to + span);
  }

  /** The group with this commit record behind it, and the header before it where it is the first of its pack. */
  bytes(commit: Uint8Array, header: Uint8Array | undefined): Uint8Array {
    const padding = groupPaddingBytes(this.#end - blockSizeBytes);
    this.#region.fill(0, this.#end, this.#end + padding);
    this.#region.set(commit, this.#end + padding);
    const end = this.#end + padding + commit.byteLength;
    assert(end % blockSizeBytes === 0 && end <= this.#region.byteLength, 'a group ends at a block, within its region');
    if (header === undefined) return this.#region.subarray(blockSizeBytes, end);
    assert(header.byteLength === blockSizeBytes, 'a header is one block');
    this.#region.set(header, 0);
    return this.#region.subarray(0, end);
  }
}
