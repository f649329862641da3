/*
 * DICOMweb as a client meets it: searches, retrievals and stores over loopback. Other people's clients are in tests/slow.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get as httpGet, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { Part10Reader } from '../src/dicom/index.ts';
import { authorization, fileOf, multipartOf, openWebHouse, partsOf, type WebHouse } from './support/dicomweb-rig.ts';
import { explicitLittleEndian, implicitLittleEndian, makeInstance } from './support/made-instance.ts';

const study = '1.2.826.0.1.3680043.99.71';
const series = `${study}.1`;
const numbers = [1, 2, 3];

type Attribute = { readonly vr: string; readonly Value?: readonly unknown[]; readonly BulkDataURI?: string };
type Found = Readonly<Record<string, Attribute>>;

let house: WebHouse;
before(async () => {
  house = await openWebHouse();
  for (const number of numbers) await house.store(makeInstance({ study, series, number }));
  await house.store(
    makeInstance({ study: `${study}9`, patientId: 'P0002', patientName: 'Li^Si', studyDate: '20200101' }),
  );
});
after(() => house.close());

async function found(path: string, headers: Record<string, string> = {}): Promise<Found[]> {
  const response = await house.get(path, headers);
  assert.equal(response.status, 200, path);
  return (await response.json()) as Found[];
}

const valueOf = (answer: Found | undefined, tag: string): unknown => answer?.[tag]?.Value?.[0];

test('nobody is served without a login, and what is asked is told with the refusal', async () => {
  const response = await fetch(`${house.root}/studies`);
  assert.equal(response.status, 401);
  assert.match(response.headers.get('www-authenticate') ?? '', /^Basic/);
});

test('studies, series and instances are found, with the attributes of their level', async () => {
  const studies = await found('/studies?PatientID=P0001');
  assert.equal(studies.length, 1);
  const [first] = studies;
  assert.equal(valueOf(first, '0020000D'), study);
  assert.equal(valueOf(first, '00201208'), 3);
  assert.equal(valueOf(first, '00081190'), `${house.root}/studies/${study}`);
  assert.deepEqual(valueOf(first, '00100010'), { Alphabetic: 'Zhang^San', Ideographic: '张^三' });
  assert.deepEqual(Object.keys(first ?? {}), Object.keys(first ?? {}).toSorted(), 'in the order of tags');
  const ofSeries = await found(`/studies/${study}/series`);
  assert.equal(valueOf(ofSeries[0], '0020000E'), series);
  assert.equal(valueOf(ofSeries[0], '00100020'), 'P0001');
  const [named] = await found(`/series?StudyInstanceUID=${study}`);
  assert.equal(named?.['00100020'], undefined, 'the query says the study');
  assert.equal(valueOf((await found('/series?Modality=CT&PatientID=P0001'))[0], '00100020'), 'P0001');
  const instances = await found(`/instances?PatientID=P0001`);
  assert.equal(instances.length, 3);
  assert.equal(valueOf(instances[0], '00100020'), 'P0001', 'what is above comes from above');
  assert.equal(valueOf(instances[0], '00201208'), 3);
  assert.equal((await found(`/studies/${study}/series/${series}/instances?InstanceNumber=2`)).length, 1);
  assert.equal((await found(`/studies/${study}/instances`)).length, 3);
});

test('keys are matched by keyword, tag and path, as lists, ranges, patterns and by pinyin', async () => {
  const counts: [string, number][] = [
    ['00100020=P0001', 1],
    ['StudyDate=20240101-20241231', 1],
    ['StudyDate=-20231231', 1],
    ['PatientName=zh*', 1],
    ['PatientName=zhangsan&fuzzymatching=true', 1],
    [`StudyInstanceUID=${study},${study}9`, 2],
    ['ModalitiesInStudy=CT', 2],
    ['RequestAttributesSequence.ScheduledProcedureStepID=none', 0],
    ['limit=1', 1],
    ['offset=1', 1],
    ['offset=2', 0],
    ['PatientID=', 2],
  ];
  for (const [query, count] of counts) assert.equal((await found(`/studies?${query}`)).length, count, query);
});

test('fields are included by keyword, by tag, several at once and all', async () => {
  const [two] = await found('/studies?PatientID=P0001&includefield=PatientBirthTime,00101010&includefield=00321060');
  assert.deepEqual(two?.['00100032'], { vr: 'TM' });
  assert.deepEqual(two?.['00101010'], { vr: 'AS' });
  assert.deepEqual(two?.['00321060'], { vr: 'LO' });
  const [all] = await found(`/studies/${study}/instances?includefield=all`);
  assert.equal(valueOf(all, '00280101'), 12);
});

test('a search that cannot be is refused', async () => {
  for (const query of ['Nothing=1', 'limit=x', 'limit=-1', 'fuzzymatching=maybe', 'includefield=Nothing'])
    assert.equal((await house.get(`/studies?${query}`)).status, 400, query);
  assert.equal((await house.get('/studies', { accept: 'text/html' })).status, 406);
  assert.equal(
    (await house.get('/studies', { accept: 'application/json' })).headers.get('content-type'),
    'application/json',
  );
  assert.equal((await house.get('/nothing')).status, 404);
  const removed = await fetch(`${house.root}/studies`, { method: 'DELETE', headers: { authorization } });
  assert.equal(removed.status, 405);
});

test('a deleted instance or study is shown no more, and what was never there cannot be deleted', async () => {
  const other = await openWebHouse();
  try {
    for (const number of [1, 2]) await other.store(makeInstance({ study, number }));
    const remove = async (path: string): Promise<number> => {
      const answer = await fetch(`${other.root}${path}`, { method: 'DELETE', headers: { authorization } });
      return answer.status;
    };
    const count = async (): Promise<number> => ((await (await other.get('/instances')).json()) as unknown[]).length;
    assert.equal(await remove(`/studies/${study}/series/${study}.1/instances/${study}.1.2`), 204);
    assert.equal(await count(), 1);
    assert.equal(await remove(`/studies/${study}`), 204);
    assert.equal(await count(), 0);
    assert.equal((await other.get(`/studies/${study}/metadata`)).status, 404);
    assert.equal(await remove(`/studies/${study}`), 404);
  } finally {
    await other.close();
  }
});

test('a search is cut by the limit of the server with a warning, and not silently', async () => {
  const other = await openWebHouse({ answersMax: 1 });
  try {
    await other.store(makeInstance({ study }));
    assert.equal((await other.get('/studies')).headers.get('warning'), null);
    await other.store(makeInstance({ study: `${study}9` }));
    const cut = await other.get('/studies');
    assert.match(cut.headers.get('warning') ?? '', /^299 /);
    assert.equal(((await cut.json()) as Found[]).length, 1);
    assert.equal((await other.get('/studies?limit=1')).headers.get('warning'), null);
  } finally {
    await other.close();
  }
});

test('a study, a series and an instance are given as files that hold what was stored', async () => {
  for (const path of [`/studies/${study}`, `/studies/${study}/series/${series}`]) {
    const response = await house.get(path, {
      accept: 'multipart/related; type="application/dicom"; transfer-syntax=*',
    });
    const parts = await partsOf(response);
    assert.equal(parts.length, 3);
    for (const [index, part] of parts.entries()) {
      const uid = `${series}.${numbers[index]}`;
      assert.ok(part.bytes.equals(fileOf(makeInstance({ study, series, number: numbers[index] ?? 0 }), uid)));
      assert.equal(part.headers.get('content-type'), `application/dicom; transfer-syntax=${explicitLittleEndian}`);
      assert.equal(part.headers.get('content-length'), String(part.bytes.byteLength));
    }
  }
  const path = `/studies/${study}/series/${series}/instances/${series}.2`;
  const expected = fileOf(makeInstance({ study, series, number: 2 }), `${series}.2`);
  const whole = await house.get(path, { accept: 'application/dicom' });
  assert.ok(Buffer.from(await whole.arrayBuffer()).equals(expected));
  const ranged = await house.get(path, { accept: 'application/dicom', range: 'bytes=300-499' });
  assert.equal(ranged.status, 206);
  assert.ok(Buffer.from(await ranged.arrayBuffer()).equals(expected.subarray(300, 500)));
  assert.equal((await house.get(path, { accept: 'application/dicom', range: 'bytes=999999-' })).status, 416);
  const etag = whole.headers.get('etag') ?? '';
  assert.equal((await house.get(path, { accept: 'application/dicom', 'if-none-match': etag })).status, 304);
  const other = await house.get(path, {
    accept: `application/dicom; transfer-syntax=${implicitLittleEndian}`,
  });
  const reader = new Part10Reader();
  reader.push(Buffer.from(await other.arrayBuffer()));
  assert.equal(reader.finish().string(0x0010_0020), 'P0001');
  assert.equal(reader.meta?.syntax.uid, implicitLittleEndian);
});

test('a head is given without its body', async () => {
  for (const path of [`/studies/${study}`, `/studies/${study}/metadata`, '/studies', `/studies/${study}/series`]) {
    const response = await fetch(`${house.root}${path}`, { method: 'HEAD', headers: { authorization } });
    assert.equal(response.status, 200, path);
    assert.equal(await response.text(), '');
  }
});

test('what is not stored, or cannot be given so, is refused', async () => {
  assert.equal((await house.get('/studies/1.2.3')).status, 404);
  assert.equal((await house.get(`/studies/${study}`, { accept: 'application/dicom' })).status, 406);
  const jpeg = 'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.4.999';
  assert.equal((await house.get(`/studies/${study}`, { accept: jpeg })).status, 406);
});

test('metadata has every header of a series, says where values are, and is the same when it was kept', async () => {
  const path = `/studies/${study}/series/${series}/metadata`;
  const first = await house.get(path, { 'accept-encoding': 'identity' });
  const text = await first.text();
  const headers = JSON.parse(text) as Found[];
  assert.equal(headers.length, 3);
  assert.equal(valueOf(headers[1], '00080018'), `${series}.2`);
  assert.equal(valueOf(headers[1], '00081030'), '胸部 CT');
  assert.equal(
    headers[1]?.['7FE00010']?.BulkDataURI,
    `${house.root}/studies/${study}/series/${series}/instances/${series}.2/bulkdata/7FE00010`,
  );
  assert.equal(await (await house.get(path)).text(), text, 'and packed on the way');
  assert.equal(await (await house.get(path, { 'accept-encoding': 'identity' })).text(), text);
  const etag = first.headers.get('etag') ?? '';
  assert.equal((await house.get(path, { 'if-none-match': etag })).status, 304);
  assert.equal(((await (await house.get(`/studies/${study}/metadata`)).json()) as Found[]).length, 3);
  const one = `/studies/${study}/series/${series}/instances/${series}.3/metadata`;
  assert.equal(((await (await house.get(one)).json()) as Found[]).length, 1);
});

test('a browser is told which pages may ask', async () => {
  const other = await openWebHouse({ origins: ['https://viewer.example'] });
  try {
    const ask = (origin: string): Promise<Response> =>
      fetch(`${other.root}/studies`, {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization' },
      });
    const allowed = await ask('https://viewer.example');
    assert.equal(allowed.status, 204);
    assert.equal(allowed.headers.get('access-control-allow-origin'), 'https://viewer.example');
    assert.equal(allowed.headers.get('access-control-allow-headers'), 'authorization');
    assert.equal((await ask('https://other.example')).headers.get('access-control-allow-origin'), null);
  } finally {
    await other.close();
  }
});

const stored = `${study}5`;
const file = (number: number, more: object = {}): Uint8Array =>
  fileOf(makeInstance({ study: stored, number, ...more }), `${stored}.1.${number}`);

test('files are stored from a multipart or alone, and told by name', async () => {
  const { type, body } = multipartOf([file(1), file(2), file(3)]);
  const response = await house.post('/studies', type, body);
  assert.equal(response.status, 200);
  const answer = (await response.json()) as Found;
  assert.equal(valueOf(answer, '00081190'), `${house.root}/studies/${stored}`);
  assert.equal(answer['00081199']?.Value?.length, 3);
  assert.equal(valueOf(answer['00081199']?.Value?.[1] as Found, '00081155'), `${stored}.1.2`);
  assert.equal((await house.post('/studies', 'application/dicom', file(4))).status, 200);
  assert.equal((await house.post(`/studies/${stored}`, type, body)).status, 200, 'the same again');
  const bare = 'application/dicom; transfer-syntax=1.2.840.10008.1.2';
  const implicit = makeInstance({ study: stored, number: 5, explicit: false });
  assert.equal((await house.post('/studies', bare, implicit)).status, 200);
  const parts = await partsOf(await house.get(`/studies/${stored}`));
  assert.equal(parts.length, 5);
  assert.ok(parts[0]?.bytes.equals(file(1)));
});

test('what cannot be stored is told with its reason, beside what was', async () => {
  const garbage = Buffer.alloc(700, 0xff);
  const mixed = multipartOf([file(1), garbage, fileOf(makeInstance({ study, series, number: 1 }), `${series}.1`)]);
  const some = await house.post(`/studies/${stored}`, mixed.type, mixed.body);
  assert.equal(some.status, 202);
  const answer = (await some.json()) as Found;
  assert.equal(answer['00081199']?.Value?.length, 1);
  assert.equal(valueOf(answer['00081198']?.Value?.[0] as Found, '00081197'), 0x0110, 'another study');
  assert.equal(valueOf(answer['0008119A']?.Value?.[0] as Found, '00081197'), 0xc000, 'no DICOM');
  const none = multipartOf([garbage]);
  assert.equal((await house.post('/studies', none.type, none.body)).status, 400);
  const away = multipartOf([file(1)]);
  assert.equal((await house.post(`/studies/${study}7`, away.type, away.body)).status, 409);
  const differs = multipartOf([fileOf(makeInstance({ study: stored, number: 1 }), '1.2.3.4')]);
  const warned = await house.post('/studies', differs.type, differs.body);
  assert.equal(warned.status, 202);
  assert.equal(valueOf(((await warned.json()) as Found)['00081199']?.Value?.[0] as Found, '00081196'), 0xb007);
});

test('a body that is not in its form is refused, and what was whole in it is stored', async () => {
  const { type, body } = multipartOf([file(7), file(8)]);
  const broken = await house.post('/studies', type, body.subarray(0, body.byteLength - 300));
  assert.equal(broken.status, 202);
  assert.equal(((await broken.json()) as Found)['00081199']?.Value?.length, 1);
  const refused: [string, Uint8Array, number][] = [
    [type, body.subarray(0, 300), 400],
    [type, Buffer.from('no multipart'), 400],
    [type, Buffer.alloc(0), 400],
    [type, Buffer.from('--a-boundary-of-the-test--'), 400],
    [type, Buffer.from('--a-boundary-of-the-testX\r\n\r\n'), 400],
    [type, Buffer.concat([Buffer.from('--a-boundary-of-the-test\r\n'), Buffer.alloc(40_000, 0x61)]), 400],
    ['multipart/related; type="application/dicom"', body, 400],
    ['multipart/related; type="application/dicom+xml"; boundary=x', body, 415],
    ['text/plain', body, 415],
  ];
  for (const [contentType, bytes, status] of refused)
    assert.equal((await house.post('/studies', contentType, bytes)).status, status, contentType);
  const away = await house.post(`/studies/${stored}/series`, type, body);
  assert.equal(away.status, 405);
});

test('a login that only reads stores nothing', async () => {
  const { accounts } = house.running.archive;
  const token = await accounts.createToken({ user: 'admin', name: 'reader', role: 'reader' });
  const { type, body } = multipartOf([file(9)]);
  const headers = { authorization: `Bearer ${token}` };
  assert.equal((await house.post('/studies', type, body, headers)).status, 403);
  assert.equal((await house.get('/studies', headers)).status, 200);
});

test('a ZIP holds every instance', async () => {
  const response = await house.get(`/studies/${study}`, { accept: 'application/zip' });
  assert.equal(response.headers.get('content-type'), 'application/zip');
  const zip = Buffer.from(await response.arrayBuffer());
  const end = zip.subarray(zip.byteLength - 22);
  assert.equal(end.readUInt32LE(0), 0x0605_4b50);
  assert.equal(end.readUInt16LE(10), 3);
  const directory = zip.subarray(end.readUInt32LE(16), end.readUInt32LE(16) + end.readUInt32LE(12));
  assert.equal(directory.readUInt32LE(0), 0x0201_4b50);
  const name = `${study}/${series}/${series}.1.dcm`;
  assert.equal(directory.toString('latin1', 46, 46 + directory.readUInt16LE(28)), name);
  const expected = fileOf(makeInstance({ study, series, number: 1 }), `${series}.1`);
  const from = 30 + name.length + 20;
  assert.ok(zip.subarray(from, from + expected.byteLength).equals(expected));
});

const pixelsOf = (frames: number): Uint8Array =>
  Uint8Array.from({ length: 16 * 16 * 2 * frames }, (_, index) => (index * 7 + (index >> 5)) & 0xff);

test('frames are cut out of native pixels, also where they begin within a byte', async () => {
  const many = `${study}6`;
  await house.store(makeInstance({ study: many, frames: 3 }));
  const path = `/studies/${many}/series/${many}.1/instances/${many}.1.1`;
  const parts = await partsOf(await house.get(`${path}/frames/3,1`));
  const pixels = pixelsOf(3);
  assert.deepEqual(
    parts.map((each) => each.bytes.equals(pixels.subarray(0, 512)) || each.bytes.equals(pixels.subarray(1024))),
    [true, true],
  );
  assert.ok(parts[0]?.bytes.equals(pixels.subarray(1024)), 'in the order asked for');
  assert.equal((await house.get(`${path}/frames/4`)).status, 404);
  assert.equal((await house.get(`${path}/frames/0`)).status, 400);
  const alone = await house.get(`${path}/frames/2`, { accept: 'application/octet-stream', range: 'bytes=10-19' });
  assert.equal(alone.status, 206);
  assert.ok(Buffer.from(await alone.arrayBuffer()).equals(pixels.subarray(522, 532)));
  const video = await house.get(`${path}/frames/1`, { accept: 'multipart/related; type="video/mp4"' });
  assert.equal(video.status, 406);

  const bits = makeInstance({
    study: `${many}1`,
    frames: 2,
    rows: 3,
    columns: 3,
    pixels: Buffer.from([0xb7, 0xfe, 0x03, 0]),
  });
  const one = Buffer.from(bits);
  // Bits Allocated of one: the second frame begins with the tenth bit.
  one.writeUInt16LE(1, one.indexOf(Buffer.from([0x28, 0, 0, 1])) + 8);
  await house.store(one);
  const bitPath = `/studies/${many}1/series/${many}1.1/instances/${many}1.1.1/frames`;
  const [first, second] = await partsOf(await house.get(`${bitPath}/1,2`));
  assert.deepEqual([...(first?.bytes ?? [])], [0xb7, 0x00]);
  assert.deepEqual([...(second?.bytes ?? [])], [0xff, 0x01]);
});

function encapsulated(frames: readonly Uint8Array[], table: readonly number[]): Uint8Array {
  const item = (bytes: Uint8Array): Buffer => {
    const head = Buffer.from([0xfe, 0xff, 0x00, 0xe0, 0, 0, 0, 0]);
    head.writeUInt32LE(bytes.byteLength, 4);
    return Buffer.concat([head, bytes]);
  };
  const offsets = Buffer.alloc(4 * table.length);
  for (const [index, offset] of table.entries()) offsets.writeUInt32LE(offset, 4 * index);
  const head = Buffer.from([0xe0, 0x7f, 0x10, 0x00, 0x4f, 0x42, 0, 0, 0xff, 0xff, 0xff, 0xff]);
  return Buffer.concat([head, item(offsets), ...frames.map(item), Buffer.from([0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0])]);
}

test('compressed frames are given as they are stored, found by their table or one by one', async () => {
  const jls = '1.2.840.10008.1.2.4.80';
  const frames = [10, 20, 30].map((size) => Buffer.alloc(size, size));
  for (const [index, table] of [[0, 18, 46], []].entries()) {
    const uid = `${study}7${index}`;
    const header = makeInstance({ study: uid, frames: 3, pixels: null });
    await house.store(Buffer.concat([header, encapsulated(frames, table)]), jls);
    const path = `/studies/${uid}/series/${uid}.1/instances/${uid}.1.1`;
    for (const accept of [
      'multipart/related; type="image/jls"',
      'multipart/related; type="application/octet-stream"; transfer-syntax=*',
      '*/*',
    ]) {
      const parts = await partsOf(await house.get(`${path}/frames/2,3`, { accept }));
      assert.deepEqual(
        parts.map((each) => each.bytes.equals(frames[1] as Buffer) || each.bytes.equals(frames[2] as Buffer)),
        [true, true],
        accept,
      );
      assert.match(parts[0]?.headers.get('content-type') ?? '', /transfer-syntax=1\.2\.840\.10008\.1\.2\.4\.80$/);
    }
    assert.equal((await partsOf(await house.get(`${path}/bulkdata/7FE00010`))).length, 3);
    const native = 'multipart/related; type="application/octet-stream"';
    assert.equal((await house.get(`${path}/frames/1`, { accept: native })).status, 406);
  }
});

