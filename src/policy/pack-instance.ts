// How an instance's bytes are cut and packed: decided from what its entry says, on arrival and when it settles alike.
//
// Invariants: the header is pieces of its own, and so is each frame, or as many small ones as fit a piece; a frame larger than a chunk is cut between rows.
// A header that lies about its pixels makes other cuts and worse packing, never other bytes.

import type { CodecHint } from '../codec/index.ts';
import { chunkSizeBytesMax, type InstanceFacts } from '../format/index.ts';

export type InstancePixels = Pick<InstanceFacts, 'headBytes' | 'shape' | 'syntax'>;

/** Small frames go together up to this: one is read without unpacking much that nobody asked for. */
const pieceBytesMax = 256 * 1024;
/** JPEG and its kin: packed as well as they can be. */
const compressedSyntaxes = '1.2.840.10008.1.2.4.';
/** Pixels one after another: implicit, explicit and big endian, and the implicit one of GE with big-endian pixels. */
const nativeSyntaxes: ReadonlySet<string> = new Set([
  '1.2.840.10008.1.2',
  '1.2.840.10008.1.2.1',
  '1.2.840.10008.1.2.2',
  '1.2.840.113619.5.2',
]);

/** A header up to this, in front of pixels, is stored as it came until it settles: packing it takes as long as all the rest that is done about it. */
const plainHeadBytesMax = 16 * 1024;

/** How the bytes at an offset are best packed: on arrival `fast`, when settling `best`. */
export function hintInstance(pixels: InstancePixels, effort: 'fast' | 'best'): (offset: number) => CodecHint {
  const bytes: CodecHint = { kind: 'bytes', effort };
  const behind = pixelHint(pixels, effort);
  const isPlain = effort === 'fast' && behind !== undefined;
  return (offset) => {
    if (offset >= pixels.headBytes) return behind ?? bytes;
    return isPlain && pixels.headBytes <= plainHeadBytesMax ? { kind: 'raw' } : bytes;
  };
}

function pixelHint({ shape, syntax }: InstancePixels, effort: 'fast' | 'best'): CodecHint | undefined {
  if (syntax.startsWith(compressedSyntaxes)) return { kind: 'raw' };
  if (shape === undefined || !nativeSyntaxes.has(syntax)) return undefined;
  const { rows, columns, samplesPerPixel, bitsAllocated, planar } = shape;
  if (bitsAllocated !== 8 && bitsAllocated !== 16) return undefined;
  return { kind: 'pixels', effort, shape: { rows, columns, samplesPerPixel, bitsAllocated, planar } };
}

/** Cuts fall after each piece, and after each run of pixels that begins a new frame. */
export type PixelCuts = { readonly pieceBytes: number; readonly runBytes: number };

/** undefined: the pixels have no frames that could be told apart by counting. */
export function planPixelCuts({ shape, syntax }: InstancePixels): PixelCuts | undefined {
  if (shape === undefined || !nativeSyntaxes.has(syntax)) return undefined;
  const rowBits = shape.columns * shape.samplesPerPixel * shape.bitsAllocated;
  const rowBytes = Math.ceil(rowBits / 8);
  const frameBytes = Math.ceil((shape.rows * rowBits) / 8);
  if (frameBytes === 0 || rowBytes > chunkSizeBytesMax) return undefined;
  if (frameBytes > chunkSizeBytesMax)
    return { pieceBytes: Math.floor(chunkSizeBytesMax / rowBytes) * rowBytes, runBytes: frameBytes };
  const together = Math.max(1, Math.floor(pieceBytesMax / frameBytes)) * frameBytes;
  return { pieceBytes: together, runBytes: together };
}
