// WADO-RS /frames: single frames of an instance, each read alone.
//
// Invariants: only what holds the frames that were asked for is read; frames come in the order asked for; one that is not there makes the whole request a 404
// before anything is sent, and one that cannot be given as it was asked for a 406, where it is the first.

import type { Random } from '../../base/index.ts';
import { type PixelPool, transferSyntaxOf } from '../../dicom/index.ts';
import { answeredUnchanged, sendBytes, weakTagHeaders } from './conditional.ts';
import { type Exchange, type Instance, urlOf } from './exchange.ts';
import { findInstance, stampOf } from './found-instances.ts';
import { type FrameForm, frameFormFor, storedForm } from './frame-forms.ts';
import { frameShapeOf } from './frame-places.ts';
import { type Frame, framesOf } from './frame-source.ts';
import { transcodedFrames } from './frame-transcode.ts';
import { HttpProblem } from './http-problem.ts';
import { type LittleEndianSource, littleEndianSource } from './little-endian-source.ts';
import { MultipartWriter } from './multipart-writer.ts';
import type { Place } from './routes.ts';

export type FrameParts = { readonly random: Random; readonly pool: PixelPool };

export async function answerFrames(
  exchange: Exchange,
  place: Place,
  asked: FrameParts & { readonly frames: readonly number[] },
): Promise<void> {
  const instance = await findInstance(exchange, place);
  await sendFrames(exchange, instance, { ...asked, storedFirst: false });
}

/** `frames` counted from 1; undefined: all of them. `storedFirst`: as they are stored where no form is named. */
export async function sendFrames(
  exchange: Exchange,
  instance: Instance,
  asked: FrameParts & { readonly frames: readonly number[] | undefined; readonly storedFirst: boolean },
): Promise<void> {
  const { request, reply, archive, accepts } = exchange;
  const { storedFirst, random, pool } = asked;
  const stored = transferSyntaxOf(instance.syntaxUid);
  const wanted = frameFormFor(accepts, stored, { mayBeSingle: asked.frames?.length === 1, storedFirst });
  const stamp = stampOf([instance], `frames ${asked.frames?.join(',')} ${wanted.contentType}`);
  if (answeredUnchanged(request, reply, stamp)) return;
  const source = await littleEndianSource(archive, instance);
  const frames = asked.frames ?? allFrames(source);
  const { form, given } = await openFrames(source, await framesOf(source, frames), wanted, pool);
  if (!form.multipart) {
    for await (const only of given)
      return sendBytes(exchange, { 'content-type': form.contentType }, { stamp, ...only });
  }
  await sendParts(exchange, { instance, frames, given, form, stamp, random });
}

/** Frames in the form that was asked for, the first of them made; what is stored in place of a form that nobody named and that cannot be. */
export async function openFrames(
  source: LittleEndianSource,
  found: readonly Frame[],
  wanted: FrameForm,
  pool: PixelPool,
): Promise<{ readonly form: FrameForm; readonly given: AsyncIterable<Frame> }> {
  if (wanted.asStored) return { form: wanted, given: inOrder(found) };
  const made = transcodedFrames(source, found, { syntax: wanted.syntax, pool });
  try {
    const first = await made.next();
    return { form: wanted, given: follows(first.done === true ? [] : [first.value], made) };
  } catch (error) {
    if (!wanted.isDefault || !(error instanceof HttpProblem)) throw error;
    return { form: storedForm(wanted, source.syntax), given: inOrder(found) };
  }
}

async function* inOrder(frames: readonly Frame[]): AsyncGenerator<Frame> {
  yield* frames;
}

async function* follows(first: readonly Frame[], rest: AsyncIterable<Frame>): AsyncGenerator<Frame> {
  yield* first;
  yield* rest;
}

export function allFrames({ header }: LittleEndianSource): readonly number[] {
  return Array.from({ length: frameShapeOf(header).count }, (_, index) => index + 1);
}

async function sendParts(
  { reply, base }: Exchange,
  parts: {
    readonly instance: Instance;
    readonly frames: readonly number[];
    readonly given: AsyncIterable<Frame>;
    readonly form: FrameForm;
    readonly stamp: string;
    readonly random: Random;
  },
): Promise<void> {
  const { instance, frames, given, form, stamp, random } = parts;
  const writer = new MultipartWriter(reply, random);
  if (!reply.begin(200, { ...weakTagHeaders(stamp), 'content-type': writer.typeOf(form.type) })) return;
  const url = urlOf(base, { study: instance.studyUid, series: instance.seriesUid, instance: instance.instanceUid });
  let index = 0;
  for await (const frame of given) {
    await writer.part({
      'Content-Type': form.contentType,
      'Content-Length': String(frame.sizeBytes),
      'Content-Location': `${url}/frames/${frames[index]}`,
    });
    await reply.writeAll(frame.read(0, frame.sizeBytes));
    index += 1;
  }
  writer.end();
}