test('bulk data is given where metadata says that it is', async () => {
  const uid = `${study}8`;
  const long = Buffer.alloc(70_000, 0x41);
  await house.store(makeInstance({ study: uid, more: [[0x0040_a160, 'UT', long]] }));
  const [header] = await found(`/studies/${uid}/metadata`);
  for (const [tag, bytes] of [
    ['0040A160', long],
    ['7FE00010', pixelsOf(1)],
  ] as const) {
    const url = header?.[tag]?.BulkDataURI ?? '';
    const [part] = await partsOf(await fetch(url, { headers: { authorization } }));
    assert.ok(part?.bytes.equals(bytes), tag);
    const ranged = await fetch(url, { headers: { authorization, range: 'bytes=5-9' } });
    assert.equal(ranged.headers.get('content-range'), `bytes 5-9/${bytes.byteLength}`);
    assert.ok(Buffer.from(await ranged.arrayBuffer()).equals(bytes.subarray(5, 10)));
  }
  const path = `/studies/${uid}/series/${uid}.1/instances/${uid}.1.1/bulkdata`;
  assert.equal((await house.get(`${path}/00091010`)).status, 404);
  assert.equal((await house.get(`${path}/00081140/0`)).status, 400);
});

test('an instance is given by the older protocol too', async () => {
  const query = `requestType=WADO&studyUID=${study}&seriesUID=${series}&objectUID=${series}.1`;
  const response = await house.get(`/wado?${query}&contentType=application/dicom`);
  assert.equal(response.status, 200);
  const expected = fileOf(makeInstance({ study, series, number: 1 }), `${series}.1`);
  assert.ok(Buffer.from(await response.arrayBuffer()).equals(expected));
  assert.equal((await house.get(`/wado?${query.replace('WADO', 'X')}`)).status, 400);
  assert.equal((await house.get(`/wado?${query}&anonymize=yes`)).status, 400);
  assert.equal((await house.get(`/wado?${query}9`)).status, 404);
});

