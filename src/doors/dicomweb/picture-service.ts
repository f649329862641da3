// Pictures of frames that anything can show: WADO-RS /rendered and /thumbnail, and what WADO-URI asks for as an image.
//
// Invariants: decoding and drawing are done by the pixel pool, beside the main thread; a frame that cannot be shown truly is refused (406) and not drawn wrongly;
// at most one coded frame a picture is held.
// Left out on purpose: presentation states and annotations.

import { ArchiveError, type Random } from '../../base/index.ts';
import { checkShape, type Picture, type PictureFormat, type PixelPool, type Viewport } from '../../dicom/index.ts';
import { answeredUnchanged, sendBytes, weakTagHeaders } from './conditional.ts';
import type { Exchange, Instance } from './exchange.ts';
import { findInstances, stampOf } from './found-instances.ts';
import { framesOf } from './frame-source.ts';
import { codedBytesOf } from './frame-transcode.ts';
import { HttpProblem } from './http-problem.ts';
import { littleEndianSource } from './little-endian-source.ts';
import { type MediaRange, partTypeOf, takesType } from './media-type.ts';
import { MultipartWriter } from './multipart-writer.ts';
import { imageShapeOf, shownFactsOf } from './picture-facts.ts';
import type { Place } from './routes.ts';

/** Pictures of one answer. */
export const picturesMax = 100;
const qualityDefault = 90;

export type PictureParts = { readonly pool: PixelPool; readonly random: Random };
type Kind = 'rendered' | 'thumbnail';
type Wanted = { readonly format: PictureFormat; readonly contentType: string; readonly multipart: boolean };

export type HowShown = {
  readonly window: { readonly center: number; readonly width: number; readonly shape: string | undefined } | undefined;
  readonly viewport: Viewport | undefined;
};

export async function answerPictures(
  exchange: Exchange,
  route: { readonly kind: Kind; readonly place: Place; readonly frames: readonly number[] | undefined },
  parts: PictureParts,
): Promise<void> {
  const { params, accepts } = exchange;
  const { kind, place, frames = [1] } = route;
  if (kind === 'rendered' && place.instance === undefined)
    throw new HttpProblem(406, 'pictures are given of instances, and of their frames');
  const instances = await findInstances(exchange, place);
  // What stands for a study or a series is in the middle of it.
  const instance = instances[instances.length >> 1] as Instance;
  const format = formatFor(accepts, { kind, quality: qualityOf(params.get('quality')), many: frames.length > 1 });
  const shown = { window: windowOf(params.get('window')), viewport: viewportOf(params.get('viewport')) };
  await sendPictures(exchange, instance, { kind, frames, format, shown }, parts);
}

export async function sendPictures(
  exchange: Exchange,
  instance: Instance,
  what: {
    readonly kind: Kind;
    readonly frames: readonly number[];
    readonly format: Wanted;
    readonly shown: HowShown;
  },
  { pool, random }: PictureParts,
): Promise<void> {
  const { request, reply } = exchange;
  const { kind, frames, format, shown } = what;
  if (frames.length > picturesMax)
    throw new ArchiveError('LIMIT_EXCEEDED', `picturesMax: one answer has at most ${picturesMax} pictures`);
  const stamp = stampOf([instance], JSON.stringify(what));
  if (answeredUnchanged(request, reply, stamp)) return;
  const pictures = drawn(exchange, instance, { kind, frames, format, shown }, pool);
  if (!format.multipart) {
    const { value } = (await pictures.next()) as { value: Picture };
    await pictures.return(undefined);
    const read = async function* (from: number, to: number): AsyncGenerator<Uint8Array> {
      yield value.bytes.subarray(from, to);
    };
    await sendBytes(
      exchange,
      { 'content-type': value.contentType },
      { stamp, sizeBytes: value.bytes.byteLength, read },
    );
    return;
  }
  const writer = new MultipartWriter(reply, random);
  const headers = { ...weakTagHeaders(stamp), 'content-type': writer.typeOf(format.contentType) };
  for await (const picture of pictures) {
    if (!reply.begun && !reply.begin(200, headers)) return;
    const sizeBytes = String(picture.bytes.byteLength);
    await writer.part({ 'Content-Type': picture.contentType, 'Content-Length': sizeBytes }, picture.bytes);
  }
  writer.end();
}

