// DICOMweb over HTTP: pictures of series and studies, videos, and what a query says of how they are shown.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openWebHouse, partsOf, type WebHouse } from './support/dicomweb-rig.ts';
import { makeInstance } from './support/made-instance.ts';

const study = '1.2.826.0.1.3680043.99.89';
const video = `${study}.9`;
const stream = Buffer.from('not a video, and nobody here looks into one');

let house: WebHouse;
before(async () => {
  house = await openWebHouse();
  for (const number of [1, 2, 3]) await house.store(makeInstance({ study, number, frames: 2 }));
  await house.store(makeInstance({ study, number: 4, modality: 'SR', pixels: null }));
  const item = (bytes: Uint8Array): Buffer => {
    const head = Buffer.from('feff00e000000000', 'hex');
    head.writeUInt32LE(bytes.byteLength, 4);
    return Buffer.concat([head, bytes]);
  };
  const pixels = [
    Buffer.from('e07f10004f420000ffffffff', 'hex'),
    item(Buffer.alloc(0)),
    item(Buffer.concat([stream, Buffer.alloc(1)])),
  ];
  const header = makeInstance({ study: video, frames: 25, pixels: null });
  const end = Buffer.from('feffdde000000000', 'hex');
  await house.store(Buffer.concat([header, ...pixels, end]), '1.2.840.10008.1.2.4.102');
});
after(() => house.close());

test('a series and a study are given as a picture an instance, and one stands for them where one is taken', async () => {
  for (const path of [`/studies/${study}/series/${study}.1/rendered`, `/studies/${study}/rendered`]) {
    for (const accept of ['*/*', 'multipart/related; type="image/jpeg"']) {
      const parts = await partsOf(await house.get(path, { accept }));
      assert.equal(parts.length, 3, 'what has no pixels is not shown');
      assert.equal(parts[1]?.headers.get('content-type'), 'image/jpeg');
      const location = parts[1]?.headers.get('content-location') ?? '';
      const again = await house.get(location.replace(house.root, ''));
      assert.ok(Buffer.from(await again.arrayBuffer()).equals(parts[1]?.bytes ?? Buffer.alloc(0)));
    }
    const one = await house.get(path, { accept: 'image/png,image/*;q=0.8,*/*;q=0.5' });
    assert.equal(one.headers.get('content-type'), 'image/png');
    assert.equal((await house.get(path, { accept: 'video/mp4' })).status, 406);
  }
  const whole = await house.get(`/studies/${study}/series/${study}.1/instances/${study}.1.2/rendered`);
  const first = await house.get(`/studies/${study}/series/${study}.1/instances/${study}.1.2/frames/1/rendered`);
  assert.ok(Buffer.from(await whole.arrayBuffer()).equals(Buffer.from(await first.arrayBuffer())));
});

test('what cannot be shown is refused where it is all there is', async () => {
  const path = `/studies/${study}/series/${study}.1/instances/${study}.1.4`;
  assert.equal((await house.get(`${path}/rendered`)).status, 404, 'no pixels');
  assert.equal((await house.get(`/studies/${video}/thumbnail`)).status, 406);
  assert.equal((await house.get(`/studies/${video}/rendered`, { accept: 'image/jpeg' })).status, 406);
});

test('thumbnails are small, of every level, in both kinds and in the size asked for', async () => {
  const instance = `/studies/${study}/series/${study}.1/instances/${study}.1.1`;
  for (const path of [`/studies/${study}`, `/studies/${study}/series/${study}.1`, instance, `${instance}/frames/2`]) {
    const jpeg = await house.get(`${path}/thumbnail?accept=image/jpeg`);
    assert.equal(jpeg.headers.get('content-type'), 'image/jpeg', path);
    const png = await house.get(`${path}/thumbnail?viewport=64,64`, { accept: 'image/png' });
    assert.equal(Buffer.from(await png.arrayBuffer()).readUInt32BE(16), 64, path);
  }
});

test('a picture is a GIF where that is asked for', async () => {
  const path = `/studies/${study}/series/${study}.1/instances/${study}.1.1/rendered`;
  const gif = await house.get(path, { accept: 'image/gif' });
  assert.equal(gif.headers.get('content-type'), 'image/gif');
  const bytes = Buffer.from(await gif.arrayBuffer());
  assert.equal(bytes.toString('latin1', 0, 6), 'GIF89a');
  assert.deepEqual([bytes.readUInt16LE(6), bytes.readUInt16LE(8)], [16, 16]);
});

test('a viewport may leave parts out, and annotations are passed over and told', async () => {
  const path = `/studies/${study}/series/${study}.1/instances/${study}.1.1/rendered`;
  const png = { accept: 'image/png' };
  const size = async (viewport: string): Promise<number[]> => {
    const bytes = Buffer.from(await (await house.get(`${path}?viewport=${viewport}`, png)).arrayBuffer());
    return [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
  };
  assert.deepEqual(await size('32,32'), [32, 32]);
  assert.deepEqual(await size('32,32,,,,'), [32, 32]);
  assert.deepEqual(await size('32,32,8,0,,'), [16, 32]);
  const annotated = await house.get(`${path}?annotation=patient,technique`);
  assert.equal(annotated.status, 200);
  assert.match(
    annotated.headers.get('warning') ?? '',
    /^299 127\.0\.0\.1:\d+ "The following annotations are not supported: patient,technique"$/,
  );
  assert.equal((await house.get(`${path}?annotation=name`)).status, 400);
});

test('a video is passed on as it is, and parts of it', async () => {
  const path = `/studies/${video}/series/${video}.1/instances/${video}.1.1`;
  for (const accept of ['video/mp4', 'video/*', '*/*']) {
    const whole = await house.get(`${path}/rendered`, { accept });
    assert.equal(whole.headers.get('content-type'), 'video/mp4', accept);
    assert.ok(
      Buffer.from(await whole.arrayBuffer())
        .subarray(0, stream.byteLength)
        .equals(stream),
    );
  }
  const some = await house.get(`${path}/rendered?accept=video/mp4`, { range: 'bytes=4-9' });
  assert.equal(some.status, 206);
  assert.equal(await some.text(), stream.toString().slice(4, 10));
  const frames = await partsOf(await house.get(`${path}/frames/1`));
  assert.equal(frames[0]?.headers.get('content-type'), 'video/mp4; transfer-syntax=1.2.840.10008.1.2.4.102');
});

test('the older protocol needs the instance alone, and knows the usual misnomer of JPEG', async () => {
  const picture = await house.get(`/wado?requestType=WADO&objectUID=${study}.1.1&contentType=image/jpg`);
  assert.equal(picture.headers.get('content-type'), 'image/jpeg');
  assert.equal((await house.get('/wado?requestType=WADO&studyUID=1')).status, 400);
});
