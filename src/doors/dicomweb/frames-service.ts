// WADO-RS /frames: single frames of an instance, each read alone.
//
// Invariants: only what holds the frames that were asked for is read; frames come in the order asked for; one that is not there makes the whole request a 404
// before anything is sent.

import { ArchiveError, type Random } from '../../base/index.ts';
import { transferSyntaxOf } from '../../dicom/index.ts';
import { answeredUnchanged, sendBytes, weakTagHeaders } from './conditional.ts';
import { type Exchange, type Instance, urlOf } from './exchange.ts';
import { findInstance, stampOf } from './found-instances.ts';
import { type FrameForm, frameFormFor } from './frame-forms.ts';
import { encapsulatedFrames, type FramePlace, frameShapeOf } from './frame-places.ts';
import { type LittleEndianSource, littleEndianSource } from './little-endian-source.ts';
import { MultipartWriter } from './multipart-writer.ts';
import type { Place } from './routes.ts';

/** A frame's bytes, read when they are asked for. */
export type Frame = {
  readonly sizeBytes: number;
  readonly read: (from: number, to: number) => AsyncIterable<Uint8Array>;
};

export async function answerFrames(
  exchange: Exchange,
  place: Place,
  asked: { readonly frames: readonly number[]; readonly random: Random },
): Promise<void> {
  const instance = await findInstance(exchange, place);
  await sendFrames(exchange, instance, asked);
}

/** `frames` counted from 1; undefined: all of them. */
export async function sendFrames(
  exchange: Exchange,
  instance: Instance,
  { frames, random }: { readonly frames: readonly number[] | undefined; readonly random: Random },
): Promise<void> {
  const { request, reply, archive, accepts } = exchange;
  const form = frameFormFor(accepts, transferSyntaxOf(instance.syntaxUid), frames?.length === 1);
  const stamp = stampOf([instance], `frames ${frames?.join(',')} ${form.contentType}`);
  if (answeredUnchanged(request, reply, stamp)) return;
  const source = await littleEndianSource(archive, instance);
  const found = await framesOf(source, frames ?? allFrames(source));
  const [only] = found;
  if (!form.multipart && only !== undefined) {
    await sendBytes(exchange, { 'content-type': form.contentType }, { stamp, ...only });
    return;
  }
  await sendParts(exchange, { instance, frames: frames ?? allFrames(source), found, form, stamp, random });
}

function allFrames({ header }: LittleEndianSource): readonly number[] {
  return Array.from({ length: frameShapeOf(header).count }, (_, index) => index + 1);
}

async function sendParts(
  { reply, base }: Exchange,
  parts: {
    readonly instance: Instance;
    readonly frames: readonly number[];
    readonly found: readonly Frame[];
    readonly form: FrameForm;
    readonly stamp: string;
    readonly random: Random;
  },
): Promise<void> {
  const { instance, frames, found, form, stamp, random } = parts;
  const writer = new MultipartWriter(reply, random);
  if (!reply.begin(200, { ...weakTagHeaders(stamp), 'content-type': writer.typeOf(form.type) })) return;
  const url = urlOf(base, { study: instance.studyUid, series: instance.seriesUid, instance: instance.instanceUid });
  for (const [index, frame] of found.entries()) {
    await writer.part({
      'Content-Type': form.contentType,
      'Content-Length': String(frame.sizeBytes),
      'Content-Location': `${url}/frames/${frames[index]}`,
    });
    await reply.writeAll(frame.read(0, frame.sizeBytes));
  }
  writer.end();
}

/** Frames counted from 1. NOT_FOUND when one is not there. */
export async function framesOf(source: LittleEndianSource, frames: readonly number[]): Promise<readonly Frame[]> {
  const { pixelsOffset, header, syntax, read, sizeBytes } = source;
  if (pixelsOffset === undefined) throw new ArchiveError('NOT_FOUND', 'the instance has no pixel data');
  if (syntax.encapsulated) {
    const pixels = { syntax, valueOffset: pixelsOffset, sizeBytes, read };
    return (await encapsulatedFrames(pixels, header, frames)).map((place) => placedFrame(source, place));
  }
  const { count, bits } = frameShapeOf(header);
  return frames.map((frame) => {
    const begin = (frame - 1) * bits;
    if (frame > count || pixelsOffset + Math.ceil((begin + bits) / 8) > sizeBytes)
      throw new ArchiveError('NOT_FOUND', 'the instance has no such frame');
    if (bits % 8 !== 0) return bitFrame(source, pixelsOffset, { begin, bits });
    const from = pixelsOffset + begin / 8;
    return placedFrame(source, [{ from, to: from + bits / 8 }]);
  });
}

function placedFrame({ read }: LittleEndianSource, place: FramePlace): Frame {
  return {
    sizeBytes: place.reduce((sum, { from, to }) => sum + to - from, 0),
    read: async function* (from, to) {
      let at = 0;
      for (const run of place) {
        const sizeBytes = run.to - run.from;
        const [begin, end] = [Math.max(0, from - at), Math.min(sizeBytes, to - at)];
        if (begin < end) yield* read(run.from + begin, run.from + end);
        at += sizeBytes;
      }
    },
  };
}

/** A frame of single bits that need not begin with a byte: its first pixel becomes the lowest bit of the first byte. */
function bitFrame(
  { read }: LittleEndianSource,
  pixelsOffset: number,
  { begin, bits }: { readonly begin: number; readonly bits: number },
): Frame {
  const sizeBytes = Math.ceil(bits / 8);
  const first = pixelsOffset + Math.floor(begin / 8);
  const shift = begin % 8;
  return {
    sizeBytes,
    read: async function* (from, to) {
      const packed: Uint8Array[] = [];
      for await (const piece of read(first + from, pixelsOffset + Math.ceil((begin + bits) / 8))) packed.push(piece);
      const bytes = Buffer.concat(packed);
      const shifted = new Uint8Array(Math.min(to, sizeBytes) - from);
      for (let index = 0; index < shifted.length; index += 1)
        shifted[index] = ((bytes[index] ?? 0) >> shift) | ((bytes[index + 1] ?? 0) << (8 - shift));
      const over = bits % 8;
      // What follows the last pixel belongs to the next frame.
      if (to >= sizeBytes && over !== 0) shifted[shifted.length - 1] = (shifted.at(-1) ?? 0) & ((1 << over) - 1);
      yield shifted;
    },
  };
}