const mebibyte = 1024 * 1024;

/** A large instance as a body that is made while it is sent. */
function largeBody(
  uid: string,
  sizeBytes: number,
): { readonly type: string; readonly body: ReadableStream<Uint8Array> } {
  const header = makeInstance({
    study: uid,
    instance: `${uid}.1.1`,
    pixels: null,
    rows: 1024,
    columns: 1024,
    frames: sizeBytes / (2 * mebibyte),
  });
  const head = Buffer.from([0xe0, 0x7f, 0x10, 0x00, 0x4f, 0x57, 0, 0, 0, 0, 0, 0]);
  head.writeUInt32LE(sizeBytes, 8);
  const piece = Buffer.alloc(mebibyte, 0x5a);
  const pieces: Uint8Array[] = [
    Buffer.from('--large\r\nContent-Type: application/dicom\r\n\r\n'),
    fileOf(header, `${uid}.1.1`),
    head,
  ];
  let left = sizeBytes / mebibyte;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const next = pieces.shift();
      if (next !== undefined) controller.enqueue(next);
      else if (left > 0) {
        left -= 1;
        controller.enqueue(piece);
      } else {
        controller.enqueue(Buffer.from('\r\n--large--\r\n'));
        controller.close();
      }
    },
  });
  return { type: 'multipart/related; type="application/dicom"; boundary=large', body };
}

