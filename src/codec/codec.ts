// The registry of codecs (FORMAT.md 3): plain bytes <-> packed bytes, by number and version.
//
// Invariants: what was packed unpacks to the same bytes, and packed bytes are never longer than the plain ones; a number or version that is not
// in the registry is CODEC_UNKNOWN, bytes that do not decode to exactly the promised length are CODEC_FAULT, and neither takes more memory than a
// chunk and its codec's fixed tables.
// Left out on purpose: how a codec works (zstd.ts, pixel-*.ts), and encryption (cipher.ts).

import { ArchiveError, assert, bytesEqual, copyBytes, never } from '../base/index.ts';
import { chunkSizeBytesMax } from '../format/index.ts';
import { releaseOwn } from './buffers.ts';
import { CodecFault } from './codec-fault.ts';
import { decodePixelBest, encodePixelBest } from './pixel-best.ts';
import { decodePixelBest1 } from './pixel-best-1.ts';
import { decodePixelFast, encodePixelFast } from './pixel-fast.ts';
import { decodePixelFast1 } from './pixel-fast-1.ts';
import type { PixelShape } from './pixel-shape.ts';
import { type Effort, packZstd, savesEnough, unpackZstd } from './zstd.ts';

export const codecNumber = { none: 0, zstd: 1, pixelFast: 3, pixelBest: 4 } as const;
export type CodecNumber = (typeof codecNumber)[keyof typeof codecNumber];

/** `into`: a place for the plain bytes, as long as they shall be; who can writes them there and answers with it. */
type Decode = (packed: Uint8Array, plainSizeBytes: number, into?: Uint8Array) => Uint8Array;

/** Each codec's decoders by version: none is ever taken away. */
const decoders: Record<CodecNumber, Readonly<Record<number, Decode>>> = {
  0: { 0: (packed) => packed },
  1: { 1: unpackZstd },
  3: { 1: decodePixelFast1, 2: decodePixelFast },
  4: { 1: decodePixelBest1, 2: decodePixelBest },
};
const versionsWritten: Record<CodecNumber, number> = { 0: 0, 1: 1, 3: 2, 4: 2 };

/** What the caller knows of the bytes. `raw`: they are stored as they are, without a look. A shape is a claim and may be wrong; then they pack worse. */
export type CodecHint =
  | { readonly kind: 'raw' }
  | { readonly kind: 'bytes'; readonly effort: Effort }
  | { readonly kind: 'pixels'; readonly shape: PixelShape; readonly effort: Effort };

export type Packed = { readonly codec: CodecNumber; readonly codecVersion: number; readonly packed: Uint8Array };

/** May answer with `plain` itself, not a copy. */
export function encodePlain(plain: Uint8Array, hint: CodecHint): Packed {
  assert(plain.byteLength <= chunkSizeBytesMax, 'a record holds at most a chunk');
  switch (hint.kind) {
    case 'raw':
      return packedAs(codecNumber.none, plain);
    case 'bytes':
      return encodeBytes(plain, hint.effort);
    case 'pixels':
      return encodePixels(plain, hint.shape, hint.effort);
    default:
      return never(hint, 'a hint names a codec');
  }
}

function packedAs(codec: CodecNumber, packed: Uint8Array): Packed {
  return { codec, codecVersion: versionsWritten[codec], packed };
}

function encodeBytes(plain: Uint8Array, effort: Effort): Packed {
  const packed = packZstd(plain, effort);
  return packed === undefined ? packedAs(codecNumber.none, plain) : packedAs(codecNumber.zstd, packed);
}

/**
 * What settling packs with best effort replaces the only other copy, so it is unpacked again and compared before it counts; on the way in that would
 * halve the rate, and the sender waits.
 */
function encodePixels(plain: Uint8Array, shape: PixelShape, effort: Effort): Packed {
  const codec = effort === 'best' ? codecNumber.pixelBest : codecNumber.pixelFast;
  const payload = effort === 'best' ? encodePixelBest(plain, shape) : encodePixelFast(plain, shape);
  const good = savesEnough(payload, plain) && (effort === 'fast' || unpacksTo(codec, payload, plain));
  return good ? packedAs(codec, payload) : encodeBytes(plain, effort);
}

function unpacksTo(codec: CodecNumber, packed: Uint8Array, plain: Uint8Array): boolean {
  try {
    const codecVersion = versionsWritten[codec];
    return bytesEqual(decodePacked({ codec, codecVersion, plainSizeBytes: plain.byteLength }, packed), plain);
  } catch (error) {
    if (error instanceof ArchiveError) return false;
    throw error;
  }
}

export type CodecFields = { readonly codec: number; readonly codecVersion: number; readonly plainSizeBytes: number };

/** The plain bytes, written into `into`, which is exactly as long. As `decodePacked` otherwise. */
export function decodePackedInto(fields: CodecFields, packed: Uint8Array, into: Uint8Array): void {
  assert(into.byteLength === fields.plainSizeBytes, 'the room is as long as what it takes');
  const plain = decodeWith(fields, packed, into);
  if (plain === into) return;
  copyBytes(plain, into);
  if (plain.buffer !== packed.buffer) releaseOwn(plain);
}

/** Exactly `plainSizeBytes` bytes. May answer with `packed` itself, not a copy. */
export function decodePacked(fields: CodecFields, packed: Uint8Array): Uint8Array {
  return decodeWith(fields, packed, undefined);
}

function decodeWith(fields: CodecFields, packed: Uint8Array, into: Uint8Array | undefined): Uint8Array {
  const { codec, codecVersion, plainSizeBytes } = fields;
  const decode = isCodecNumber(codec) ? decoders[codec][codecVersion] : undefined;
  if (decode === undefined) {
    throw new ArchiveError('CODEC_UNKNOWN', `codec ${codec}, version ${codecVersion} is not known to this version`);
  }
  if (plainSizeBytes > chunkSizeBytesMax) {
    throw new ArchiveError('CODEC_FAULT', `a record promises ${plainSizeBytes} bytes, more than a chunk`);
  }
  const plain = decodeChecked(() => decode(packed, plainSizeBytes, into));
  if (plain.byteLength !== plainSizeBytes) {
    throw new ArchiveError('CODEC_FAULT', `a record gives ${plain.byteLength} bytes instead of ${plainSizeBytes}`);
  }
  return plain;
}

function decodeChecked(decode: () => Uint8Array): Uint8Array {
  try {
    return decode();
  } catch (cause) {
    if (cause instanceof CodecFault) throw new ArchiveError('CODEC_FAULT', 'pixels do not decode', { cause });
    throw cause;
  }
}

export function isCodecNumber(value: number): value is CodecNumber {
  return Object.hasOwn(decoders, value);
}
