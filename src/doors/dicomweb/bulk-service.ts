// WADO-RS /bulkdata: one value of an instance, under the way that /metadata told.
//
// Invariants: a value is read where it lies and not held; encapsulated pixel data is given frame by frame.

import { viewOf } from '../../base/index.ts';
import { tags } from '../../dicom/index.ts';
import { answeredUnchanged, sendBytes, weakTagHeaders } from './conditional.ts';
import { documentTypeOf, encapsulatedDocument } from './documents.ts';
import { type ElementValue, elementValueOf, noValue } from './element-value.ts';
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
export const pixelTags: ReadonlySet<number> = new Set([tags.PixelData, tags.FloatPixelData, tags.DoubleFloatPixelData]);

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
  const own = path[0] === encapsulatedDocument && path.length === 1 ? documentTypeOf(source.header) : undefined;
  const { isSingle, type } = bulkFormFor(accepts, { own, hasRange: request.headers.range !== undefined });
  const stamp = stampOf([instance], `bulk ${path.join('/')} ${isSingle} ${type}`);
  if (answeredUnchanged(request, reply, stamp)) return;
  const value = isPixels ? await pixelValue(source) : elementValueOf(source, path);
  if (isSingle) {
    await sendBytes(exchange, { 'content-type': type }, { stamp, ...value });
    return;
  }
  const writer = new MultipartWriter(reply, random);
  if (!reply.begin(200, { ...weakTagHeaders(stamp), 'content-type': writer.typeOf(type) })) return;
  await writer.part({ 'Content-Type': type, 'Content-Length': String(value.sizeBytes) });
  await reply.writeAll(value.read(0, value.sizeBytes));
  writer.end();
}

/** Alone where that is asked for, and where a range is; under its own type where that is named. 406 when no form is taken. */
function bulkFormFor(
  accepts: readonly MediaRange[],
  { own, hasRange }: { readonly own: string | undefined; readonly hasRange: boolean },
): { readonly isSingle: boolean; readonly type: string } {
  for (const range of accepts) {
    const { multipart, type } = partTypeOf(range);
    if (own !== undefined && type === own) return { isSingle: !multipart, type: own };
    if (takesType(type, bytesType)) return { isSingle: !multipart && (type !== '*/*' || hasRange), type: bytesType };
  }
  throw new HttpProblem(406, `a value is given as ${bytesType}, alone or as a part of multipart/related`);
}

export async function pixelValue({ pixelsOffset, sizeBytes, read }: LittleEndianSource): Promise<ElementValue> {
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