test('a large instance goes in and out in little memory, and who does not read keeps nobody waiting', async () => {
  const uid = `${study}4`;
  const sizeBytes = 256 * mebibyte;
  const before = process.memoryUsage();
  let most = 0;
  const watch = (): void => {
    const { external, arrayBuffers, heapUsed } = process.memoryUsage();
    most = Math.max(most, heapUsed + Math.max(external, arrayBuffers));
  };
  const { type, body } = largeBody(uid, sizeBytes);
  const watching = setInterval(watch, 20);
  try {
    const response = await fetch(`${house.root}/studies`, {
      method: 'POST',
      body,
      duplex: 'half',
      headers: { authorization, 'content-type': type },
    } as RequestInit);
    assert.equal(response.status, 200);
    const path = `/studies/${uid}`;
    const silent = connect(house.port, '127.0.0.1');
    silent.pause();
    silent.write(`GET /dicom-web${path} HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\n\r\n`);
    let received = 0;
    for await (const piece of (await house.get(path)).body as ReadableStream<Uint8Array>) received += piece.byteLength;
    assert.ok(received > sizeBytes);
    assert.equal((await found('/studies?limit=1')).length, 1);
    silent.destroy();
  } finally {
    clearInterval(watching);
  }
  watch();
  const grown = most - before.heapUsed - Math.max(before.external, before.arrayBuffers);
  assert.ok(grown < 200 * mebibyte, `${Math.round(grown / mebibyte)} MiB`);
  assert.deepEqual(house.faults, [], 'a client that goes is no fault of ours');
});

