// Whether two frames show the same: decoded samples against decoded samples, whatever syntax each was in.
//
// Invariants: samples are compared as what they mean, so that bits beyond those stored, widths of words and the order of planes make no difference; 'same' and 'differ' are
// certain. Undefined: one of them cannot be decoded here, or their colours are told in ways that cannot be compared without loss.

import { type CodedFrame, decodeFrame } from './decode-frame.ts';
import type { PlainFrame } from './image-shape.ts';
import { expandSubsampled, interleave } from './sample-layout.ts';
import { type RawWords, readSamples, type Values } from './sample-reader.ts';

export type FrameComparison = 'same' | 'differ';

export function compareFrames(one: CodedFrame, other: CodedFrame): FrameComparison | undefined {
  const plainOne = decodeFrame(one);
  const plainOther = plainOne === undefined ? undefined : decodeFrame(other);
  if (plainOne === undefined || plainOther === undefined) return undefined;
  return comparePlain(sideBySide(plainOne), sideBySide(plainOther));
}

function sideBySide(frame: PlainFrame): PlainFrame {
  return expandSubsampled(interleave(frame));
}

function comparePlain(one: PlainFrame, other: PlainFrame): FrameComparison | undefined {
  const [a, b] = [one.shape, other.shape];
  if (a.rows !== b.rows || a.columns !== b.columns || a.samplesPerPixel !== b.samplesPerPixel) return 'differ';
  if (a.photometricInterpretation !== b.photometricInterpretation)
    return a.samplesPerPixel === 1 ? 'differ' : undefined;
  if ((a.floatingPoint === true) !== (b.floatingPoint === true)) return 'differ';
  const alike =
    a.bitsAllocated === b.bitsAllocated &&
    a.bitsStored === b.bitsStored &&
    a.highBit === b.highBit &&
    a.pixelRepresentation === b.pixelRepresentation;
  if (alike && Buffer.compare(one.bytes, other.bytes) === 0) return 'same';
  const [left, right] = [readSamples(one), readSamples(other)];
  if (left === undefined || right === undefined) return undefined;
  return sameSamples(left, right) ? 'same' : 'differ';
}

function sameSamples(one: RawWords | Values, other: RawWords | Values): boolean {
  const [a, b] = [readerOf(one), readerOf(other)];
  if (a.length !== b.length) return false;
  for (let k = 0; k < a.length; k++) if (!Object.is(a.at(k), b.at(k))) return false;
  return true;
}

function readerOf(samples: RawWords | Values): { readonly length: number; readonly at: (k: number) => number } {
  if (samples.kind === 'values') return { length: samples.values.length, at: (k) => samples.values[k] as number };
  const { words, meaning } = samples;
  return { length: words.length, at: (k) => meaning(words[k] as number) };
}
