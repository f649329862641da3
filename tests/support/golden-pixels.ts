// The streams of testdata/pixels, with what their index says of them.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { ImageShape } from '../../src/dicom/pixels/image-shape.ts';

export type GoldenStream = {
  readonly name: string;
  readonly syntax: string;
  readonly shape: ImageShape;
  /** Of the plain samples. */
  readonly sha256: string;
};

const folder = path.resolve(import.meta.dirname, '../../testdata/pixels');

export function readGoldenStreams(): (GoldenStream & { readonly bytes: Uint8Array })[] {
  const index = JSON.parse(readFileSync(path.join(folder, 'index.json'), 'utf8')) as GoldenStream[];
  return index.map((stream) => ({ ...stream, bytes: new Uint8Array(readFileSync(path.join(folder, stream.name))) }));
}
