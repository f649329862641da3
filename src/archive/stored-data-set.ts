// A stored data set read by places in its own encoding: where it is deflated, by those of the inflated bytes, which is how readers tell places.
//
// Invariant: what is not deflated is read where it lies; what is, is inflated from its beginning and passed over, so a place costs what lies before it.

import { Readable } from 'node:stream';
import { createInflateRaw } from 'node:zlib';
import { ArchiveError } from '../base/index.ts';
import type { TransferSyntax } from '../dicom/index.ts';
import type { ReadStored } from './frame-runs.ts';

export function readPlain(syntax: TransferSyntax, sizeBytes: number, read: ReadStored): ReadStored {
  if (!syntax.deflated) return read;
  return async function* inflated(from, to) {
    const source = Readable.from(read(0, sizeBytes), { objectMode: true });
    const inflate = createInflateRaw();
    source.on('error', (error) => inflate.destroy(error));
    let at = 0;
    try {
      for await (const piece of source.pipe(inflate) as AsyncIterable<Uint8Array>) {
        const begin = Math.max(from - at, 0);
        const end = Math.min(to - at, piece.byteLength);
        if (begin < end) yield piece.subarray(begin, end);
        at += piece.byteLength;
        if (at >= to) return;
      }
    } catch (error) {
      if (error instanceof ArchiveError) throw error;
      throw new ArchiveError('DICOM_MALFORMED', 'the deflated data set cannot be inflated', { cause: error });
    } finally {
      source.destroy();
      inflate.destroy();
    }
  };
}
