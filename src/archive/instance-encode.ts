// An instance on its way to somebody who takes its pixels in a compressed syntax that they are not stored in.
//
// Invariants: what is made is lossless, whatever it was made from; pixels are read as the stream says and in no other way; what cannot be decoded, told apart
// into frames or said in the syntax is DICOM_UNSUPPORTED before a byte goes out; the header says what the pixels are now, everything else leaves as it came.
// Memory is a header and two frames, whatever the number of frames; so the offset table stays empty, which is always allowed (PS3.5 A.4).

import { ArchiveError, concatBytes } from '../base/index.ts';
import {
  alignNativeFrame,
  BulkElement,
  type CodedFrame,
  DataSet,
  type EncodedFrame,
  encapsulateFrame,
  encapsulationEnd,
  encapsulationStart,
  encodableSyntaxes,
  FragmentsElement,
  isEncapsulatedCoding,
  nativeFrameRange,
  type PixelPool,
  pixelCodingOf,
  streamDataSet,
  tags,
  transferSyntaxOf,
} from '../dicom/index.ts';
import { type ReadStored, runsOfFrames } from './frame-runs.ts';
import { shapeOfHeader, withShape } from './instance-decode.ts';

const compressed: ReadonlySet<string> = new Set(
  Object.values(encodableSyntaxes).filter((syntax) => {
    const coding = pixelCodingOf(syntax);
    return coding !== undefined && isEncapsulatedCoding(coding);
  }),
);

/** Whether pixels that are stored in a syntax can be brought into a compressed one, as far as the names of both tell. */
export function isEncodable(stored: string, wanted: string): boolean {
  return compressed.has(wanted) && pixelCodingOf(stored) !== undefined && !transferSyntaxOf(stored).deflated;
}

type Frames = { readonly count: number; readonly read: (index: number) => Promise<CodedFrame> };

/** The data set in a compressed syntax. DICOM_UNSUPPORTED, DICOM_MALFORMED. */
export async function encodeInstance(
  dataSet: DataSet,
  stored: string,
  wanted: string,
  parts: { readonly read: ReadStored; readonly pool: PixelPool },
): Promise<AsyncGenerator<Uint8Array>> {
  const { read, pool } = parts;
  const frames = await framesIn(dataSet, stored, read);
  const encode = async (index: number): Promise<EncodedFrame> => {
    const encoded = await pool.transcode(await frames.read(index), wanted);
    if (encoded === undefined) throw unsupported();
    return encoded;
  };
  const first = await encode(0);
  const changed = withShape(dataSet.copy(), first.shape);
  const inOrder = changed.inOrder();
  const syntax = transferSyntaxOf(wanted);
  const readBulk = ({ offset, sizeBytes }: { offset: number; sizeBytes: number }): AsyncIterable<Uint8Array> =>
    read(offset, offset + sizeBytes);
  async function* encoded(): AsyncGenerator<Uint8Array> {
    yield* streamDataSet(new DataSet(inOrder.filter(({ tag }) => tag < tags.PixelData)), syntax, readBulk);
    yield pixelDataHead;
    yield* encapsulationStart(undefined);
    let next: Promise<EncodedFrame> = Promise.resolve(first);
    for (let index = 0; index < frames.count; index += 1) {
      const { bytes } = await next;
      if (index + 1 < frames.count) {
        next = encode(index + 1);
        // Told when it is its turn, also when nobody waits for it any more.
        next.catch(() => undefined);
      }
      yield* encapsulateFrame(bytes);
    }
    yield* encapsulationEnd();
    yield* streamDataSet(new DataSet(inOrder.filter(({ tag }) => tag > tags.PixelData)), syntax, readBulk);
  }
  return encoded();
}

/** (7FE0,0010) OB of undefined length: every compressed syntax is explicit and little endian. */
const pixelDataHead = Uint8Array.of(0xe0, 0x7f, 0x10, 0x00, 0x4f, 0x42, 0, 0, 0xff, 0xff, 0xff, 0xff);

async function framesIn(dataSet: DataSet, stored: string, read: ReadStored): Promise<Frames> {
  const pixels = dataSet.element(tags.PixelData);
  const shape = shapeOfHeader(dataSet);
  if (pixels instanceof FragmentsElement) {
    const runs = await runsOfFrames(dataSet, pixels, read);
    return {
      count: runs.length,
      read: async (index) => {
        const pieces: Uint8Array[] = [];
        for (const { from, to } of runs[index] ?? [])
          for await (const piece of read(from, to)) pieces.push(piece.slice());
        return { syntax: stored, shape, bytes: concatBytes(pieces) };
      },
    };
  }
  const { bigEndian, pixelsSwapped } = transferSyntaxOf(stored);
  // Bits that stand in swapped words are nobody's yet.
  if (shape.bitsAllocated === 1 && (bigEndian || pixelsSwapped)) throw unsupported();
  const whole = valueOf(pixels, read);
  return {
    count: dataSet.number(tags.NumberOfFrames) ?? 1,
    read: async (index) => {
      const { offset, sizeBytes, skipBits } = nativeFrameRange(shape, index);
      const bytes = await whole(offset, sizeBytes);
      if (bytes.byteLength < sizeBytes) throw unsupported();
      return { syntax: stored, shape, bytes: alignNativeFrame(bytes, shape, skipBits), inWords: pixels?.vr !== 'OB' };
    },
  };
}

/** Bytes of a native value, read where it lies. */
function valueOf(
  pixels: ReturnType<DataSet['element']>,
  read: ReadStored,
): (offset: number, sizeBytes: number) => Promise<Uint8Array> {
  if (!(pixels instanceof BulkElement)) throw unsupported();
  const { reference } = pixels;
  return async (offset, sizeBytes) => {
    const end = Math.min(reference.sizeBytes, offset + sizeBytes);
    const pieces: Uint8Array[] = [];
    for await (const piece of read(reference.offset + offset, reference.offset + end)) pieces.push(piece.slice());
    return concatBytes(pieces);
  };
}

function unsupported(): ArchiveError {
  return new ArchiveError('DICOM_UNSUPPORTED', 'the pixels of this instance cannot be given in that transfer syntax');
}
