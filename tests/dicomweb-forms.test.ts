// DICOMweb over HTTP, in the form that is asked for: frames and instances in other transfer syntaxes, attributes in XML.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { decodeFrame, encodeFrame, type ImageShape, Part10Reader } from '../src/dicom/index.ts';
import { authorization, openWebHouse, partsOf, type WebHouse } from './support/dicomweb-rig.ts';
import { explicitLittleEndian, makeInstance } from './support/made-instance.ts';

const study = '1.2.826.0.1.3680043.99.81';
const jpegLs = '1.2.840.10008.1.2.4.80';
const shape: ImageShape = {
  rows: 16,
  columns: 16,
  samplesPerPixel: 1,
  bitsAllocated: 16,
  bitsStored: 12,
  highBit: 11,
  pixelRepresentation: 0,
  photometricInterpretation: 'MONOCHROME2',
};
const frameBytes = 512;

/** Twelve bits a sample, no two frames the same. */
const pixelsOf = (frames: number): Uint8Array => {
  const words = Uint16Array.from({ length: 256 * frames }, (_, index) => (index * 37 + (index >> 3)) & 0xfff);
  return new Uint8Array(words.buffer);
};
const frameOf = (pixels: Uint8Array, frame: number): Buffer =>
  Buffer.from(pixels.subarray((frame - 1) * frameBytes, frame * frameBytes));

/** Pixel data of coded frames, each in so many fragments, without an offset table. */
function encapsulated(frames: readonly Uint8Array[], fragmentsEach: number): Uint8Array {
  const pieces: Uint8Array[] = [Buffer.from('e07f10004f420000ffffffff', 'hex'), Buffer.from('feff00e000000000', 'hex')];
  for (const frame of frames) {
    const even = frame.byteLength % 2 === 0 ? frame : Buffer.concat([frame, Buffer.alloc(1)]);
    const step = 2 * Math.ceil(even.byteLength / fragmentsEach / 2);
    for (let at = 0; at < even.byteLength; at += step) {
      const piece = even.subarray(at, at + step);
      const head = Buffer.from('feff00e000000000', 'hex');
      head.writeUInt32LE(piece.byteLength, 4);
      pieces.push(head, piece);
    }
  }
  pieces.push(Buffer.from('feffdde000000000', 'hex'));
  return Buffer.concat(pieces);
}

function codedFrames(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, index) => {
    const coded = encodeFrame({ shape, bytes: new Uint8Array(frameOf(pixelsOf(count), index + 1)) }, jpegLs);
    return coded?.bytes ?? assert.fail('JPEG-LS is written here');
  });
}

const native = `${study}.1`;
const coded = `${study}.2`;
const pathOf = (uid: string): string => `/studies/${uid}/series/${uid}.1/instances/${uid}.1.1`;

let house: WebHouse;
before(async () => {
  house = await openWebHouse();
  await house.store(makeInstance({ study: native, frames: 3, pixels: pixelsOf(3) }));
  const header = makeInstance({ study: coded, frames: 3, pixels: null });
  await house.store(Buffer.concat([header, encapsulated(codedFrames(3), 2)]), jpegLs);
});
after(() => house.close());

const compressed: readonly [string, string][] = [
  ['image/jpeg', '1.2.840.10008.1.2.4.70'],
  ['image/jls', jpegLs],
  ['image/jp2', '1.2.840.10008.1.2.4.90'],
  ['image/jphc', '1.2.840.10008.1.2.4.201'],
  ['image/dicom-rle', '1.2.840.10008.1.2.5'],
];

function plainOf(bytes: Uint8Array, syntax: string): Buffer {
  return Buffer.from(decodeFrame({ syntax, shape, bytes: new Uint8Array(bytes) })?.bytes ?? []);
}

