// Pictures of frames that anything can show: WADO-RS /rendered and /thumbnail, and what WADO-URI asks for as an image.
//
// Invariants: decoding and drawing are done by the pixel pool, beside the main thread; a frame that cannot be shown truly is refused (406) and not drawn wrongly, and
// among many instances passed over; at most one coded frame a picture is held. A thumbnail of a series or a study is of what is in the middle of it.
// Left out on purpose: presentation states and annotations.

import { imageShapeOf, shownFactsOf } from '../../archive/index.ts';
import { ArchiveError, type Random } from '../../base/index.ts';
import { checkShape, type Picture, type PixelPool, transferSyntaxOf } from '../../dicom/index.ts';
import { answeredUnchanged, sendBytes, weakTagHeaders } from './conditional.ts';
import { isDocument, sendDocument } from './documents.ts';
import { type Exchange, type Instance, urlOf } from './exchange.ts';
import { findInstances, stampOf } from './found-instances.ts';
import { framesOf } from './frame-source.ts';
import { codedBytesOf } from './frame-transcode.ts';
import { HttpProblem } from './http-problem.ts';
import { littleEndianSource } from './little-endian-source.ts';
import { MultipartWriter } from './multipart-writer.ts';
import { type PictureForm, pictureFormFor, videoTypeFor } from './picture-forms.ts';
import { annotationWarning, type HowShown, howShown, qualityOf } from './picture-params.ts';
import type { Place } from './routes.ts';

/** Pictures of one answer. */
export const picturesMax = 10_000;
const thumbnailSide = 128;

export type PictureParts = { readonly pool: PixelPool; readonly random: Random };
type Kind = 'rendered' | 'thumbnail';
/** What is drawn: frames of an instance, counted from 1. */
type Subject = { readonly instance: Instance; readonly frames: readonly number[] };
type How = { readonly kind: Kind; readonly form: PictureForm; readonly shown: HowShown };

export async function answerPictures(
  exchange: Exchange,
  route: { readonly kind: Kind; readonly place: Place; readonly frames: readonly number[] | undefined },
  parts: PictureParts,
): Promise<void> {
  const { params, accepts, base, reply } = exchange;
  const { kind, place, frames = [1] } = route;
  const shown = howShown(params);
  const quality = qualityOf(params.get('quality'));
  for (const [name, value] of Object.entries(annotationWarning(params, base))) reply.header(name, value);
  const found = await findInstances(exchange, place);
  const [only] = found;
  if (place.instance !== undefined && only !== undefined) {
    const video = kind === 'rendered' ? videoTypeFor(accepts, transferSyntaxOf(only.syntaxUid)) : undefined;
    if (video !== undefined) return sendVideo(exchange, only, video);
    if (kind === 'rendered' && isDocument(only)) return sendDocument(exchange, only);
    const form = pictureFormFor(accepts, { quality, many: frames.length > 1, mayStand: false });
    return sendPictures(exchange, [{ instance: only, frames }], { kind, form, shown }, parts);
  }
  const images = found.filter(({ headBytes, sizeBytes }) => headBytes < sizeBytes);
  const many = kind === 'rendered' && images.length > 1;
  const form = pictureFormFor(accepts, { quality, many, mayStand: true });
  const subjects = form.multipart && kind === 'rendered' ? images : standingFor(images);
  const isPlain = kind === 'thumbnail' && route.frames === undefined && !shownKeys.some((name) => params.has(name));
  if (isPlain && !form.multipart && (await sendKept(exchange, subjects[0], form))) return;
  await sendPictures(
    exchange,
    subjects.map((instance) => ({ instance, frames })),
    { kind, form, shown },
    parts,
  );
}

const shownKeys = ['window', 'viewport', 'quality', 'annotation'] as const;

/** What stands for a settled series was made when it settled, so no pixels are read for it. False: there is none. */
async function sendKept(
  exchange: Exchange,
  instance: Instance | undefined,
  { contentType }: PictureForm,
): Promise<boolean> {
  if (instance?.picture === undefined || contentType !== 'image/jpeg') return false;
  const stamp = stampOf([instance], 'thumbnail kept');
  if (answeredUnchanged(exchange.request, exchange.reply, stamp)) return true;
  const bytes = await exchange.archive.instances.thumbnail(instance);
  if (bytes === undefined) return false;
  const read = async function* (from: number, to: number): AsyncGenerator<Uint8Array> {
    yield bytes.subarray(from, to);
  };
  await sendBytes(exchange, { 'content-type': contentType }, { stamp, sizeBytes: bytes.byteLength, read });
  return true;
}

/** The one in the middle; others where that cannot be shown. */
function standingFor(images: readonly Instance[]): readonly Instance[] {
  const places = new Set([images.length >> 1, 0, images.length - 1]);
  return [...places].flatMap((index) => images[index] ?? []);
}