test('an upload that breaks off stores nothing of what was not whole', async () => {
  const uid = `${study}3`;
  const socket = connect(house.port, '127.0.0.1');
  const whole = fileOf(makeInstance({ study: uid }), `${uid}.1.1`);
  socket.write(
    `POST /dicom-web/studies HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\nContent-Type: application/dicom\r\nContent-Length: ${whole.byteLength}\r\n\r\n`,
  );
  await new Promise((resolve) => socket.write(whole.subarray(0, whole.byteLength - 10), resolve));
  socket.destroy();
  await once(socket, 'close');
  assert.equal((await house.get(`/studies/${uid}`)).status, 404);
  assert.equal((await found(`/studies?StudyInstanceUID=${uid}`)).length, 0);
  assert.deepEqual(house.faults, []);
});

test('links lead back to where the client is, also when it leaves the port out of its Host', async () => {
  const asked = async (host: string): Promise<unknown> => {
    const response = await new Promise<IncomingMessage>((resolve) =>
      httpGet(
        { port: house.port, host: '127.0.0.1', path: '/dicom-web/studies?limit=1', headers: { host, authorization } },
        resolve,
      ),
    );
    const pieces: Uint8Array[] = [];
    for await (const piece of response as AsyncIterable<Uint8Array>) pieces.push(piece);
    const [first] = JSON.parse(Buffer.concat(pieces).toString()) as Found[];
    return new URL(String(valueOf(first, '00081190'))).host;
  };
  assert.equal(await asked('pacs.example'), 'pacs.example');
  assert.equal(await asked('pacs.example:8443'), 'pacs.example:8443');
  assert.equal(await asked('127.0.0.1'), `127.0.0.1:${house.port}`);
});

