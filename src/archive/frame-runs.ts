// Where the frames of encapsulated pixel data lie in a data set that was read through.
//
// Invariants: frames are told apart as `planFrames` tells them; beginnings and ends of fragments are read only where no table and no count helps; what cannot be told apart
// is DICOM_UNSUPPORTED and nobody guesses.

import { ArchiveError, concatBytes, emptyBytes, isArchiveError } from '../base/index.ts';
import { type DataSet, type FragmentsElement, frameLength, planFrames, tags } from '../dicom/index.ts';

export type ReadStored = (from: number, to: number) => AsyncIterable<Uint8Array>;

/** Bytes of the data set, from one place up to another. */
export type Run = { readonly from: number; readonly to: number };

/** What a stream's marks need of a fragment's beginning and end. */
const markBytes = 16;

/** For each frame the runs of bytes that are it together. DICOM_UNSUPPORTED. */
export async function runsOfFrames(dataSet: DataSet, pixels: FragmentsElement, read: ReadStored): Promise<Run[][]> {
  const { fragments, offsetTable } = pixels;
  const spans = Array.from({ length: fragments.count }, (_, index) => ({
    offset: fragments.offsetAt(index),
    sizeBytes: fragments.sizeAt(index),
  }));
  const described = {
    frameCount: dataSet.number(tags.NumberOfFrames) ?? 1,
    fragments: spans,
    basicOffsets: offsetTable,
    extendedOffsets: dataSet.bytes(tags.ExtendedOffsetTable),
    extendedLengths: dataSet.bytes(tags.ExtendedOffsetTableLengths),
  };
  let needsMarks = false;
  const plan = (marks: readonly Marks[]): Run[][] =>
    planFrames(described, (fragment) => {
      needsMarks = true;
      return marks[fragment] ?? noMarks;
    }).map(({ first, end }, frame) => {
      const runs = spans.slice(first, end).map(({ offset, sizeBytes }) => ({ from: offset, to: offset + sizeBytes }));
      return cutTo(runs, frameLength(described, frame));
    });
  try {
    return plan([]);
  } catch (error) {
    if (!isArchiveError(error, 'DICOM_MALFORMED')) throw error;
    if (!needsMarks) throw untold(error);
  }
  const marks: Marks[] = [];
  for (const { offset, sizeBytes } of spans) {
    const head = await gathered(read(offset, offset + Math.min(sizeBytes, markBytes)));
    const tail = await gathered(read(offset + Math.max(0, sizeBytes - markBytes), offset + sizeBytes));
    marks.push({ head, tail });
  }
  try {
    return plan(marks);
  } catch (error) {
    throw isArchiveError(error, 'DICOM_MALFORMED') ? untold(error) : error;
  }
}

type Marks = { readonly head: Uint8Array; readonly tail: Uint8Array };
const noMarks: Marks = { head: emptyBytes, tail: emptyBytes };

/** Without the byte that made the last fragment even, where a table tells the frame's length. */
function cutTo(runs: Run[], sizeBytes: number | undefined): Run[] {
  const last = runs.at(-1);
  if (sizeBytes === undefined || last === undefined) return runs;
  const over = runs.reduce((sum, { from, to }) => sum + to - from, 0) - sizeBytes;
  return over === 1 && last.to > last.from ? [...runs.slice(0, -1), { from: last.from, to: last.to - 1 }] : runs;
}

function untold(cause: unknown): ArchiveError {
  return new ArchiveError('DICOM_UNSUPPORTED', 'the instance does not say which fragments are which frame', { cause });
}

async function gathered(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece.slice());
  return concatBytes(all);
}
