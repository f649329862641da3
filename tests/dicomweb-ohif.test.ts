// The requests that the OHIF viewer makes of a DICOMweb server, from the list of studies to the pixels, and what it needs of the answers.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { authorization, fileOf, openWebHouse, partsOf, type WebHouse } from './support/dicomweb-rig.ts';
import { elementBytes, makeInstance } from './support/made-instance.ts';

type Attribute = { readonly vr: string; readonly Value?: readonly unknown[]; readonly BulkDataURI?: string };
type Found = Readonly<Record<string, Attribute>>;

const viewer = 'https://viewer.example';
const study = '1.2.826.0.1.3680043.99.91';
const series = `${study}.1`;
const pdf = Buffer.from('%PDF-1.7 and not much more ');
const json = { accept: 'application/dicom+json', origin: viewer };
const scalar = Buffer.alloc(70_000, 7);

let house: WebHouse;
before(async () => {
  house = await openWebHouse({ origins: [viewer] });
  const inner = elementBytes(0x0070_100d, 'OB', scalar);
  const head = Buffer.from('feff00e000000000', 'hex');
  head.writeUInt32LE(inner.byteLength, 4);
  for (const number of [1, 2, 3])
    await house.store(
      makeInstance({ study, number, frames: 2, more: [[0x0070_1001, 'SQ', Buffer.concat([head, inner])]] }),
    );
  const document = makeInstance({
    study,
    series: `${study}.2`,
    modality: 'DOC',
    sopClass: '1.2.840.10008.5.1.4.1.1.104.1',
    pixels: null,
    more: [
      [0x0042_0011, 'OB', pdf.byteLength % 2 === 0 ? pdf : Buffer.concat([pdf, Buffer.alloc(1)])],
      [0x0042_0012, 'LO', 'application/pdf'],
    ],
  });
  await house.store(document);
});
after(() => house.close());

async function asked(path: string): Promise<Found[]> {
  const response = await house.get(path, json);
  assert.equal(response.status, 200, path);
  assert.equal(response.headers.get('access-control-allow-origin'), viewer);
  return (await response.json()) as Found[];
}

const valueOf = (answer: Found | undefined, tag: string): unknown => answer?.[tag]?.Value?.[0];

test('a browser may ask from another origin', async () => {
  const headers = {
    origin: viewer,
    'access-control-request-method': 'GET',
    'access-control-request-headers': 'accept,authorization',
  };
  const response = await fetch(`${house.root}/studies`, { method: 'OPTIONS', headers });
  assert.equal(response.status, 204);
  assert.equal(response.headers.get('access-control-allow-headers'), 'accept,authorization');
});

test('the list of studies has what its columns show, however it is filtered', async () => {
  const fields = 'limit=101&offset=0&includefield=00081030%2C00080060%2C00080090%2C00100030';
  const [first, ...more] = await asked(`/studies?${fields}&fuzzymatching=false`);
  assert.equal(more.length, 0);
  const columns = {
    '0020000D': study,
    '00080020': '20240229',
    '00080030': '101112',
    '00080050': 'A0001',
    '00100020': 'P0001',
    '00100030': '19700101',
    '00081030': '胸部 CT',
    '00201208': 4,
  };
  for (const [tag, value] of Object.entries(columns)) assert.equal(valueOf(first, tag), value, tag);
  assert.deepEqual(valueOf(first, '00100010'), { Alphabetic: 'Zhang^San', Ideographic: '张^三' });
  assert.deepEqual(valueOf(first, '00080090'), { Alphabetic: 'Ref^Doc' });
  assert.deepEqual(new Set(first?.['00080061']?.Value), new Set(['CT', 'DOC']));
  const filters: [string, number][] = [
    ['PatientName=*zhang*&fuzzymatching=true', 1],
    ['PatientName=%E5%BC%A0*&fuzzymatching=false', 1],
    ['00100020=*P00*', 1],
    ['AccessionNumber=*A0*', 1],
    ['StudyDescription=*CT*', 1],
    ['ModalitiesInStudy=CT', 1],
    ['ModalitiesInStudy=MR%5CCT', 1],
    ['ModalitiesInStudy=MR', 0],
    ['StudyDate=19700102-20991231', 1],
    ['StudyDate=20250101-20991231', 0],
    [`StudyInstanceUID=${study}%5C1.2.3`, 1],
  ];
  for (const [filter, count] of filters)
    assert.equal((await asked(`/studies?${fields}&${filter}`)).length, count, filter);
});