test('native frames leave in every compressed syntax that is asked for, and decode to what they were', async () => {
  for (const [type, syntax] of compressed) {
    for (const accept of [
      `multipart/related; type="${type}"`,
      `multipart/related; type="${type}"; transfer-syntax=${syntax}`,
      `multipart/related; type="application/octet-stream"; transfer-syntax=${syntax}`,
      `multipart/related; type="video/mp4", multipart/related; type="${type}"; q=0.5`,
    ]) {
      const response = await house.get(`${pathOf(native)}/frames/3,1`, { accept });
      assert.equal(response.status, 200, accept);
      const parts = await partsOf(response);
      assert.equal(parts.length, 2);
      for (const [index, frame] of [3, 1].entries()) {
        const part = parts[index] ?? assert.fail('a part a frame');
        assert.match(part.headers.get('content-type') ?? '', new RegExp(`transfer-syntax=${syntax}$`));
        assert.equal(part.headers.get('content-length'), String(part.bytes.byteLength));
        assert.ok(part.headers.get('content-location')?.endsWith(`/frames/${frame}`));
        assert.ok(plainOf(part.bytes, syntax).equals(frameOf(pixelsOf(3), frame)), accept);
      }
    }
  }
});

test('compressed frames leave decoded where bytes are asked for or nothing is, found by the marks of their streams', async () => {
  for (const accept of [
    '*/*',
    'multipart/related; type="application/octet-stream"',
    `multipart/related; type="application/octet-stream"; transfer-syntax=${explicitLittleEndian}`,
    'multipart/related; type="image/gif", multipart/related; type=application/octet-stream;q=0.1',
  ]) {
    const parts = await partsOf(await house.get(`${pathOf(coded)}/frames/2,3`, { accept }));
    assert.deepEqual(
      parts.map(({ bytes }) => bytes.equals(frameOf(pixelsOf(3), 2)) || bytes.equals(frameOf(pixelsOf(3), 3))),
      [true, true],
      accept,
    );
    assert.match(
      parts[0]?.headers.get('content-type') ?? '',
      /octet-stream; transfer-syntax=1\.2\.840\.10008\.1\.2\.1$/,
    );
  }
  const stored = await partsOf(
    await house.get(`${pathOf(coded)}/frames/2`, { accept: 'multipart/related; type="image/*"; transfer-syntax=*' }),
  );
  const [, second] = codedFrames(3);
  assert.ok(stored[0]?.bytes.subarray(0, second?.byteLength).equals(second ?? Buffer.alloc(0)));
  const other = await partsOf(
    await house.get(`${pathOf(coded)}/frames/1`, { accept: 'multipart/related; type="image/jp2"' }),
  );
  const bytes = other[0]?.bytes ?? Buffer.alloc(0);
  assert.ok(plainOf(bytes, '1.2.840.10008.1.2.4.90').equals(frameOf(pixelsOf(3), 1)), 'coded anew');
});

test('one frame is given alone where that is asked for, and parts of it', async () => {
  for (const uid of [native, coded]) {
    const accept = 'application/octet-stream';
    const whole = await house.get(`${pathOf(uid)}/frames/2`, { accept });
    assert.equal(
      whole.headers.get('content-type'),
      `application/octet-stream; transfer-syntax=${explicitLittleEndian}`,
    );
    assert.ok(Buffer.from(await whole.arrayBuffer()).equals(frameOf(pixelsOf(3), 2)));
    const some = await house.get(`${pathOf(uid)}/frames/2`, { accept, range: 'bytes=500-' });
    assert.equal(some.status, 206);
    assert.ok(Buffer.from(await some.arrayBuffer()).equals(frameOf(pixelsOf(3), 2).subarray(500)));
    assert.equal((await house.get(`${pathOf(uid)}/frames/2,3`, { accept })).status, 406, 'several are parts');
    assert.equal((await house.get(`${pathOf(uid)}/frames/2`, { accept: 'image/jls' })).status, 200);
  }
});

test('names of older editions are understood, and stand in the answer', async () => {
  const accept = 'multipart/related; type="image/x-jls"; transfer-syntax=1.2.840.10008.1.2.4.80';
  const [part] = await partsOf(await house.get(`${pathOf(native)}/frames/1`, { accept }));
  assert.equal(part?.headers.get('content-type'), `image/x-jls; transfer-syntax=${jpegLs}`);
});

test('what would lose more than is stored, or nobody can make, is refused', async () => {
  for (const accept of [
    'multipart/related; type="image/jpeg"; transfer-syntax=1.2.840.10008.1.2.4.50',
    'multipart/related; type="video/mp4"',
    'multipart/related; type="image/jls"; transfer-syntax=1.2.840.10008.1.2.4.90',
    'multipart/related; type="application/octet-stream"; transfer-syntax=1.2.3',
    'text/plain',
  ])
    assert.equal((await house.get(`${pathOf(native)}/frames/1`, { accept })).status, 406, accept);
});

