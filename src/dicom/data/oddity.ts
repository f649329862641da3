// Oddities: what a reader noticed that is against the standard and yet could be read. For a quality case, never a reason to refuse.
//
// Invariants: an oddity tells kind, tag and place, and no value; the list is bounded, and the count goes on when it is full.

import type { Tag } from './tag.ts';

export type OddityKind =
  /** A value of an odd number of bytes. */
  | 'odd-length'
  /** A VR in the stream that no edition knows. */
  | 'vr-unknown'
  /** An element, item or whole data set without VRs in an explicit syntax. */
  | 'implicit-in-explicit'
  /** A data set or item with VRs in an implicit syntax. */
  | 'explicit-in-implicit'
  /** A tag that is not greater than the one before it. */
  | 'tag-order'
  | 'tag-repeated'
  /** The two bytes that are always zero are not. */
  | 'reserved-not-zero'
  /** A delimiter with a length, which is passed over. */
  | 'delimiter-length'
  /** A delimiter where nothing is open. */
  | 'delimiter-stray'
  /** The end of something of undefined length that only its surroundings tell. */
  | 'delimiter-missing'
  /** A sequence in an element of VR UN and of defined length. */
  | 'sequence-in-unknown'
  /** What the dictionary calls a sequence holds something else; it is kept as bytes of VR UN. */
  | 'sequence-without-items'
  /** Pixel data in one piece although the syntax encapsulates, or the other way round. */
  | 'pixels-form'
  /** Zero bytes after the end of the data set. */
  | 'zeros-after-end'
  /** A file without the 128 bytes and DICM. */
  | 'preamble-missing'
  /** A file without meta information; its syntax was guessed. */
  | 'meta-missing'
  /** The group length of the meta information is absent or wrong. */
  | 'meta-length';

export type Oddity = { readonly kind: OddityKind; readonly tag: Tag | undefined; readonly offset: number };

const oddityListMax = 100;

export class OddityList {
  readonly list: Oddity[] = [];
  count = 0;

  note(kind: OddityKind, offset: number, tag?: Tag): void {
    this.count += 1;
    if (this.list.length < oddityListMax) this.list.push({ kind, tag, offset });
  }
}
