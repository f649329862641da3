// An instance whose pixels are compressed, on its way to somebody who takes them uncompressed only.
//
// Invariants: pixels are decoded as the stream says and in no other way; what cannot be decoded, or not told apart into frames, is DICOM_UNSUPPORTED before a byte
// goes out; the header says what the pixels are now, everything else leaves as it came. Memory is a header and two frames, whatever the number of frames.
// Left out on purpose: compressed syntaxes (instance-encode.ts).

import { ArchiveError, concatBytes, emptyBytes } from '../base/index.ts';
import {
  BitJoiner,
  BulkElement,
  type BulkReference,
  type DataSet,
  FragmentsElement,
  frameBitsOf,
  frameBytesOf,
  type ImageShape,
  type PixelPool,
  type PlainFrame,
  pixelCodingOf,
  streamDataSet,
  tags,
  transferSyntaxOf,
} from '../dicom/index.ts';
import { type ReadStored, runsOfFrames } from './frame-runs.ts';

/** Whether there is a decoder for a syntax at all. */
export function isDecodable(syntax: string): boolean {
  return pixelCodingOf(syntax) !== undefined;
}

/** The data set in an uncompressed syntax. DICOM_UNSUPPORTED, DICOM_MALFORMED. */
export async function decodeInstance(
  dataSet: DataSet,
  stored: string,
  wanted: string,
  parts: { readonly read: ReadStored; readonly pool: PixelPool },
): Promise<AsyncGenerator<Uint8Array>> {
  const { read, pool } = parts;
  const pixels = dataSet.element(tags.PixelData);
  if (!(pixels instanceof FragmentsElement)) throw unsupported();
  const shape = shapeOfHeader(dataSet);
  const places = await runsOfFrames(dataSet, pixels, read);
  const frame = async (index: number): Promise<PlainFrame> => {
    const runs = places[index] ?? [];
    const pieces: Uint8Array[] = [];
    for (const { from, to } of runs) for await (const piece of read(from, to)) pieces.push(piece.slice());
    const plain = await pool.decode({ syntax: stored, shape, bytes: concatBytes(pieces) });
    if (plain === undefined) throw unsupported();
    return plain;
  };
  const first = await frame(0);
  const frameBytes = frameBytesOf(first.shape);
  const frameBits = frameBitsOf(first.shape);
  const sizeBytes = Math.ceil((frameBits * places.length) / 8);
  const even = sizeBytes + (sizeBytes % 2);
  const reference: BulkReference = { offset: pixels.reference.offset, sizeBytes: even, bigEndian: false };
  const changed = withShape(dataSet.copy(), first.shape);
  const vr = first.shape.bitsAllocated <= 8 && transferSyntaxOf(wanted).explicit ? 'OB' : 'OW';
  changed.set(new BulkElement(tags.PixelData, vr, reference));
  async function* decoded(): AsyncGenerator<Uint8Array> {
    const joiner = frameBits % 8 === 0 ? undefined : new BitJoiner(frameBits);
    let next: Promise<PlainFrame> = Promise.resolve(first);
    for (let index = 0; index < places.length; index += 1) {
      const plain = await next;
      if (plain.bytes.byteLength !== frameBytes) throw unsupported();
      if (index + 1 < places.length) {
        next = frame(index + 1);
        // Told when it is its turn, also when nobody waits for it any more.
        next.catch(() => undefined);
      }
      yield joiner === undefined ? plain.bytes : joiner.push(plain.bytes);
    }
    const rest = joiner?.end() ?? emptyBytes;
    if (rest.byteLength > 0) yield rest;
    if (even > sizeBytes) yield new Uint8Array(1);
  }
  return streamDataSet(changed, transferSyntaxOf(wanted), (bulk) =>
    bulk === reference ? decoded() : read(bulk.offset, bulk.offset + bulk.sizeBytes),
  );
}

function unsupported(): ArchiveError {
  return new ArchiveError('DICOM_UNSUPPORTED', 'the pixels of this instance cannot be decoded here');
}

export function shapeOfHeader(header: DataSet): ImageShape {
  const number = (tag: number, otherwise: number): number => header.number(tag) ?? otherwise;
  const bitsAllocated = number(tags.BitsAllocated, 0);
  const bitsStored = number(tags.BitsStored, bitsAllocated);
  return {
    rows: number(tags.Rows, 0),
    columns: number(tags.Columns, 0),
    samplesPerPixel: number(tags.SamplesPerPixel, 1),
    bitsAllocated,
    bitsStored,
    highBit: number(tags.HighBit, bitsStored - 1),
    pixelRepresentation: header.number(tags.PixelRepresentation) === 1 ? 1 : 0,
    photometricInterpretation: header.string(tags.PhotometricInterpretation) ?? '',
    planarConfiguration: header.number(tags.PlanarConfiguration) === 1 ? 1 : 0,
  };
}

export function withShape(dataSet: DataSet, shape: ImageShape): DataSet {
  dataSet.setNumber(tags.SamplesPerPixel, shape.samplesPerPixel);
  dataSet.setString(tags.PhotometricInterpretation, shape.photometricInterpretation);
  dataSet.setNumber(tags.BitsAllocated, shape.bitsAllocated);
  dataSet.setNumber(tags.BitsStored, shape.bitsStored);
  dataSet.setNumber(tags.HighBit, shape.highBit);
  dataSet.setNumber(tags.PixelRepresentation, shape.pixelRepresentation, 'US');
  if (shape.samplesPerPixel > 1) dataSet.setNumber(tags.PlanarConfiguration, shape.planarConfiguration ?? 0);
  dataSet.remove(tags.ExtendedOffsetTable);
  dataSet.remove(tags.ExtendedOffsetTableLengths);
  return dataSet;
}