test('instances leave in every compressed syntax that is asked for', async () => {
  await house.store(makeInstance({ study: native, number: 2, modality: 'SR', pixels: null }));
  for (const [, syntax] of compressed) {
    const accept = `multipart/related; type="application/dicom"; transfer-syntax=${syntax}`;
    const parts = await partsOf(await house.get(`/studies/${native}`, { accept }));
    assert.equal(parts.length, 2);
    const types = parts.map(({ headers }) =>
      headers.get('content-type')?.replace('application/dicom; transfer-syntax=', ''),
    );
    assert.deepEqual(new Set(types), new Set([explicitLittleEndian, syntax]), 'what has no pixels is plain');
    const part = parts.find((_, index) => types[index] === syntax) ?? assert.fail('the image');
    const reader = new Part10Reader();
    reader.push(part.bytes);
    const dataSet = reader.finish();
    assert.equal(reader.meta?.syntax.uid, syntax);
    assert.equal(dataSet.number(0x0028_0008), 3);
    const fragments = reader.pixels?.fragments ?? assert.fail('pixels in fragments');
    assert.equal(fragments.count, 3);
    for (const frame of [1, 2, 3]) {
      const from = fragments.offsetAt(frame - 1);
      const bytes = part.bytes.subarray(from, from + fragments.sizeAt(frame - 1));
      assert.ok(plainOf(bytes, syntax).equals(frameOf(pixelsOf(3), frame)), `${syntax} ${frame}`);
    }
  }
  const plain = await partsOf(await house.get(`/studies/${coded}`));
  const bytes = plain[0]?.bytes ?? Buffer.alloc(0);
  const decoded = new Part10Reader();
  decoded.push(bytes);
  decoded.finish();
  const at = decoded.pixels?.valueOffset ?? 0;
  assert.ok(bytes.subarray(at, at + 3 * frameBytes).equals(Buffer.from(pixelsOf(3))), 'decoded where nothing is named');
});

test('attributes are given in XML where that is asked for', async () => {
  const xml = { accept: 'multipart/related; type="application/dicom+xml"' };
  const [header] = await partsOf(await house.get(`${pathOf(native)}/metadata`, xml));
  const text = header?.bytes.toString('utf8') ?? '';
  assert.match(
    text,
    /^<\?xml version="1\.0" encoding="UTF-8"\?>\n<NativeDicomModel xmlns="http:\/\/dicom\.nema\.org\/PS3\.19\/models\/NativeDICOM"/,
  );
  assert.ok(text.includes('<Ideographic><FamilyName>张</FamilyName><GivenName>三</GivenName></Ideographic>'));
  assert.ok(text.includes(`<BulkData uri="${house.root}${pathOf(native)}/bulkdata/7FE00010"/>`));
  const found = await partsOf(await house.get('/studies', { accept: 'application/dicom+xml' }));
  assert.equal(found.length, 2);
  assert.ok(found[0]?.bytes.toString().includes('keyword="StudyInstanceUID"'));
  assert.equal((await house.get('/studies?PatientID=nobody', xml)).status, 204);
  const json = await house.get('/studies', {
    accept: 'application/json, multipart/related; type="application/dicom+xml"',
  });
  assert.equal(json.headers.get('content-type'), 'application/json');
  const stored = await fetch(`${house.root}/studies`, {
    method: 'POST',
    body: new Uint8Array(Buffer.alloc(700, 0xff)),
    headers: { authorization, 'content-type': 'application/dicom', accept: 'application/dicom+xml' },
  });
  assert.equal(stored.headers.get('content-type'), 'application/dicom+xml');
  assert.ok((await stored.text()).includes('keyword="FailureReason"'));
});

