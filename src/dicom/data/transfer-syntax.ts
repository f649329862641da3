// The transfer syntaxes of PS3.6 table A-1 (2026b), retired ones included, and the private one of GE that is met in the field.
//
// Keeps: every standard syntax but the three oldest is explicit little endian, and the standard promises that new ones will be; so an unknown UID is read that
// way too, and said to be unknown.
// Left out on purpose: which of them we can decode. That is the business of pixels/.

import type { Uid } from './uid.ts';

export type TransferSyntax = {
  readonly uid: Uid;
  readonly name: string;
  readonly known: boolean;
  /** VRs are written into the stream. */
  readonly explicit: boolean;
  readonly bigEndian: boolean;
  /** The whole data set is one deflated stream. */
  readonly deflated: boolean;
  /** Pixel data is a sequence of fragments. */
  readonly encapsulated: boolean;
  /** What is written this way may have lost something. */
  readonly lossy: boolean;
  /** Frames hang on one another: fragments are no frames. */
  readonly video: boolean;
  /** Words of native pixel data have the other byte order than the rest of the stream (GE). */
  readonly pixelsSwapped: boolean;
};

type Trait = 'implicit' | 'big' | 'deflated' | 'native' | 'lossy' | 'video' | 'swapped';

function make(uid: string, name: string, traits: readonly Trait[], known = true): TransferSyntax {
  const has = (trait: Trait): boolean => traits.includes(trait);
  return {
    uid: uid as Uid,
    name,
    known,
    explicit: !has('implicit'),
    bigEndian: has('big'),
    deflated: has('deflated'),
    encapsulated: !has('native'),
    lossy: has('lossy'),
    video: has('video'),
    pixelsSwapped: has('swapped'),
  };
}

const standardRoot = '1.2.840.10008.1.2';