test('the series of a study have what the browser of studies shows', async () => {
  for (const query of ['?includefield=0008103E%2C00080021', '', `?SeriesInstanceUID=${series}`]) {
    const found = await asked(`/studies/${study}/series${query}`);
    assert.equal(found.length, query.includes('Series') ? 1 : 2);
    const first = found.find((each) => valueOf(each, '0020000E') === series);
    assert.equal(valueOf(first, '0020000D'), study);
    assert.equal(valueOf(first, '00080060'), 'CT');
    assert.equal(valueOf(first, '00200011'), 2);
    assert.equal(valueOf(first, '00201209'), 3);
    assert.equal(valueOf(first, '0008103E'), 'axial 5 mm');
  }
  const [one] = await asked(`/studies/${study}/series/${series}/instances?limit=1&includefield=00080018`);
  assert.equal(valueOf(one, '00080018'), `${series}.1`);
});

test('metadata leads to frames and to bulk data, in sequences too', async () => {
  const headers = await asked(`/studies/${study}/series/${series}/metadata`);
  assert.equal(headers.length, 3);
  for (const tag of ['00280010', '00280011', '00280100', '00280101', '00280103', '00280004', '00080016', '00080018'])
    assert.notEqual(valueOf(headers[0], tag), undefined, tag);
  assert.equal(valueOf(headers[0], '00280008'), 2);
  const accept = 'multipart/related; type="application/octet-stream"; transfer-syntax=*';
  const path = `/studies/${study}/series/${series}/instances/${series}.1/frames/2`;
  const [frame] = await partsOf(await house.get(path, { accept, origin: viewer }));
  assert.equal(frame?.bytes.byteLength, 512);
  assert.equal(frame?.headers.get('content-type'), 'application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1');
  const inner = (valueOf(headers[0], '00701001') as Found)['0070100D']?.BulkDataURI ?? '';
  const whole = await fetch(inner, { headers: { authorization, accept: '*/*' } });
  assert.ok((await partsOf(whole))[0]?.bytes.equals(scalar));
  const alone = await fetch(inner, { headers: { authorization, accept: 'application/octet-stream' } });
  assert.ok(Buffer.from(await alone.arrayBuffer()).equals(scalar));
});

test('thumbnails and pictures come by address alone', async () => {
  for (const path of [
    `/studies/${study}`,
    `/studies/${study}/series/${series}`,
    `/studies/${study}/series/${series}/instances/${series}.1`,
  ])
    for (const kind of ['thumbnail', 'rendered']) {
      for (const headers of [{ accept: 'image/jpeg' }, { accept: 'image/avif,image/webp,image/*,*/*;q=0.8' }]) {
        const response = await house.get(`${path}/${kind}`, headers);
        assert.equal(response.headers.get('content-type'), 'image/jpeg', `${path}/${kind}`);
      }
      const byQuery = await house.get(`${path}/${kind}?accept=image/jpeg`, { accept: '*/*' });
      assert.equal(byQuery.headers.get('content-type'), 'image/jpeg');
    }
});

test('a document is given under its own type', async () => {
  const [header] = await asked(`/studies/${study}/series/${study}.2/metadata`);
  assert.equal(valueOf(header, '00420012'), 'application/pdf');
  const path = `/studies/${study}/series/${study}.2/instances/${study}.2.1`;
  for (const resource of [
    '/bulkdata/00420011?accept=application/pdf',
    '/rendered?accept=application/pdf',
    '/rendered',
  ]) {
    const response = await house.get(`${path}${resource}`);
    assert.equal(response.headers.get('content-type'), 'application/pdf', resource);
    assert.ok(
      Buffer.from(await response.arrayBuffer())
        .subarray(0, pdf.byteLength)
        .equals(pdf),
    );
  }
  assert.equal((await house.get(`${path}/rendered`, { accept: 'image/jpeg' })).status, 406);
});

test('what the viewer makes is stored', async () => {
  const made = fileOf(makeInstance({ study, series: `${study}.3`, modality: 'SEG' }), `${study}.3.1`);
  const body = Buffer.concat([
    Buffer.from('\r\n--b-1\r\nContent-Type: application/dicom\r\n\r\n'),
    made,
    Buffer.from('\r\n--b-1--'),
  ]);
  const type = 'multipart/related; type="application/dicom"; boundary="b-1"';
  const response = await house.post('/studies', type, body, { origin: viewer, accept: 'application/dicom+json' });
  assert.equal(response.status, 200);
  assert.equal((await asked(`/studies/${study}/series`)).length, 3);
});
