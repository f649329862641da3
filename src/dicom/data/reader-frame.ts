// Frame: one of the nested things that a reader is in the middle of: the data set or an item, a sequence, an encapsulated value.
//
// Invariant: a frame never reaches past the one that holds it; of undefined length it ends there at the latest.

import { DataSet } from './data-set.ts';
import type { FragmentList } from './element.ts';
import { type Tag, tags } from './tag.ts';
import type { AnyVr, VrFacts } from './vr.ts';

export type FrameKind = 'elements' | 'sequence' | 'fragments';

export type Encoding = { readonly explicit: boolean; readonly bigEndian: boolean };

/** What stands in front of a value: where it begins in the buffer, and how many bytes tag, VR and length take. */
export type ElementHead = {
  readonly tag: Tag;
  readonly vr: AnyVr;
  readonly facts: VrFacts;
  readonly at: number;
  readonly bytes: number;
};

/** Items of an element of VR UN (PS3.5 6.2.2). */
export const implicitEncoding: Encoding = { explicit: false, bigEndian: false };

/** What is done when the frame is closed, where that is more than going back to the one around it. */
export type Closing = {
  readonly tag: Tag;
  readonly vr: AnyVr;
  readonly offset: number;
  readonly fragments?: FragmentList;
};

export class Frame {
  readonly kind: FrameKind;
  /** Stream offset. */
  readonly end: number;
  /** A delimiter ends it. */
  readonly delimited: boolean;
  readonly depth: number;
  explicit: boolean;
  readonly bigEndian: boolean;
  /** Its first element has shown that it is encoded as it should be. */
  checked = false;
  /** What is in it is passed over. */
  readonly discards: boolean;
  readonly dataSet: DataSet;
  readonly items: DataSet[];
  lastTag = -1;
  closing: Closing | undefined = undefined;
  offsetTable: Uint8Array | undefined = undefined;
  /** How many elements waited for Pixel Representation when it was opened. */
  readonly waitingFrom: number;
  signed: boolean | undefined = undefined;

  constructor(
    kind: FrameKind,
    options: {
      readonly end: number;
      readonly delimited: boolean;
      readonly depth: number;
      readonly encoding: Encoding;
      readonly discards: boolean;
      readonly dataSet?: DataSet;
      readonly items?: DataSet[];
      readonly waitingFrom: number;
    },
  ) {
    this.kind = kind;
    this.end = options.end;
    this.delimited = options.delimited;
    this.depth = options.depth;
    this.explicit = options.encoding.explicit;
    this.bigEndian = options.encoding.bigEndian;
    this.discards = options.discards;
    this.dataSet = options.dataSet ?? nothing;
    this.items = options.items ?? [];
    this.waitingFrom = options.waitingFrom;
  }

  get encoding(): Encoding {
    return { explicit: this.explicit, bigEndian: this.bigEndian };
  }
}

const nothing = new DataSet();

/** Of the data set that is read: it ends where the stream does. */
export function outermostFrame(dataSet: DataSet, encoding: Encoding): Frame {
  const end = Number.POSITIVE_INFINITY;
  return new Frame('elements', { end, delimited: false, depth: 1, encoding, discards: false, dataSet, waitingFrom: 0 });
}

/** Kept whatever their size: without them frames are not found. */
export function isOffsetTable(tag: Tag): boolean {
  return tag === tags.ExtendedOffsetTable || tag === tags.ExtendedOffsetTableLengths;
}
