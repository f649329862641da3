// DICOMweb over HTTP: data sets that are stored from DICOM JSON, with bulk data beside them.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { encodeFrame } from '../src/dicom/index.ts';
import { authorization, openWebHouse, partsOf, type WebHouse } from './support/dicomweb-rig.ts';
import { ctImageStorage, explicitLittleEndian } from './support/made-instance.ts';

type Attribute = { readonly vr: string; readonly Value?: readonly unknown[]; readonly BulkDataURI?: string };
type Json = Readonly<Record<string, Attribute>>;

const study = '1.2.826.0.1.3680043.99.85';
const pixels = Buffer.from(Uint8Array.from({ length: 512 }, (_, index) => (index % 2 === 0 ? index & 0xff : 0)));

let house: WebHouse;
before(async () => {
  house = await openWebHouse();
});
after(() => house.close());

function dataSet(number: number, more: Json = {}): Json {
  return {
    '00020010': { vr: 'UI', Value: [explicitLittleEndian] },
    '00080016': { vr: 'UI', Value: [ctImageStorage] },
    '00080018': { vr: 'UI', Value: [`${study}.1.${number}`] },
    '00100010': { vr: 'PN', Value: [{ Alphabetic: 'Li^Si', Ideographic: '李^四' }] },
    '00100020': { vr: 'LO', Value: ['J0001'] },
    '0020000D': { vr: 'UI', Value: [study] },
    '0020000E': { vr: 'UI', Value: [`${study}.1`] },
    '00280002': { vr: 'US', Value: [1] },
    '00280004': { vr: 'CS', Value: ['MONOCHROME2'] },
    '00280010': { vr: 'US', Value: [16] },
    '00280011': { vr: 'US', Value: [16] },
    '00280100': { vr: 'US', Value: [16] },
    '00280101': { vr: 'US', Value: [12] },
    '00280102': { vr: 'US', Value: [11] },
    '00280103': { vr: 'US', Value: [0] },
    ...more,
  };
}

type Part = { readonly head: string; readonly bytes: Uint8Array | string };

async function store(parts: readonly Part[], path = '/studies'): Promise<{ status: number; answer: Json }> {
  const body = Buffer.concat([
    ...parts.flatMap(({ head, bytes }) => [
      Buffer.from(`--mark\r\n${head}\r\n\r\n`),
      Buffer.from(bytes),
      Buffer.from('\r\n'),
    ]),
    Buffer.from('--mark--\r\n'),
  ]);
  const response = await house.post(path, 'multipart/related; type="application/dicom+json"; boundary=mark', body);
  return { status: response.status, answer: (await response.json()) as Json };
}

const json = (dataSets: unknown): Part => ({
  head: 'Content-Type: application/dicom+json',
  bytes: JSON.stringify(dataSets),
});

async function frame(number: number, accept = '*/*'): Promise<Buffer | undefined> {
  const path = `/studies/${study}/series/${study}.1/instances/${study}.1.${number}/frames/1`;
  return (await partsOf(await house.get(path, { accept })))[0]?.bytes;
}

