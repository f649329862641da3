// Fragments in the order they come, frames out: for whoever streams encapsulated pixel data and does not know yet what follows.
//
// A frame is given out as soon as it is sure that it has all its fragments: at once where a table or the count says so, else when the next one begins. Held are only
// the fragments of the frame that is open, within a limit. A table that does not fit what comes is DICOM_MALFORMED here (`planFrames`, which sees all at once, looks further).

import { concatBytes } from '../../base/index.ts';
import { offsetsOf } from './offset-tables.ts';
import { malformedPixels, pixelsBeyond } from './pixel-fault.ts';
import { codedBytesMax } from './pixel-limits.ts';
import { beginsStream, endsStream } from './stream-marks.ts';

type SplitterOptions = {
  readonly frameCount: number;
  /** The value of the first item; empty where there is no table. */
  readonly basicOffsets: Uint8Array;
  /** (7FE0,0001), where the data set has it. */
  readonly extendedOffsets?: Uint8Array | undefined;
};

const itemHeadBytes = 8;

export class FrameSplitter {
  readonly #frameCount: number;
  /** Where frames begin, as the table says; undefined without one. */
  readonly #starts: readonly number[] | undefined;
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  /** Where the next fragment's item begins, counted as offset tables do. */
  #offset = 0;
  #frame = 0;

  constructor({ frameCount, basicOffsets, extendedOffsets }: SplitterOptions) {
    this.#frameCount = frameCount;
    this.#starts = offsetsOf(extendedOffsets, 8, frameCount) ?? offsetsOf(basicOffsets, 4, frameCount);
  }

  /** Frames given out so far. */
  get frames(): number {
    return this.#frame;
  }

  /** Takes the next fragment; answers the frame that it completed, or the one before that it closed by beginning another. */
  push(fragment: Uint8Array): Uint8Array | undefined {
    const begins = this.#held.length > 0 && this.#beginsFrame(fragment);
    const closed = begins ? this.#close() : undefined;
    this.#heldBytes += fragment.byteLength;
    if (this.#heldBytes > codedBytesMax) throw pixelsBeyond('coded bytes of a frame');
    this.#held.push(fragment);
    this.#offset += itemHeadBytes + fragment.byteLength + (fragment.byteLength & 1);
    return closed;
  }

  /** No more fragments: the frame that is open, and the count held against what was promised. */
  end(): Uint8Array | undefined {
    const last = this.#held.length > 0 ? this.#close() : undefined;
    if (this.#frame !== this.#frameCount) {
      throw malformedPixels('its fragments do not make as many frames as the data set says');
    }
    return last;
  }

  #beginsFrame(fragment: Uint8Array): boolean {
    if (this.#starts !== undefined) {
      const next = this.#starts[this.#frame + 1];
      if (next !== undefined && this.#offset > next) throw malformedPixels('an offset table that fits no fragment');
      return this.#offset === next;
    }
    if (this.#frameCount === 1) return false;
    // Without a table: streams that mark their ends are told apart by them; the others (RLE, deflate) have one fragment a frame.
    const last = this.#held[this.#held.length - 1];
    const isMarked = this.#held[0] !== undefined && beginsStream(this.#held[0]);
    if (!isMarked) return true;
    return last !== undefined && endsStream(last) && beginsStream(fragment);
  }

  #close(): Uint8Array {
    const [only] = this.#held;
    const frame = this.#held.length === 1 && only !== undefined ? only : concatBytes(this.#held);
    this.#held = [];
    this.#heldBytes = 0;
    this.#frame += 1;
    if (this.#frame > this.#frameCount) {
      throw malformedPixels('its fragments do not make as many frames as the data set says');
    }
    return frame;
  }
}
