// What can be asked of pixels as one piece of work, how a thread carries it out, and how it crosses from thread to thread.
//
// A message never takes along more of a buffer than the bytes meant: bytes that fill their buffer are moved, others are copied first. Errors cross with code and
// sentence, never with content.

import { ArchiveError, AssertionFault, type ErrorCode, never } from '../../base/index.ts';
import { compareFrames, type FrameComparison } from './compare-frames.ts';
import { type CodedFrame, decodeFrame } from './decode-frame.ts';
import { type EncodedFrame, encodeFrame } from './encode-frame.ts';
import { frameBytesOf, type PlainFrame } from './image-shape.ts';
import { j2kKernel } from './j2k-kernel.ts';
import { jlsKernel } from './jls-kernel.ts';
import { jpegKernel } from './jpeg-kernel.ts';
import { type Picture, type RenderOptions, renderFrame, renderThumbnail, type ThumbnailOptions } from './render.ts';

export type PixelJob =
  | { readonly kind: 'decode'; readonly frame: CodedFrame }
  | { readonly kind: 'encode'; readonly frame: PlainFrame; readonly syntax: string }
  | { readonly kind: 'transcode'; readonly frame: CodedFrame; readonly syntax: string }
  | { readonly kind: 'render'; readonly frame: CodedFrame; readonly options: RenderOptions }
  | { readonly kind: 'thumbnail'; readonly frame: CodedFrame; readonly options: ThumbnailOptions }
  | { readonly kind: 'compare'; readonly frame: CodedFrame; readonly other: CodedFrame };

/** What each kind of work gives; undefined where it cannot be done to this frame. */
export type PixelResults = {
  readonly decode: PlainFrame | undefined;
  readonly encode: EncodedFrame | undefined;
  readonly transcode: EncodedFrame | undefined;
  readonly render: Picture | undefined;
  readonly thumbnail: Picture | undefined;
  readonly compare: FrameComparison | undefined;
};
export type PixelResult = PixelResults[keyof PixelResults];

type PixelFailure = {
  readonly code: ErrorCode | 'assertion';
  readonly message: string;
  /** Of our own mistakes: where it happened. */
  readonly stack: string | undefined;
};

export type PixelRequest = { readonly id: number; readonly job: PixelJob };
export type PixelReply = { readonly id: number } & (
  | { readonly result: PixelResult }
  | { readonly failure: PixelFailure }
);

/** Does the job on this thread, and gives back memory that only a large frame needs. */
export function carryOut(job: PixelJob): PixelResult {
  try {
    return resultOf(job);
  } finally {
    for (const kernel of [jpegKernel, jlsKernel, j2kKernel]) kernel.trim();
  }
}

function resultOf(job: PixelJob): PixelResult {
  switch (job.kind) {
    case 'decode':
      return decodeFrame(job.frame);
    case 'encode':
      return encodeFrame(job.frame, job.syntax);
    case 'transcode': {
      const plain = decodeFrame(job.frame);
      return plain === undefined ? undefined : encodeFrame(plain, job.syntax);
    }
    case 'render': {
      const plain = decodeFrame(job.frame);
      return plain === undefined ? undefined : renderFrame(plain, job.options);
    }
    case 'thumbnail': {
      const plain = decodeFrame(job.frame);
      return plain === undefined ? undefined : renderThumbnail(plain, job.options);
    }
    case 'compare':
      return compareFrames(job.frame, job.other);
    default:
      return never(job, 'a job has a kind');
  }
}

/** About what a job takes of memory while it is under way: what goes in, and the plain frame that comes of it. The shape was checked. */
export function jobBytes(job: PixelJob): number {
  const frames = job.kind === 'compare' ? [job.frame, job.other] : [job.frame];
  return frames.reduce((sum, frame) => sum + frame.bytes.byteLength + frameBytesOf(frame.shape), 0);
}

/** The job with bytes that may be moved, and the buffers that are. */
export function packJob(job: PixelJob): { readonly job: PixelJob; readonly moved: ArrayBuffer[] } {
  const bytes = movable(job.frame.bytes);
  if (job.kind === 'compare') {
    const other = movable(job.other.bytes);
    const packed = { ...job, frame: { ...job.frame, bytes }, other: { ...job.other, bytes: other } };
    return { job: packed, moved: bytes.buffer === other.buffer ? [bytes.buffer] : [bytes.buffer, other.buffer] };
  }
  return { job: { ...job, frame: { ...job.frame, bytes } } as PixelJob, moved: [bytes.buffer] };
}

export function packResult(result: PixelResult): { readonly result: PixelResult; readonly moved: ArrayBuffer[] } {
  if (result === undefined || typeof result === 'string') return { result, moved: [] };
  const bytes = movable(result.bytes);
  return { result: { ...result, bytes }, moved: [bytes.buffer] };
}

function movable(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer, byteLength } = bytes;
  const fills = buffer instanceof ArrayBuffer && buffer.byteLength === byteLength && buffer.resizable === false;
  return fills ? (bytes as Uint8Array<ArrayBuffer>) : new Uint8Array(bytes);
}

export function pixelFailure(error: unknown): PixelFailure {
  const stack = error instanceof Error ? error.stack : undefined;
  if (error instanceof ArchiveError) return { code: error.code, message: error.message, stack: undefined };
  if (error instanceof AssertionFault) return { code: 'assertion', message: error.message, stack };
  return { code: 'INTERNAL', message: 'work on pixels failed', stack };
}

export function pixelError({ code, message, stack }: PixelFailure): Error {
  if (code === 'assertion') return new AssertionFault(message);
  return new ArchiveError(code, message, stack === undefined ? {} : { cause: stack });
}
