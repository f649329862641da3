// DICOMweb over HTTP: attributes that no row knows, in answers and as keys, and what stands above what is searched.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openWebHouse, type WebHouse } from './support/dicomweb-rig.ts';
import { elementBytes, makeInstance } from './support/made-instance.ts';

type Attribute = { readonly vr: string; readonly Value?: readonly unknown[]; readonly InlineBinary?: string };
type Found = Readonly<Record<string, Attribute>>;

const study = '1.2.826.0.1.3680043.99.83';
const series = `${study}.1`;

/** A sequence of one item. */
function sequence(...elements: readonly Uint8Array[]): Uint8Array {
  const item = Buffer.concat(elements);
  const head = Buffer.from('feff00e000000000', 'hex');
  head.writeUInt32LE(item.byteLength, 4);
  return Buffer.concat([head, item]);
}

let house: WebHouse;
before(async () => {
  house = await openWebHouse();
  for (const number of [1, 2])
    await house.store(
      makeInstance({
        study,
        number,
        more: [
          [
            0x0008_1140,
            'SQ',
            sequence(elementBytes(0x0008_1155, 'UI', `1.2.3.${number}`), elementBytes(0x0008_103e, 'LO', '像')),
          ],
          [0x0009_0010, 'LO', 'ACME'],
          [0x0009_1001, 'DS', '98.41'],
          [0x0009_1002, 'OB', Buffer.from([1, 2])],
        ],
      }),
    );
});
after(() => house.close());

async function found(path: string): Promise<Found[]> {
  const response = await house.get(path);
  assert.equal(response.status, 200, path);
  return (await response.json()) as Found[];
}

test('sequences, private attributes and bytes of instances are answered whole', async () => {
  const fields = 'includefield=00081140,00091001,00091002&includefield=00280100&InstanceNumber=1';
  const [one] = await found(`/studies/${study}/series/${series}/instances?${fields}`);
  assert.deepEqual(one?.['00081140']?.Value, [
    { '0008103E': { vr: 'LO', Value: ['像'] }, '00081155': { vr: 'UI', Value: ['1.2.3.1'] } },
  ]);
  assert.deepEqual(one?.['00091001'], { vr: 'DS', Value: [98.41] });
  assert.deepEqual(one?.['00091002'], { vr: 'OB', InlineBinary: 'AQI=' });
  assert.deepEqual(one?.['00280100']?.Value, [16]);
  const [inside] = await found(
    `/studies/${study}/instances?includefield=ReferencedImageSequence.ReferencedSOPInstanceUID&limit=1`,
  );
  assert.equal(inside?.['00081140']?.Value?.length, 1);
});

test('what stands in a sequence is matched there, and nowhere else', async () => {
  const count = async (query: string): Promise<number> => (await found(`/studies/${study}/instances?${query}`)).length;
  assert.equal(await count('ReferencedImageSequence.ReferencedSOPInstanceUID=1.2.3.2'), 1);
  assert.equal(await count('00081140.00081155=1.2.3.9'), 0);
  assert.equal(await count('00081140.0008103E=像'), 2);
  assert.equal(await count(`00081140.0020000E=${series}`), 0, 'the series of the instance is not that of the image');
  assert.equal((await house.get('/instances?00081140.Nothing=1')).status, 400);
});

test('a study or a series answers with what one of its instances has, where that is asked for', async () => {
  for (const path of ['/studies?', `/studies/${study}/series?`]) {
    const [one] = await found(`${path}includefield=00091001,Rows,00081140`);
    assert.deepEqual(one?.['00091001']?.Value, [98.41], path);
    assert.deepEqual(one?.['00280010']?.Value, [16], path);
    assert.equal(one?.['00081140']?.Value?.length, 1, path);
    const [plain] = await found(path);
    assert.equal(plain?.['00280010'], undefined);
  }
});

test('what stands above is answered unless the query names it', async () => {
  const cases: [string, boolean, boolean][] = [
    ['/instances?', true, true],
    [`/instances?StudyInstanceUID=${study}`, false, true],
    [`/instances?0020000E=${series}`, true, false],
    [`/instances?0020000D=${study}&0020000e=${series}`, false, false],
    [`/studies/${study}/series/${series}/instances?`, true, true],
    [`/studies/${study}/series?`, true, true],
    [`/series?StudyInstanceUID=${study}`, false, true],
    [`/series?StudyInstanceUID=${study}&includefield=PatientName`, true, true],
  ];
  for (const [path, hasPatient, hasModality] of cases) {
    const [first] = await found(path);
    assert.equal(first?.['00100010'] !== undefined, hasPatient, path);
    assert.equal(first?.['00080060'] !== undefined, hasModality, path);
  }
});
