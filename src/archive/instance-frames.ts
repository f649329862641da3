// The frames of a stored instance as they are coded, one at a time, whatever its transfer syntax.
//
// Invariants: memory is one frame; frames are told apart as the data set says and in no other way (DICOM_UNSUPPORTED where it does not say); a value that the reader kept is little
// endian, one that is read where it lies is as the syntax has it.
// Left out on purpose: decoding.

import { ArchiveError, concatBytes } from '../base/index.ts';
import {
  alignNativeFrame,
  BulkElement,
  BytesElement,
  type CodedFrame,
  type DataSet,
  type Element,
  explicitLittle,
  FragmentsElement,
  type ImageShape,
  nativeFrameRange,
  tags,
  transferSyntaxOf,
} from '../dicom/index.ts';
import { type ReadStored, runsOfFrames } from './frame-runs.ts';
import { shapeOfHeader } from './instance-decode.ts';

export type InstanceFrames = { readonly count: number; readonly read: (index: number) => Promise<CodedFrame> };

const pixelTags = [tags.PixelData, tags.FloatPixelData, tags.DoubleFloatPixelData];

export function pixelsOf(dataSet: DataSet): Element | undefined {
  const tag = pixelTags.find((each) => dataSet.has(each));
  return tag === undefined ? undefined : dataSet.element(tag);
}

/** undefined: it has no pixels. DICOM_UNSUPPORTED, DICOM_MALFORMED. */
export async function framesOfInstance(
  dataSet: DataSet,
  syntax: string,
  read: ReadStored,
): Promise<InstanceFrames | undefined> {
  const pixels = pixelsOf(dataSet);
  if (pixels === undefined) return undefined;
  const { tag } = pixels;
  const shape: ImageShape = { ...shapeOfHeader(dataSet), ...(tag === tags.PixelData ? {} : { floatingPoint: true }) };
  if (pixels instanceof FragmentsElement) {
    const runs = await runsOfFrames(dataSet, pixels, read);
    return {
      count: runs.length,
      read: async (index) => {
        const pieces: Uint8Array[] = [];
        for (const { from, to } of runs[index] ?? []) pieces.push(await gathered(read(from, to)));
        return { syntax, shape, bytes: concatBytes(pieces) };
      },
    };
  }
  const count = dataSet.number(tags.NumberOfFrames) ?? 1;
  const inWords = pixels.vr !== 'OB';
  const isSingleBits = shape.bitsAllocated === 1;
  const native = (bytesOf: (from: number, to: number) => Promise<Uint8Array>, coded: string): InstanceFrames => ({
    count,
    read: async (index) => {
      const { offset, sizeBytes, skipBits } = nativeFrameRange(shape, index);
      const inPairs = coded !== explicitLittle.uid && shape.bitsAllocated <= 8 && inWords && swapsWords(coded);
      // Samples of a byte or less that stand in swapped words: the last one may be in the second place, and a first one in the middle of a word is nobody's.
      if (inPairs && (isSingleBits || offset % 2 === 1)) throw unsupported();
      const bytes = await bytesOf(offset, offset + sizeBytes + (inPairs ? sizeBytes % 2 : 0));
      const plain = isSingleBits ? alignNativeFrame(bytes, shape, skipBits) : bytes;
      return { syntax: coded, shape, bytes: plain, inWords };
    },
  });
  if (pixels instanceof BytesElement)
    return native(async (from, to) => pixels.bytes.slice(from, to), explicitLittle.uid);
  if (!(pixels instanceof BulkElement)) throw unsupported();
  const { offset, sizeBytes } = pixels.reference;
  return native((from, to) => gathered(read(offset + from, offset + Math.min(to, sizeBytes))), syntax);
}

function swapsWords(syntax: string): boolean {
  const { bigEndian, pixelsSwapped } = transferSyntaxOf(syntax);
  return bigEndian !== pixelsSwapped;
}

function unsupported(): ArchiveError {
  return new ArchiveError('DICOM_UNSUPPORTED', 'the pixels of this instance are in no form that can be read');
}

async function gathered(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece.slice());
  return concatBytes(all);
}
