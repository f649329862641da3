// Frames in another transfer syntax than the one they are stored in: decoded, or coded anew without loss.
//
// Invariants: pixels are worked on by the pixel pool, beside the main thread, one frame ahead of the one that is being sent; a frame that cannot be decoded truly is
// a refusal (406) and no guess.

import { imageShapeOf } from '../../archive/index.ts';
import { ArchiveError, isArchiveError } from '../../base/index.ts';
import { checkShape, type PixelPool } from '../../dicom/index.ts';
import type { Frame } from './frame-source.ts';
import { HttpProblem } from './http-problem.ts';
import type { LittleEndianSource } from './little-endian-source.ts';

/** A coded frame that is decoded. */
export const codedBytesMax = 256 * 1024 * 1024;
const plainSyntaxes: ReadonlySet<string> = new Set(['1.2.840.10008.1.2.1', '1.2.840.10008.1.2']);

export async function codedBytesOf({ sizeBytes, read }: Frame): Promise<Uint8Array> {
  if (sizeBytes > codedBytesMax)
    throw new ArchiveError(
      'LIMIT_EXCEEDED',
      `codedBytesMax: a frame of more than ${codedBytesMax} bytes is not decoded`,
    );
  const pieces: Uint8Array[] = [];
  for await (const piece of read(0, sizeBytes)) pieces.push(piece);
  return new Uint8Array(Buffer.concat(pieces));
}

/** The frames in another syntax, in their order. */
export async function* transcodedFrames(
  { header, syntax }: LittleEndianSource,
  frames: readonly Frame[],
  how: { readonly syntax: string; readonly pool: PixelPool },
): AsyncGenerator<Frame> {
  const shape = imageShapeOf(header);
  const make = async (frame: Frame): Promise<Frame> => {
    try {
      checkShape(shape);
      const coded = { syntax: syntax.uid, shape, bytes: await codedBytesOf(frame) };
      const made = plainSyntaxes.has(how.syntax)
        ? await how.pool.decode(coded)
        : await how.pool.transcode(coded, how.syntax);
      if (made !== undefined) return frameInMemory(made.bytes);
    } catch (error) {
      if (!isArchiveError(error, 'DICOM_MALFORMED')) throw error;
    }
    throw new HttpProblem(406, 'these pixels cannot be given in a transfer syntax that was asked for');
  };
  let next = frames[0] === undefined ? undefined : make(frames[0]);
  for (let index = 1; next !== undefined; index += 1) {
    const made = await next;
    const following = frames[index];
    next = following === undefined ? undefined : make(following);
    // Told when it is its turn, also when nobody waits for it any more.
    next?.catch(() => undefined);
    yield made;
  }
}

function frameInMemory(bytes: Uint8Array): Frame {
  return {
    sizeBytes: bytes.byteLength,
    read: async function* (from, to) {
      yield bytes.subarray(from, to);
    },
  };
}
