// The beginning of a DICOM file out of a stream of pieces: what it says of itself, and then its data set.
//
// Invariants: what stands before the data set is held, at most 64 KB, and nothing behind it; a file that is no DICOM is told apart from one that is damaged.
// Left out on purpose: the data set, which the archive reads.

import { DicomError, Part10Reader } from '../../dicom/index.ts';

export type BegunFile = {
  readonly kind: 'dicom';
  readonly meta: NonNullable<Part10Reader['meta']>;
  readonly held: readonly Uint8Array[];
};

/** A piece is good until the next is asked for. DicomError when it is damaged in front; errors of the source pass through. */
export async function beginFile(source: AsyncIterator<Uint8Array>): Promise<BegunFile | { readonly kind: 'foreign' }> {
  // Only what stands before the data set is of interest; the archive reads the rest.
  const reader = new Part10Reader({ stopAt: 0x0008_0000 });
  const held: Uint8Array[] = [];
  try {
    while (reader.meta === undefined) {
      const next = await source.next();
      if (next.done === true) {
        reader.finish();
        break;
      }
      held.push(next.value.slice());
      reader.push(next.value);
    }
  } catch (error) {
    if (!(error instanceof DicomError)) throw error;
    if (error.fault === 'foreign') return { kind: 'foreign' };
    // A DICOM file that is damaged in front is refused, not passed over; a data set that begins badly is the archive's to refuse, and to keep for people.
    if (reader.meta === undefined) throw error;
  }
  return reader.meta === undefined ? { kind: 'foreign' } : { kind: 'dicom', meta: reader.meta, held };
}

/** The data set of a file that was begun. */
export async function* dataSetOf(
  { meta, held }: BegunFile,
  source: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let skip = meta.dataSetOffset;
  for (const piece of held) {
    if (skip < piece.byteLength) yield piece.subarray(skip);
    skip = Math.max(0, skip - piece.byteLength);
  }
  for (let next = await source.next(); next.done !== true; next = await source.next()) yield next.value;
}