test('all pixels and all values of a place are given at once', async () => {
  const other = `${study}.3`;
  await house.store(makeInstance({ study: other, frames: 2, more: [[0x0040_a160, 'UT', Buffer.alloc(70_000, 0x41)]] }));
  await house.store(makeInstance({ study: other, number: 2, modality: 'SR', pixels: null }));
  const header = makeInstance({ study: other, number: 3, frames: 3, pixels: null });
  await house.store(Buffer.concat([header, encapsulated(codedFrames(3), 1)]), jpegLs);
  for (const path of [`/studies/${other}`, `/studies/${other}/series/${other}.1`]) {
    const frames = await partsOf(await house.get(`${path}/pixeldata`));
    assert.equal(frames.length, 5, path);
    assert.ok(frames.every(({ bytes }) => bytes.byteLength === frameBytes));
    assert.ok(frames[4]?.headers.get('content-location')?.endsWith(`${other}.1.3/frames/3`));
    const values = await partsOf(await house.get(`${path}/bulkdata`));
    assert.equal(values.length, 5, 'a text, native pixels and three coded frames');
    const [text] = values;
    const alone = await house.get((text?.headers.get('content-location') ?? '').replace(house.root, ''));
    assert.ok((await partsOf(alone))[0]?.bytes.equals(text?.bytes ?? Buffer.alloc(0)));
  }
  const one = `/studies/${other}/series/${other}.1/instances/${other}.1.2`;
  assert.equal((await house.get(`${one}/pixeldata`)).status, 404);
  assert.equal((await house.get(`${one}/bulkdata`)).status, 404);
  assert.equal((await house.get(`/studies/${other}/pixeldata`, { accept: 'video/mp4' })).status, 406);
  assert.equal((await house.get(`/studies/${other}/bulkdata`, { accept: 'text/html' })).status, 406);
});

test('an offset table that fits no fragment is passed over', async () => {
  const odd = `${study}.4`;
  const bytes = Buffer.from(encapsulated(codedFrames(3), 1));
  // A table of three offsets that lead into the middle of fragments, in place of the empty one.
  const table = Buffer.from('feff00e00c000000000000000300000009000000', 'hex');
  const pixels = Buffer.concat([bytes.subarray(0, 12), table, bytes.subarray(20)]);
  await house.store(Buffer.concat([makeInstance({ study: odd, frames: 3, pixels: null }), pixels]), jpegLs);
  const parts = await partsOf(await house.get(`${pathOf(odd)}/frames/3,2`));
  assert.ok(parts[0]?.bytes.equals(frameOf(pixelsOf(3), 3)));
  assert.ok(parts[1]?.bytes.equals(frameOf(pixelsOf(3), 2)));
});

test('pixels of floating point stand under their own attribute', async () => {
  const map = `${study}.5`;
  const pixels = new Uint8Array(new Float32Array(256).fill(0.5).buffer);
  const head = Buffer.from('e07f08004f46000000040000', 'hex');
  const header = Buffer.from(makeInstance({ study: map, sopClass: '1.2.840.10008.5.1.4.1.1.30', pixels: null }));
  header.writeUInt16LE(32, header.indexOf(Buffer.from([0x28, 0, 0, 1])) + 8);
  await house.store(Buffer.concat([header, head, pixels]));
  const [metadata] = (await (await house.get(`/studies/${map}/metadata`)).json()) as Record<
    string,
    { vr: string; BulkDataURI?: string }
  >[];
  assert.equal(metadata?.['7FE00010'], undefined);
  assert.equal(metadata?.['7FE00008']?.vr, 'OF');
  const uri = (metadata?.['7FE00008']?.BulkDataURI ?? '').replace(house.root, '');
  const whole = await house.get(uri, { accept: 'application/octet-stream' });
  assert.ok(Buffer.from(await whole.arrayBuffer()).equals(Buffer.from(pixels)));
  const [frame] = await partsOf(await house.get(`${pathOf(map)}/frames/1`));
  assert.ok(frame?.bytes.equals(Buffer.from(pixels)));
  assert.equal((await partsOf(await house.get(`/studies/${map}/bulkdata`))).length, 1);
  assert.equal((await house.get(`${pathOf(map)}/rendered`)).status, 200);
});

test('what cannot be coded is refused, whether it is asked for alone or among others', async () => {
  const map = `${study}.5`;
  for (const accept of [
    `multipart/related; type="application/dicom"; transfer-syntax=${jpegLs}`,
    `application/zip; transfer-syntax=${jpegLs}`,
  ])
    assert.equal((await house.get(`/studies/${map}`, { accept })).status, 406, accept);
  const alone = { accept: `application/dicom; transfer-syntax=${jpegLs}` };
  assert.equal((await house.get(pathOf(map), alone)).status, 406);
  assert.deepEqual(house.faults, []);
});
