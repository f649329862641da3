// Deflating: a whole data set at once, or one that streams by (PS3.5 A.5).
//
// Invariant: what comes out has an even number of bytes; the padding byte behind the last block is no part of the deflated stream.

import { Readable } from 'node:stream';
import { createDeflateRaw, deflateRawSync } from 'node:zlib';

const padding = new Uint8Array(1);

export function deflated(bytes: Uint8Array): Uint8Array {
  const packed = deflateRawSync(bytes);
  return packed.length % 2 === 0 ? packed : Buffer.concat([packed, padding]);
}

export async function* deflateStream(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const source = Readable.from(pieces, { objectMode: true });
  const deflate = createDeflateRaw();
  // A source that fails ends the deflated stream with its error; one that nobody reads on is destroyed with it.
  source.on('error', (error) => deflate.destroy(error));
  deflate.on('close', () => source.destroy());
  let sizeBytes = 0;
  for await (const piece of source.pipe(deflate) as AsyncIterable<Uint8Array>) {
    sizeBytes += piece.length;
    yield piece;
  }
  if (sizeBytes % 2 === 1) yield padding;
}