test('data sets in JSON are stored with the parts that they refer to, plain and compressed', async () => {
  const shape = {
    rows: 16,
    columns: 16,
    samplesPerPixel: 1,
    bitsAllocated: 16,
    bitsStored: 12,
    highBit: 11,
    pixelRepresentation: 0 as const,
    photometricInterpretation: 'MONOCHROME2',
  };
  const coded = encodeFrame({ shape, bytes: new Uint8Array(pixels) }, '1.2.840.10008.1.2.4.80')?.bytes ?? assert.fail();
  const note = Buffer.from('a longer note ');
  const { status, answer } = await store([
    json([
      dataSet(1, { '7FE00010': { vr: 'OW', BulkDataURI: 'bulk/1' } }),
      dataSet(2, {
        '7FE00010': { vr: 'OB', BulkDataURI: 'https://elsewhere.example/2' },
        '00081140': {
          vr: 'SQ',
          Value: [{ '00081199': { vr: 'SQ', Value: [{ '00204000': { vr: 'LT', BulkDataURI: 'cid:note@x' } }] } }],
        },
      }),
    ]),
    { head: 'Content-Type: text/plain\r\nContent-ID: <note@x>', bytes: note },
    {
      head: 'Content-Type: image/jls; transfer-syntax=1.2.840.10008.1.2.4.80\r\nContent-Location: https://elsewhere.example/2',
      bytes: coded,
    },
    { head: `Content-Type: application/octet-stream\r\nContent-Location: ${house.root}/bulk/1`, bytes: pixels },
  ]);
  assert.equal(status, 200, JSON.stringify(answer));
  assert.equal(answer['00081199']?.Value?.length, 2);
  assert.deepEqual(answer['00081198'], { vr: 'SQ' });
  assert.ok((await frame(1))?.equals(pixels));
  assert.ok((await frame(2))?.equals(pixels), 'decoded');
  const stored = await frame(2, 'multipart/related; type="image/jls"; transfer-syntax=*');
  assert.ok(stored?.subarray(0, coded.byteLength).equals(Buffer.from(coded)));
  const [header] = (await (
    await house.get(`/studies/${study}/series/${study}.1/instances/${study}.1.2/metadata`)
  ).json()) as Json[];
  assert.deepEqual(header?.['00100010']?.Value, [{ Alphabetic: 'Li^Si', Ideographic: '李^四' }]);
  assert.equal(header?.['7FE00010']?.vr, 'OB');
  assert.match(JSON.stringify(header?.['00081140']), /"00204000":\{"vr":"LT","Value":\["a longer note"\]\}/);
  assert.equal(header?.['00020010'], undefined);
});

test('a data set that stands alone needs no parts', async () => {
  const one = dataSet(3, { '7FE00010': { vr: 'OW', InlineBinary: pixels.toString('base64') } as never });
  const response = await house.post('/studies', 'application/dicom+json', Buffer.from(JSON.stringify([one])));
  assert.equal(response.status, 200);
  assert.ok((await frame(3))?.equals(pixels));
});

test('what refers to nothing that came, or names no instance, fails alone and is told', async () => {
  const { status, answer } = await store([
    json([
      dataSet(4),
      dataSet(5, { '7FE00010': { vr: 'OW', BulkDataURI: 'http://127.0.0.1:1/x' } }),
      { '00100020': { vr: 'LO' } },
      7,
    ]),
  ]);
  assert.equal(status, 202);
  assert.equal(answer['00081199']?.Value?.length, 1);
  const [failed] = (answer['00081198']?.Value ?? []) as Json[];
  assert.equal(failed?.['00081155']?.Value?.[0], `${study}.1.5`);
  assert.equal(failed?.['00081197']?.Value?.[0], 0xc000);
  assert.equal(answer['0008119A']?.Value?.length, 2);
});

test('a request that is not in its form is refused', async () => {
  const type = 'multipart/related; type="application/dicom+json"; boundary=mark';
  const refused: [string, string, number][] = [
    ['application/dicom+json', '{', 400],
    ['application/dicom+json', '[]', 400],
    ['application/dicom+json', '\xff', 400],
    [type, '--mark\r\n\r\n[', 400],
    [type, '--mark--', 400],
    [type, '--mark\r\nContent-Type: application/dicom\r\n\r\nx\r\n--mark--', 415],
    ['multipart/related; type="application/dicom+xml"; boundary=mark', '--mark--', 415],
  ];
  for (const [contentType, body, status] of refused)
    assert.equal((await house.post('/studies', contentType, Buffer.from(body, 'latin1'))).status, status, body);
  const away = await store([json([dataSet(6)])], `/studies/${study}1`);
  assert.equal(away.status, 409);
  const [failed] = (away.answer['00081198']?.Value ?? []) as Json[];
  assert.equal(failed?.['00081197']?.Value?.[0], 0x0110);
  const token = await fetch(`${house.root}/studies`, { headers: { authorization } });
  assert.equal(token.status, 200);
  assert.deepEqual(house.faults, []);
});