test('the same file twice in one request, and in two at once, is stored once', async () => {
  const { type, body } = multipartOf([file(30), file(30), file(31)]);
  const answers = await Promise.all([1, 2, 3].map(() => house.post('/studies', type, body)));
  assert.deepEqual(
    answers.map((each) => each.status),
    [200, 200, 200],
  );
  for (const number of [30, 31])
    assert.equal((await found(`/studies/${stored}/instances?InstanceNumber=${number}`)).length, 1);
});

test('a client that goes in the middle of a packed answer leaves nothing behind', async () => {
  const uid = `${study}2`;
  for (let number = 1; number <= 120; number += 1) await house.store(makeInstance({ study: uid, number }));
  const socket = connect(house.port, '127.0.0.1');
  socket.write(
    `GET /dicom-web/studies/${uid}/metadata HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\nAuthorization: ${authorization}\r\n\r\n`,
  );
  await once(socket, 'data');
  socket.destroy();
  await once(socket, 'close');
  assert.equal((await found(`/studies/${uid}/metadata`)).length, 120);
  assert.deepEqual(house.faults, []);
});

test('pictures are drawn of frames, in the size and with the window asked for', async () => {
  const path = `/studies/${study}/series/${series}/instances/${series}.1`;
  const jpeg = await house.get(`${path}/rendered?window=1000,2000,linear&quality=80`);
  assert.equal(jpeg.status, 200, await jpeg.clone().text());
  assert.equal(jpeg.headers.get('content-type'), 'image/jpeg');
  assert.deepEqual([...Buffer.from(await jpeg.arrayBuffer()).subarray(0, 2)], [0xff, 0xd8]);
  const png = await house.get(`${path}/frames/1/rendered?viewport=8,4,0,0,16,8`, { accept: 'image/png' });
  const bytes = Buffer.from(await png.arrayBuffer());
  assert.deepEqual([bytes.readUInt32BE(16), bytes.readUInt32BE(20)], [8, 4]);
  const etag = png.headers.get('etag') ?? '';
  const again = { accept: 'image/png', 'if-none-match': etag };
  assert.equal((await house.get(`${path}/frames/1/rendered?viewport=8,4,0,0,16,8`, again)).status, 304);
  for (const place of [`/studies/${study}`, `/studies/${study}/series/${series}`, path])
    assert.equal((await house.get(`${place}/thumbnail`)).headers.get('content-type'), 'image/jpeg', place);
  const query = `requestType=WADO&studyUID=${study}&seriesUID=${series}&objectUID=${series}.1`;
  const older = await house.get(`/wado?${query}&rows=8&windowCenter=500&windowWidth=100&contentType=image/png`);
  assert.equal(Buffer.from(await older.arrayBuffer()).readUInt32BE(20), 8);
  const many = await partsOf(
    await house.get(`/studies/${study}6/series/${study}6.1/instances/${study}6.1.1/frames/1,3/rendered`),
  );
  assert.equal(many.length, 2);
  for (const bad of ['window=1', 'viewport=0,0', 'viewport=1', 'quality=0', 'window=1,2,3'])
    assert.equal((await house.get(`${path}/rendered?${bad}`)).status, 400, bad);
  assert.equal((await house.get(`${path}/rendered`, { accept: 'video/mp4' })).status, 406);
});
