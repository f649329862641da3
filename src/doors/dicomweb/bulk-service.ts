// WADO-RS /bulkdata: one value of an instance, under the way that /metadata told.
//
// Invariants: a value is read where it lies and not held; encapsulated pixel data is given frame by frame.

import { ArchiveError, viewOf } from '../../base/index.ts';
import { tags } from '../../dicom/index.ts';
import { answeredUnchanged, sendBytes, weakTagHeaders } from './conditional.ts';
import type { Exchange } from './exchange.ts';
import { findInstance, stampOf } from './found-instances.ts';
import { type FrameParts, sendFrames } from './frames-service.ts';
import { HttpProblem } from './http-problem.ts';
import { type LittleEndianSource, littleEndianSource } from './little-endian-source.ts';
import { type MediaRange, partTypeOf, takesType } from './media-type.ts';
import { MultipartWriter } from './multipart-writer.ts';
import type { Place } from './routes.ts';

const bytesType = 'application/octet-stream';
const undefinedLength = 0xffff_ffff;
const pixelTags: ReadonlySet<number> = new Set([tags.PixelData, tags.FloatPixelData, tags.DoubleFloatPixelData]);

type Value = { readonly sizeBytes: number; readonly read: (from: number, to: number) => AsyncIterable<Uint8Array> };

export async function answerBulkData(
  exchange: Exchange,
  place: Place,
  asked: FrameParts & { readonly path: readonly number[] },
): Promise<void> {
  const { request, reply, archive, accepts } = exchange;
  const { path, random, pool } = asked;
  const instance = await findInstance(exchange, place);
  const source = await littleEndianSource(archive, instance);
  const isPixels = path.length === 1 && pixelTags.has(path[0] as number);
  if (isPixels && source.pixelsOffset !== undefined && source.syntax.encapsulated)
    return sendFrames(exchange, instance, { frames: undefined, random, pool, storedFirst: true });
  const isSingle = givenAlone(accepts, request.headers.range !== undefined);
  const stamp = stampOf([instance], `bulk ${path.join('/')} ${isSingle}`);
  if (answeredUnchanged(request, reply, stamp)) return;
  const value = isPixels ? await pixelValue(source) : valueAt(source, path);
  if (isSingle) {
    await sendBytes(exchange, { 'content-type': bytesType }, { stamp, ...value });
    return;
  }
  const writer = new MultipartWriter(reply, random);
  if (!reply.begin(200, { ...weakTagHeaders(stamp), 'content-type': writer.typeOf(bytesType) })) return;
  await writer.part({ 'Content-Type': bytesType, 'Content-Length': String(value.sizeBytes) });
  await reply.writeAll(value.read(0, value.sizeBytes));
  writer.end();
}

/** Alone where that is asked for, and where a range is. 406 when neither form is taken. */
function givenAlone(accepts: readonly MediaRange[], hasRange: boolean): boolean {
  for (const range of accepts) {
    const { multipart, type } = partTypeOf(range);
    if (takesType(type, bytesType)) return !multipart && (type !== '*/*' || hasRange);
  }
  throw new HttpProblem(406, `a value is given as ${bytesType}, alone or as a part of multipart/related`);
}

async function pixelValue({ pixelsOffset, sizeBytes, read }: LittleEndianSource): Promise<Value> {
  if (pixelsOffset === undefined) throw noValue();
  // The length is what stands before the value, in every form of little endian.
  const before: Uint8Array[] = [];
  for await (const piece of read(pixelsOffset - 4, pixelsOffset)) before.push(piece);
  const length = viewOf(Buffer.concat(before)).getUint32(0, true);
  const end = length === undefinedLength ? sizeBytes : Math.min(sizeBytes, pixelsOffset + length);
  return {
    sizeBytes: end - pixelsOffset,
    read: (from, to) => read(pixelsOffset + from, Math.min(end, pixelsOffset + to)),
  };
}

function valueAt({ header, read }: LittleEndianSource, path: readonly number[]): Value {
  const element = header.elementAt(path);
  switch (element?.kind) {
    case 'bytes': {
      const { bytes } = element;
      return {
        sizeBytes: bytes.byteLength,
        read: async function* (from, to) {
          yield bytes.subarray(from, to);
        },
      };
    }
    case 'bulk': {
      const { offset, sizeBytes } = element.reference;
      return { sizeBytes, read: (from, to) => read(offset + from, offset + to) };
    }
    default:
      throw noValue();
  }
}

function noValue(): ArchiveError {
  return new ArchiveError('NOT_FOUND', 'the instance has no such value');
}
