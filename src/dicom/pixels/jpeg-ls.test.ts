// JPEG-LS against CharLS: every stream of one is read by the other, with and without loss, in all three interleavings.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { type FrameKind, syntheticFrame } from '../../../tests/support/synthetic-pixels.ts';
import { bytesEqual } from '../../base/index.ts';
import { decodeJpegLs, encodeJpegLs } from './jpeg-ls.ts';
import { sampleBytesOf } from './pixel-samples.ts';

type Info = { width: number; height: number; bitsPerSample: number; componentCount: number };
type Charls = {
  JpegLSDecoder: new () => {
    getEncodedBuffer(size: number): Uint8Array;
    decode(): void;
    getDecodedBuffer(): Uint8Array;
    delete(): void;
  };
  JpegLSEncoder: new () => {
    getDecodedBuffer(info: Info): Uint8Array;
    setInterleaveMode(mode: number): void;
    setNearLossless(near: number): void;
    encode(): void;
    getEncodedBuffer(): Uint8Array;
    delete(): void;
  };
};
const load = createRequire(import.meta.url)('@cornerstonejs/codec-charls/wasmjs') as () => Promise<Charls>;
const charls = await load();

function decodeByCharls(stream: Uint8Array): Uint8Array {
  const decoder = new charls.JpegLSDecoder();
  decoder.getEncodedBuffer(stream.length).set(stream);
  decoder.decode();
  const bytes = Uint8Array.from(decoder.getDecodedBuffer());
  decoder.delete();
  return bytes;
}

function encodeByCharls(bytes: Uint8Array, info: Info, interleave: number, near: number): Uint8Array {
  const encoder = new charls.JpegLSEncoder();
  encoder.getDecodedBuffer(info).set(bytes);
  encoder.setInterleaveMode(interleave);
  encoder.setNearLossless(near);
  encoder.encode();
  const stream = Uint8Array.from(encoder.getEncodedBuffer());
  encoder.delete();
  return stream;
}

const byLine = 1;

for (const kind of ['disc', 'flat', 'sparse'] satisfies FrameKind[]) {
  for (const [bits, components] of [
    [2, 1],
    [7, 1],
    [8, 1],
    [12, 1],
    [16, 1],
    [8, 3],
    [16, 3],
  ] as const) {
    test(`${kind}, ${bits} bits, ${components} components: CharLS and ours read each other`, () => {
      for (const [columns, rows] of [
        [1, 1],
        [5, 1],
        [1, 6],
        [64, 48],
        [131, 50],
      ] as const) {
        const { shape, bytes } = syntheticFrame({ columns, rows, bits, components, kind });
        const layout = { rows, columns, components, precision: bits, signed: false, sampleBytes: sampleBytesOf(bits) };
        const ours = encodeJpegLs({ ...layout, bytes });
        assert.ok(bytesEqual(decodeByCharls(ours), bytes), 'CharLS reads ours');
        const info = { width: columns, height: rows, bitsPerSample: bits, componentCount: components };
        for (const near of [0, 1, 3]) {
          if (near > 0 && bits < 7) continue;
          for (const interleave of components === 1 ? [0] : [byLine, 2]) {
            const theirs = encodeByCharls(bytes, info, interleave, near);
            const back = decodeJpegLs(theirs, shape);
            assert.ok(
              back !== undefined && bytesEqual(back.bytes, decodeByCharls(theirs)),
              `near ${near}, interleave ${interleave}`,
            );
            const isSameKind = near === 0 && (components === 1 || interleave === byLine);
            if (isSameKind) assert.equal(theirs.length, ours.length, 'both say it in as many bytes');
          }
        }
      }
    });
  }
}
