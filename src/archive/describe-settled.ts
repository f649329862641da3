// What bundles keep of instances for browsing: the text of each header, and a picture.
//
// Invariants: nothing that stands in an instance keeps it from being settled: what cannot be told or shown is left out. Memory is one instance of at most
// `picturedBytesMax`; decoding and drawing are done beside the main thread.

import { ArchiveError, type Clock } from '../base/index.ts';
import { DataSetReader, PixelPool, transferSyntaxOf } from '../dicom/index.ts';
import type { Describe } from '../flow/index.ts';
import { headerText } from './header-text.ts';
import { framesOfInstance } from './instance-frames.ts';
import { shownFactsOf } from './picture-facts.ts';
import { readPlain } from './stored-data-set.ts';

/** Of a larger one no picture is kept: it would all be read for it. */
const picturedBytesMax = 64 * 1024 * 1024;

/** Has no thread until a picture is made, and keeps no process alive. */
export function describeSettled(clock: Clock): Describe {
  const pool = new PixelPool({ clock, workers: 1 });
  return {
    headerText,
    thumbnail: async ({ syntax }, sizeBytes, read) => {
      if (sizeBytes > picturedBytesMax) return undefined;
      try {
        const stored = transferSyntaxOf(syntax);
        const plain = readPlain(stored, sizeBytes, read);
        const reader = new DataSetReader({ syntax: { ...stored, deflated: false } });
        for await (const piece of plain(0, stored.deflated ? Number.POSITIVE_INFINITY : sizeBytes)) reader.push(piece);
        const header = reader.finish();
        const frames = await framesOfInstance(header, syntax, plain);
        if (frames === undefined || frames.count < 1) return undefined;
        const middle = frames.count >> 1;
        const picture = await pool.thumbnail(await frames.read(middle), shownFactsOf(header, middle + 1, undefined));
        return picture?.contentType === 'image/jpeg' ? picture.bytes : undefined;
      } catch (error) {
        if (error instanceof ArchiveError && pixelsUnread.has(error.code)) return undefined;
        throw error;
      }
    },
  };
}

const pixelsUnread: ReadonlySet<string> = new Set([
  'DICOM_MALFORMED',
  'DICOM_UNSUPPORTED',
  'NOT_FOUND',
  'LIMIT_EXCEEDED',
  'BUSY',
  'INTERNAL',
]);
