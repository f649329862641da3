// A DICOM file on its way in: what stands before its data set, and the data set's bytes as a source for the archive.
//
// Invariants: no more is held than meta information may have; the data set's bytes are passed on as they came; a bare data set is taken where its sender
// said its transfer syntax, or it can be told.

import { ArchiveError, emptyBytes } from '../../base/index.ts';
import { Part10Reader, tags } from '../../dicom/index.ts';
import type { NextPiece } from './multipart-reader.ts';

export type IncomingFile = {
  readonly syntax: string;
  /** What the meta information says that it is. */
  readonly named: { readonly classUid: string; readonly instanceUid: string } | undefined;
  readonly dataSet: AsyncIterable<Uint8Array>;
};

/** Meta information is looked for in pieces of this size, so that the data set behind it is not read twice. */
const lookBytes = 512;

/** `syntax`: of a bare data set, as its sender says. DICOM_MALFORMED. */
export async function openFile(next: NextPiece, syntax: string | undefined): Promise<IncomingFile> {
  const reader = new Part10Reader({ stopAt: 0 });
  const held: Uint8Array[] = [];
  const bare = (bareSyntax: string): IncomingFile => ({
    syntax: bareSyntax,
    named: undefined,
    dataSet: dataSetOf(held, next, 0),
  });
  try {
    while (reader.meta === undefined) {
      // A piece is good until the next one is asked for. Meta information is seldom longer than one.
      held.push(...held.splice(-1).map((last) => last.slice()));
      const piece = await next();
      if (piece === undefined) {
        reader.finish();
        break;
      }
      held.push(piece);
      for (let at = 0; at < piece.byteLength && reader.meta === undefined; at += lookBytes)
        reader.push(piece.subarray(at, at + lookBytes));
    }
  } catch (error) {
    const isForeign = error instanceof ArchiveError && error.code === 'DICOM_MALFORMED';
    if (isForeign && syntax !== undefined && held.length > 0) return bare(syntax);
    throw error;
  }
  const { meta } = reader;
  if (meta === undefined) throw new ArchiveError('DICOM_MALFORMED', 'the file has no data set');
  if (meta.guessed && meta.dataSetOffset === 0 && syntax !== undefined) return bare(syntax);
  const classUid = meta.dataSet.string(tags.MediaStorageSOPClassUID);
  const instanceUid = meta.dataSet.string(tags.MediaStorageSOPInstanceUID);
  return {
    syntax: meta.syntax.uid,
    named: classUid === undefined || instanceUid === undefined ? undefined : { classUid, instanceUid },
    dataSet: dataSetOf(held, next, meta.dataSetOffset),
  };
}

async function* dataSetOf(held: readonly Uint8Array[], next: NextPiece, offset: number): AsyncGenerator<Uint8Array> {
  let skip = offset;
  for (const piece of held) {
    const rest = skip >= piece.byteLength ? emptyBytes : piece.subarray(skip);
    skip = Math.max(0, skip - piece.byteLength);
    if (rest.byteLength > 0) yield rest;
  }
  for (let piece = await next(); piece !== undefined; piece = await next()) yield piece;
}
