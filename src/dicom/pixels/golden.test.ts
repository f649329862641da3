// Streams of other people's encoders, kept for ever (scripts/make-pixel-golden.ts made them): each decodes to the pixels it was checked to hold.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { readGoldenStreams } from '../../../tests/support/golden-pixels.ts';
import { decodeFrame } from './decode-frame.ts';
import { frameBytesOf } from './image-shape.ts';

for (const { name, syntax, shape, sha256, bytes } of readGoldenStreams()) {
  test(`${name} decodes to the pixels it holds`, () => {
    const frame = decodeFrame({ syntax, shape, bytes });
    assert.ok(frame !== undefined, 'decoded');
    assert.equal(frame.bytes.byteLength, frameBytesOf(frame.shape));
    assert.equal(createHash('sha256').update(frame.bytes).digest('hex'), sha256);
  });
}
