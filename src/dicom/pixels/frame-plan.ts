// Which fragments hold which frame of encapsulated pixel data (PS3.5, A.4), from offset tables or, where these are empty or wrong, from the fragments themselves.
//
// Pure: it is told where fragments lie, and may look at a few bytes of their beginnings and ends. Trusted in this order: an extended offset table, a basic one, one
// fragment a frame, all fragments one frame, and at last the marks that streams begin and end with. A table is right when each of its offsets is the
// beginning of a fragment, in order, the first at nothing. DICOM_MALFORMED where no way gives as many frames as the data set says.

import { viewOf } from '../../base/index.ts';
import { offsetsOf } from './offset-tables.ts';
import { malformedPixels, pixelsBeyond } from './pixel-fault.ts';
import { framesMax } from './pixel-limits.ts';
import { beginsStream, endsStream } from './stream-marks.ts';

/** Where a fragment's bytes lie; the unit is the caller's (a file, a value). Items have eight bytes of head before them. */
export type FragmentSpan = { readonly offset: number; readonly sizeBytes: number };

/** Fragments `first` to before `end`. */
export type FrameSpan = { readonly first: number; readonly end: number };

export type FragmentedPixels = {
  readonly frameCount: number;
  readonly fragments: readonly FragmentSpan[];
  /** The value of the first item; empty where there is no table. */
  readonly basicOffsets?: Uint8Array | undefined;
  /** (7FE0,0001) and (7FE0,0002), as their values stand. */
  readonly extendedOffsets?: Uint8Array | undefined;
  readonly extendedLengths?: Uint8Array | undefined;
};

/** The first bytes of a fragment, and its last ones: at least sixteen, or all that there are. Asked only when no table helps. */
export type FragmentEnds = (fragment: number) => { readonly head: Uint8Array; readonly tail: Uint8Array };

const itemHeadBytes = 8;

export function planFrames(pixels: FragmentedPixels, endsOf: FragmentEnds): FrameSpan[] {
  const { frameCount, fragments } = pixels;
  if (!Number.isInteger(frameCount) || frameCount < 1) throw malformedPixels('the number of frames');
  if (frameCount > framesMax) throw pixelsBeyond('frames of an object');
  if (fragments.length < frameCount) throw malformedPixels('fewer fragments than frames');
  const spans =
    fromOffsets(pixels, offsetsOf(pixels.extendedOffsets, 8, frameCount)) ??
    fromOffsets(pixels, offsetsOf(pixels.basicOffsets, 4, frameCount)) ??
    fromCounts(pixels) ??
    fromMarks(pixels, endsOf);
  if (spans === undefined) throw malformedPixels('its fragments do not make as many frames as the data set says');
  return spans;
}

/** A frame's own length within its fragments, where a table says it: without the byte that makes it even. */
export function frameLength(pixels: FragmentedPixels, frame: number): number | undefined {
  const { extendedLengths, frameCount } = pixels;
  if (extendedLengths === undefined || extendedLengths.byteLength !== frameCount * 8) return undefined;
  return Number(viewOf(extendedLengths).getBigUint64(frame * 8, true));
}

function fromOffsets({ fragments }: FragmentedPixels, offsets: number[] | undefined): FrameSpan[] | undefined {
  const base = (fragments[0]?.offset ?? 0) - itemHeadBytes;
  if (offsets === undefined || offsets[0] !== 0) return undefined;
  const starts: number[] = [];
  let fragment = 0;
  for (const offset of offsets) {
    while (fragment < fragments.length && startOf(fragments, fragment, base) < offset) fragment += 1;
    if (fragment === fragments.length || startOf(fragments, fragment, base) !== offset) return undefined;
    starts.push(fragment);
    fragment += 1;
  }
  return spansOf(starts, fragments.length);
}

function startOf(fragments: readonly FragmentSpan[], fragment: number, base: number): number {
  return (fragments[fragment]?.offset ?? 0) - itemHeadBytes - base;
}

function spansOf(starts: readonly number[], end: number): FrameSpan[] {
  return starts.map((first, k) => ({ first, end: starts[k + 1] ?? end }));
}

function fromCounts({ frameCount, fragments }: FragmentedPixels): FrameSpan[] | undefined {
  if (frameCount === 1) return [{ first: 0, end: fragments.length }];
  return fragments.length === frameCount
    ? fragments.map((_, fragment) => ({ first: fragment, end: fragment + 1 }))
    : undefined;
}

function fromMarks({ frameCount, fragments }: FragmentedPixels, endsOf: FragmentEnds): FrameSpan[] | undefined {
  const starts: number[] = [];
  let isEnded = true;
  for (let fragment = 0; fragment < fragments.length; fragment++) {
    const { head, tail } = endsOf(fragment);
    // A stream's beginning inside a frame can only be chance, or a picture within the picture: then the one before has not ended.
    if (isEnded && beginsStream(head)) starts.push(fragment);
    else if (fragment === 0) return undefined;
    isEnded = endsStream(tail);
  }
  return starts.length === frameCount ? spansOf(starts, fragments.length) : undefined;
}
