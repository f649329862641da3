// Where the frames of an instance lie in its data set.
//
// Invariants: native frames are counted from the shape alone; encapsulated ones from an offset table where there is one, and from the fragments themselves and the marks
// of their streams where there is none, which means reading the data set through. Where fragments cannot be told apart into frames, nobody guesses (DICOM_UNSUPPORTED).
// Left out on purpose: what is in a frame.

import { runsOfFrames } from '../../archive/index.ts';
import { ArchiveError, isArchiveError, viewOf } from '../../base/index.ts';
import { type DataSet, DataSetReader, FragmentsElement, type TransferSyntax, tags } from '../../dicom/index.ts';

/** Runs of bytes of the data set that are one frame together, in order. */
export type FramePlace = readonly { readonly from: number; readonly to: number }[];

export type ReadBytes = (from: number, to: number) => AsyncIterable<Uint8Array>;

export type FrameShape = {
  readonly count: number;
  /** Of a native frame; not a multiple of eight where a pixel is a bit. */
  readonly bits: number;
  readonly bitsAllocated: number;
};

/** What a header says of native frames. DICOM_UNSUPPORTED when it says too little. */
export function frameShapeOf(header: DataSet): FrameShape {
  const rows = header.number(tags.Rows) ?? 0;
  const columns = header.number(tags.Columns) ?? 0;
  const samples = header.number(tags.SamplesPerPixel) ?? 1;
  const bitsAllocated = header.number(tags.BitsAllocated) ?? 0;
  const count = header.number(tags.NumberOfFrames) ?? 1;
  const subsampled = header.string(tags.PhotometricInterpretation)?.startsWith('YBR_FULL_422') === true;
  const bits = rows * columns * (subsampled ? 2 : samples) * bitsAllocated;
  if (!(bits > 0) || !Number.isSafeInteger(bits) || !Number.isSafeInteger(count) || count < 1)
    throw new ArchiveError('DICOM_UNSUPPORTED', 'the header does not say how large a frame is');
  return { count, bits, bitsAllocated };
}

const itemHeadBytes = 8;
/** An offset table of a million frames has four. */
const tableBytesMax = 16 * 1024 * 1024;

export type EncapsulatedPixels = {
  readonly syntax: TransferSyntax;
  /** Where the first item, the Basic Offset Table, begins. */
  readonly valueOffset: number;
  readonly sizeBytes: number;
  readonly read: ReadBytes;
};

/** Places of the frames that are asked for, counted from 1. NOT_FOUND when there are not so many. */
export async function encapsulatedFrames(
  pixels: EncapsulatedPixels,
  header: DataSet,
  frames: readonly number[],
): Promise<readonly FramePlace[]> {
  const { valueOffset, sizeBytes } = pixels;
  const count = header.number(tags.NumberOfFrames) ?? 1;
  for (const frame of frames) if (frame > count) throw new ArchiveError('NOT_FOUND', 'the instance has no such frame');
  const tableHead = await gather(pixels.read(valueOffset, Math.min(sizeBytes, valueOffset + itemHeadBytes)));
  if (tableHead.byteLength < itemHeadBytes) throw malformed();
  const tableBytes = viewOf(tableHead).getUint32(4, true);
  const firstItem = valueOffset + itemHeadBytes + tableBytes;
  const starts = extendedOffsets(header, count) ?? (await basicOffsets(pixels, tableBytes, count));
  if (starts === undefined || starts.some((each, index) => index > 0 && each <= (starts[index - 1] as number)))
    return fromFragments(pixels, count, frames);
  const places: FramePlace[] = [];
  try {
    for (const frame of frames) {
      const from = firstItem + (starts[frame - 1] as number);
      const next = starts[frame];
      places.push(await fragmentsFrom(pixels, from, next === undefined ? undefined : firstItem + next));
    }
    return places;
  } catch (error) {
    // A table that fits no fragment is none.
    if (!isArchiveError(error, 'DICOM_MALFORMED')) throw error;
    return fromFragments(pixels, count, frames);
  }
}

function malformed(): ArchiveError {
  return new ArchiveError('DICOM_MALFORMED', 'the encapsulated pixel data is not in its form');
}

function extendedOffsets(header: DataSet, count: number): readonly number[] | undefined {
  const offsets = header.bigints(tags.ExtendedOffsetTable);
  return offsets.length === count ? offsets.map(Number) : undefined;
}

async function basicOffsets(
  { valueOffset, read }: EncapsulatedPixels,
  tableBytes: number,
  count: number,
): Promise<readonly number[] | undefined> {
  if (tableBytes !== 4 * count || tableBytes > tableBytesMax) return undefined;
  const from = valueOffset + itemHeadBytes;
  const table = await gather(read(from, from + tableBytes));
  if (table.byteLength !== tableBytes) throw malformed();
  const view = viewOf(table);
  return Array.from({ length: count }, (_, index) => view.getUint32(4 * index, true));
}

/** The fragments from an item on, up to `to` or to the delimiter. */
async function fragmentsFrom(
  { read, sizeBytes }: EncapsulatedPixels,
  from: number,
  to: number | undefined,
): Promise<FramePlace> {
  const place: { from: number; to: number }[] = [];
  for (let at = from; to === undefined || at < to; ) {
    const head = await gather(read(at, Math.min(sizeBytes, at + itemHeadBytes)));
    if (head.byteLength < itemHeadBytes) throw malformed();
    const view = viewOf(head);
    const element = view.getUint16(2, true);
    if (view.getUint16(0, true) !== 0xfffe) throw malformed();
    if (element === 0xe0dd && to === undefined) break;
    const length = view.getUint32(4, true);
    if (element !== 0xe000 || at + itemHeadBytes + length > sizeBytes) throw malformed();
    place.push({ from: at + itemHeadBytes, to: at + itemHeadBytes + length });
    at += itemHeadBytes + length;
  }
  if (place.length === 0) throw malformed();
  return place;
}

async function fromFragments(
  { syntax, read, sizeBytes }: EncapsulatedPixels,
  count: number,
  frames: readonly number[],
): Promise<readonly FramePlace[]> {
  const reader = new DataSetReader({ syntax });
  for await (const piece of read(0, sizeBytes)) reader.push(piece);
  const dataSet = reader.finish();
  const pixels = dataSet.element(tags.PixelData);
  if (!(pixels instanceof FragmentsElement) || pixels.fragments.count === 0) throw malformed();
  const { fragments } = pixels;
  // A video is one stream, whatever its frames.
  if (count === 1 || syntax.video) {
    const whole = Array.from({ length: fragments.count }, (_, index) => {
      const from = fragments.offsetAt(index);
      return { from, to: from + fragments.sizeAt(index) };
    });
    return frames.map(() => whole);
  }
  const runs = await runsOfFrames(dataSet, pixels, read);
  return frames.map((frame) => runs[frame - 1] ?? []);
}

async function gather(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return all.length === 1 ? (all[0] as Uint8Array) : Buffer.concat(all);
}