async function* drawn(
  { archive }: Exchange,
  instance: Instance,
  what: { readonly kind: Kind; readonly frames: readonly number[]; readonly format: Wanted; readonly shown: HowShown },
  pool: PixelPool,
): AsyncGenerator<Picture> {
  const source = await littleEndianSource(archive, instance);
  const { header } = source;
  const places = await framesOf(source, what.frames);
  const shape = imageShapeOf(header);
  checkShape(shape);
  for (const [index, place] of places.entries()) {
    const frame = { syntax: source.syntax.uid, shape, bytes: await codedBytesOf(place) };
    const facts = shownFactsOf(header, what.frames[index] ?? 1, what.shown.window);
    const picture =
      what.kind === 'thumbnail'
        ? await pool.thumbnail(frame, facts)
        : await pool.render(frame, { ...facts, format: what.format.format, viewport: what.shown.viewport });
    if (picture === undefined) throw new HttpProblem(406, 'these pixels cannot be shown here');
    yield picture;
  }
}

const pictureTypes = ['image/jpeg', 'image/png'] as const;

/** 406 when no kind of picture is taken. */
export function formatFor(
  accepts: readonly MediaRange[],
  how: { readonly kind: Kind; readonly quality: number; readonly many: boolean },
): Wanted {
  const offered = how.kind === 'thumbnail' ? pictureTypes.slice(0, 1) : pictureTypes;
  for (const range of accepts) {
    const { multipart, type } = partTypeOf(range);
    const contentType = offered.find((each) => takesType(type, each));
    const isAny = !multipart && type === '*/*';
    if (contentType === undefined || (how.many && !multipart && !isAny)) continue;
    const format =
      contentType === 'image/png' ? { kind: 'png' as const } : { kind: 'jpeg' as const, quality: how.quality };
    return { format, contentType, multipart: multipart || how.many };
  }
  throw new HttpProblem(406, `pictures are given as ${offered.join(' or ')}`);
}

export function qualityOf(text: string | null): number {
  if (text === null) return qualityDefault;
  const quality = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (quality < 1 || quality > 100) throw new ArchiveError('ARGUMENT_INVALID', 'quality is from 1 to 100');
  return quality;
}

/** `center,width[,function]` */
function windowOf(text: string | null): HowShown['window'] {
  if (text === null) return undefined;
  const [center, width, shape = 'linear', ...more] = text.split(',');
  const known = new Map([
    ['linear', 'LINEAR'],
    ['linear-exact', 'LINEAR_EXACT'],
    ['sigmoid', 'SIGMOID'],
  ]).get(shape.toLowerCase());
  if (more.length > 0 || known === undefined)
    throw new ArchiveError('ARGUMENT_INVALID', 'window is center,width,function');
  return { center: decimalOf(center), width: decimalOf(width), shape: known };
}

/** `columns,rows[,x,y,columns,rows]`; sides of the area that are negative flip it. */
function viewportOf(text: string | null): Viewport | undefined {
  if (text === null) return undefined;
  const [columns, rows, ...area] = text.split(',').map(decimalOf);
  if (columns === undefined || rows === undefined || !(columns >= 1) || !(rows >= 1) || ![0, 4].includes(area.length))
    throw new ArchiveError('ARGUMENT_INVALID', 'viewport is columns,rows or columns,rows,x,y,columns,rows');
  const [x = 0, y = 0, across = 0, down = 0] = area;
  const size = { columns: Math.floor(columns), rows: Math.floor(rows), mayEnlarge: true };
  if (area.length === 0) return size;
  return {
    ...size,
    area: {
      x,
      y,
      columns: Math.abs(across),
      rows: Math.abs(down),
      flippedAcross: across < 0,
      flippedDown: down < 0,
    },
  };
}

export function decimalOf(text: string | undefined | null): number {
  const number = /^[+-]?\d{1,12}(?:\.\d{1,12})?$/.test(text ?? '') ? Number(text) : Number.NaN;
  if (Number.isNaN(number)) throw new ArchiveError('ARGUMENT_INVALID', 'a number of the query is none');
  return number;
}