const rows: readonly (readonly [string, string, ...Trait[]])[] = [
  ['', 'Implicit VR Little Endian', 'native', 'implicit'],
  ['.1', 'Explicit VR Little Endian', 'native'],
  ['.1.98', 'Encapsulated Uncompressed Explicit VR Little Endian'],
  ['.1.99', 'Deflated Explicit VR Little Endian', 'native', 'deflated'],
  ['.2', 'Explicit VR Big Endian', 'native', 'big'],
  ['.4.50', 'JPEG Baseline (Process 1)', 'lossy'],
  ['.4.51', 'JPEG Extended (Process 2 and 4)', 'lossy'],
  ['.4.52', 'JPEG Extended (Process 3 and 5)', 'lossy'],
  ['.4.53', 'JPEG Spectral Selection, Non-Hierarchical (Process 6 and 8)', 'lossy'],
  ['.4.54', 'JPEG Spectral Selection, Non-Hierarchical (Process 7 and 9)', 'lossy'],
  ['.4.55', 'JPEG Full Progression, Non-Hierarchical (Process 10 and 12)', 'lossy'],
  ['.4.56', 'JPEG Full Progression, Non-Hierarchical (Process 11 and 13)', 'lossy'],
  ['.4.57', 'JPEG Lossless, Non-Hierarchical (Process 14)'],
  ['.4.58', 'JPEG Lossless, Non-Hierarchical (Process 15)'],
  ['.4.59', 'JPEG Extended, Hierarchical (Process 16 and 18)', 'lossy'],
  ['.4.60', 'JPEG Extended, Hierarchical (Process 17 and 19)', 'lossy'],
  ['.4.61', 'JPEG Spectral Selection, Hierarchical (Process 20 and 22)', 'lossy'],
  ['.4.62', 'JPEG Spectral Selection, Hierarchical (Process 21 and 23)', 'lossy'],
  ['.4.63', 'JPEG Full Progression, Hierarchical (Process 24 and 26)', 'lossy'],
  ['.4.64', 'JPEG Full Progression, Hierarchical (Process 25 and 27)', 'lossy'],
  ['.4.65', 'JPEG Lossless, Hierarchical (Process 28)'],
  ['.4.66', 'JPEG Lossless, Hierarchical (Process 29)'],
  ['.4.70', 'JPEG Lossless, Non-Hierarchical, First-Order Prediction (Process 14, Selection Value 1)'],
  ['.4.80', 'JPEG-LS Lossless'],
  ['.4.81', 'JPEG-LS Lossy (Near-Lossless)', 'lossy'],
  ['.4.90', 'JPEG 2000 (Lossless Only)'],
  ['.4.91', 'JPEG 2000', 'lossy'],
  ['.4.92', 'JPEG 2000 Part 2 Multi-component (Lossless Only)'],
  ['.4.93', 'JPEG 2000 Part 2 Multi-component', 'lossy'],
  ['.4.94', 'JPIP Referenced', 'native', 'lossy'],
  ['.4.95', 'JPIP Referenced Deflate', 'native', 'deflated', 'lossy'],
  ['.4.100', 'MPEG2 Main Profile / Main Level', 'lossy', 'video'],
  ['.4.100.1', 'Fragmentable MPEG2 Main Profile / Main Level', 'lossy', 'video'],
  ['.4.101', 'MPEG2 Main Profile / High Level', 'lossy', 'video'],
  ['.4.101.1', 'Fragmentable MPEG2 Main Profile / High Level', 'lossy', 'video'],
  ['.4.102', 'MPEG-4 AVC/H.264 High Profile / Level 4.1', 'lossy', 'video'],
  ['.4.102.1', 'Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.1', 'lossy', 'video'],
  ['.4.103', 'MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1', 'lossy', 'video'],
  ['.4.103.1', 'Fragmentable MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1', 'lossy', 'video'],
  ['.4.104', 'MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video', 'lossy', 'video'],
  ['.4.104.1', 'Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video', 'lossy', 'video'],
  ['.4.105', 'MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video', 'lossy', 'video'],
  ['.4.105.1', 'Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video', 'lossy', 'video'],
  ['.4.106', 'MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2', 'lossy', 'video'],
  ['.4.106.1', 'Fragmentable MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2', 'lossy', 'video'],
  ['.4.107', 'HEVC/H.265 Main Profile / Level 5.1', 'lossy', 'video'],
  ['.4.108', 'HEVC/H.265 Main 10 Profile / Level 5.1', 'lossy', 'video'],
  ['.4.110', 'JPEG XL Lossless'],
  ['.4.111', 'JPEG XL JPEG Recompression', 'lossy'],
  ['.4.112', 'JPEG XL', 'lossy'],
  ['.4.201', 'High-Throughput JPEG 2000 (Lossless Only)'],
  ['.4.202', 'High-Throughput JPEG 2000 with RPCL Options (Lossless Only)'],
  ['.4.203', 'High-Throughput JPEG 2000', 'lossy'],
  ['.4.204', 'JPIP HTJ2K Referenced', 'native', 'lossy'],
  ['.4.205', 'JPIP HTJ2K Referenced Deflate', 'native', 'deflated', 'lossy'],
  ['.5', 'RLE Lossless'],
  ['.6.1', 'RFC 2557 MIME encapsulation'],
  ['.6.2', 'XML Encoding'],
  ['.7.1', 'SMPTE ST 2110-20 Uncompressed Progressive Active Video', 'native', 'video'],
  ['.7.2', 'SMPTE ST 2110-20 Uncompressed Interlaced Active Video', 'native', 'video'],
  ['.7.3', 'SMPTE ST 2110-30 PCM Digital Audio', 'native', 'video'],
  ['.8.1', 'Deflated Image Frame Compression'],
];

const registry = new Map<string, TransferSyntax>(
  rows.map(([end, name, ...traits]) => [`${standardRoot}${end}`, make(`${standardRoot}${end}`, name, traits)]),
);
const papyrus = make('1.2.840.10008.1.20', 'Papyrus 3 Implicit VR Little Endian', ['native', 'implicit']);
const geSwapped = make(
  ...([
    '1.2.840.113619.5.2',
    'Implicit VR Little Endian with big endian pixels (GE private)',
    ['native', 'implicit', 'swapped'],
  ] as const),
);
for (const syntax of [papyrus, geSwapped]) registry.set(syntax.uid, syntax);

/** The syntax of a UID. An unknown one is taken for explicit little endian with encapsulated pixels, perhaps lossy, and is not `known`. */
export function transferSyntaxOf(uid: string): TransferSyntax {
  return registry.get(uid) ?? make(uid, 'unknown', ['lossy'], false);
}

export function isKnownTransferSyntax(uid: string): boolean {
  return registry.has(uid);
}

export const implicitLittle = transferSyntaxOf(standardRoot);
export const explicitLittle = transferSyntaxOf(`${standardRoot}.1`);
export const explicitBig = transferSyntaxOf(`${standardRoot}.2`);
export const deflatedLittle = transferSyntaxOf(`${standardRoot}.1.99`);

export const transferSyntaxes: readonly TransferSyntax[] = [...registry.values()];
