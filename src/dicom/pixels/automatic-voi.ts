// The range that is shown of a frame for which nobody said one: for samples of up to eight bits all that they can be, for others from nearly the least of its values to nearly the
// greatest. Two in a thousand pixels at each end are not looked at: a metal clip or a dead pixel would leave the rest without contrast.

import type { Level, Voi } from './grey-levels.ts';
import type { ImageShape } from './image-shape.ts';
import type { RawWords, Values } from './sample-reader.ts';

/** Pixel Padding Value, and Pixel Padding Range Limit where there is one. */
export type Padding = { readonly value: number; readonly limit?: number | undefined };

const leftOut = 0.002;

export function automaticVoi(
  samples: RawWords | Values,
  shape: ImageShape,
  toModality: Level,
  padding: Padding | undefined,
): Voi {
  const isPadding = paddingOf(padding);
  const [least, most] =
    samples.kind === 'words' ? rangeOfWords(samples, shape, isPadding) : rangeOfValues(samples, isPadding);
  const ends = [toModality(least), toModality(most)];
  return { kind: 'range', least: Math.min(...ends), most: Math.max(...ends) };
}

function paddingOf(padding: Padding | undefined): (value: number) => boolean {
  if (padding === undefined) return () => false;
  const other = padding.limit ?? padding.value;
  const least = Math.min(padding.value, other);
  const most = Math.max(padding.value, other);
  return (value) => value >= least && value <= most;
}

function rangeOfWords(
  samples: RawWords,
  { bitsStored, pixelRepresentation }: ImageShape,
  isPadding: (value: number) => boolean,
): readonly [number, number] {
  if (bitsStored <= 8) {
    const half = 2 ** (bitsStored - 1);
    return pixelRepresentation === 1 ? [-half, half - 1] : [0, 2 * half - 1];
  }
  const { count, meaning } = samples;
  const counts = samples.counts();
  // In the order of what words mean: negative ones stand in the upper half.
  const ordered: { value: number; count: number }[] = [];
  for (let word = 0; word < count; word++) {
    const found = counts[word] as number;
    if (found === 0) continue;
    const value = meaning(word);
    if (!isPadding(value)) ordered.push({ value, count: found });
  }
  ordered.sort((a, b) => a.value - b.value);
  const total = ordered.reduce((sum, { count: found }) => sum + found, 0);
  const least = valueAt(ordered, total * leftOut);
  const most = valueAt(ordered.reverse(), total * leftOut);
  return [least, most];
}

/** The first value that more than `skipped` pixels reach. */
function valueAt(ordered: readonly { readonly value: number; readonly count: number }[], skipped: number): number {
  let passed = 0;
  for (const { value, count } of ordered) {
    passed += count;
    if (passed > skipped) return value;
  }
  return 0;
}

function rangeOfValues({ values }: Values, isPadding: (value: number) => boolean): readonly [number, number] {
  let least = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  for (let k = 0; k < values.length; k++) {
    const value = values[k] as number;
    if (!Number.isFinite(value) || isPadding(value)) continue;
    if (value < least) least = value;
    if (value > most) most = value;
  }
  return least <= most ? [least, most] : [0, 0];
}
