// PixelWatch: looks out for pixel data of the outermost data set, and for the tag at which reading is to stop.

import { FragmentList } from './element.ts';
import type { PixelStart, ReaderOptions } from './reader-options.ts';
import { undefinedLength } from './stream-numbers.ts';
import { isPixelData, type Tag } from './tag.ts';
import type { AnyVr } from './vr.ts';

/** The least tag of pixel data: before it there is nothing to watch. */
const firstPixelTag = 0x7fe0_0008;

export class PixelWatch {
  pixels: PixelStart | undefined;
  /** Elements of the outermost data set with a lesser tag need not be looked at. */
  readonly from: Tag;
  readonly #stopAt: Tag;
  readonly #stopAtPixels: boolean;

  constructor(stopAt: ReaderOptions['stopAt']) {
    this.#stopAtPixels = stopAt === 'pixels';
    this.#stopAt = typeof stopAt === 'number' ? stopAt : Number.POSITIVE_INFINITY;
    this.from = Math.min(this.#stopAt, firstPixelTag);
  }

  stopsAt(tag: Tag): boolean {
    return tag >= this.#stopAt || (this.#stopAtPixels && isPixelData(tag));
  }

  tell(head: { readonly tag: Tag; readonly vr: AnyVr; readonly bytes: number }, offset: number, length: number): void {
    const encapsulated = length === undefinedLength;
    this.pixels = {
      tag: head.tag,
      vr: head.vr,
      elementOffset: offset,
      valueOffset: offset + head.bytes,
      sizeBytes: encapsulated ? undefined : length,
      fragments: encapsulated ? new FragmentList() : undefined,
      offsetTable: undefined,
    };
  }

  tellOffsetTable(fragments: FragmentList, offsetTable: Uint8Array): void {
    if (this.pixels?.fragments === fragments) this.pixels = { ...this.pixels, offsetTable };
  }
}