/** A picture alone is the first that can be drawn; in a multipart it is all of them. */
export async function sendPictures(
  exchange: Exchange,
  subjects: readonly Subject[],
  how: How,
  parts: PictureParts,
): Promise<void> {
  const { request, reply } = exchange;
  const { form } = how;
  if (subjects.reduce((sum, { frames }) => sum + frames.length, 0) > picturesMax)
    throw new ArchiveError('LIMIT_EXCEEDED', `picturesMax: one answer has at most ${picturesMax} pictures`);
  const frames = subjects.map((each) => each.frames.join(',')).join(' ');
  const stamp = stampOf(
    subjects.map((each) => each.instance),
    `${JSON.stringify(how)} ${frames}`,
  );
  if (answeredUnchanged(request, reply, stamp)) return;
  const pictures = drawnOf(exchange, subjects, how, parts.pool);
  if (form.multipart) return sendMany(exchange, pictures, { form, stamp, random: parts.random });
  for await (const { picture } of pictures) {
    const { bytes, contentType } = picture;
    const read = async function* (from: number, to: number): AsyncGenerator<Uint8Array> {
      yield bytes.subarray(from, to);
    };
    return sendBytes(exchange, { 'content-type': contentType }, { stamp, sizeBytes: bytes.byteLength, read });
  }
}

type Drawn = { readonly picture: Picture; readonly instance: Instance; readonly frame: number };

async function sendMany(
  { reply, base }: Exchange,
  pictures: AsyncIterable<Drawn>,
  parts: { readonly form: PictureForm; readonly stamp: string; readonly random: Random },
): Promise<void> {
  const writer = new MultipartWriter(reply, parts.random);
  const headers = { ...weakTagHeaders(parts.stamp), 'content-type': writer.typeOf(parts.form.contentType) };
  for await (const { picture, instance, frame } of pictures) {
    if (!reply.begun && !reply.begin(200, headers)) return;
    const url = urlOf(base, { study: instance.studyUid, series: instance.seriesUid, instance: instance.instanceUid });
    await writer.part(
      {
        'Content-Type': picture.contentType,
        'Content-Length': String(picture.bytes.byteLength),
        'Content-Location': `${url}/frames/${frame}/rendered`,
      },
      picture.bytes,
    );
  }
  writer.end();
}

/** Of one subject all that was asked for, or a refusal; of several those that can be drawn, and a refusal where none can. */
async function* drawnOf(
  exchange: Exchange,
  subjects: readonly Subject[],
  how: How,
  pool: PixelPool,
): AsyncGenerator<Drawn> {
  let refusal: HttpProblem | undefined = new HttpProblem(406, 'there is nothing to show');
  for (const subject of subjects) {
    try {
      for await (const drawn of drawnFrames(exchange, subject, how, pool)) {
        refusal = undefined;
        yield drawn;
      }
    } catch (error) {
      const isUnshown =
        error instanceof HttpProblem ||
        (error instanceof ArchiveError && ['DICOM_MALFORMED', 'DICOM_UNSUPPORTED'].includes(error.code));
      if (!isUnshown || subjects.length === 1) throw error;
    }
  }
  if (refusal !== undefined) throw refusal;
}

async function* drawnFrames(
  { archive }: Exchange,
  { instance, frames }: Subject,
  { kind, form, shown }: How,
  pool: PixelPool,
): AsyncGenerator<Drawn> {
  const source = await littleEndianSource(archive, instance);
  const { header } = source;
  const places = await framesOf(source, frames);
  const shape = imageShapeOf(header);
  checkShape(shape);
  const isPlainThumbnail = kind === 'thumbnail' && form.format.kind === 'jpeg' && shown.viewport === undefined;
  const viewport =
    shown.viewport ?? (kind === 'thumbnail' ? { columns: thumbnailSide, rows: thumbnailSide } : undefined);
  for (const [index, place] of places.entries()) {
    const frame = frames[index] ?? 1;
    const coded = { syntax: source.syntax.uid, shape, bytes: await codedBytesOf(place) };
    const facts = shownFactsOf(header, frame, shown.window);
    const picture = isPlainThumbnail
      ? await pool.thumbnail(coded, facts)
      : await pool.render(coded, { ...facts, format: form.format, viewport });
    if (picture === undefined) throw new HttpProblem(406, 'these pixels cannot be shown here');
    yield { picture, instance, frame };
  }
}

/** A stored video as it is: whole, or the range that a player asks for. */
async function sendVideo(exchange: Exchange, instance: Instance, contentType: string): Promise<void> {
  const { archive, request, reply } = exchange;
  const stamp = stampOf([instance], `video ${contentType}`);
  if (answeredUnchanged(request, reply, stamp)) return;
  const [stream] = await framesOf(await littleEndianSource(archive, instance), [1]);
  if (stream === undefined) throw new ArchiveError('NOT_FOUND', 'the instance has no such frame');
  await sendBytes(exchange, { 'content-type': contentType }, { stamp, ...stream });
}
