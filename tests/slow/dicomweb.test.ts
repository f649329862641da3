// DICOMweb asked by other people's clients: dicomweb-client for Python, pydicom, curl and unzip. Each test says what it lacks.

import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { authorization, fileOf, multipartOf, openWebHouse, type WebHouse } from '../support/dicomweb-rig.ts';
import { makeInstance } from '../support/made-instance.ts';

const study = '1.2.826.0.1.3680043.99.72';
const series = `${study}.1`;
const file = (number: number): Uint8Array =>
  fileOf(makeInstance({ study, series, number, frames: 2 }), `${series}.${number}`);

let house: WebHouse;
let folder: string;
before(async () => {
  house = await openWebHouse();
  folder = mkdtempSync(path.join(tmpdir(), 'stele-web-'));
});
after(async () => {
  await house.close();
  rmSync(folder, { recursive: true, force: true });
});

function pythonWith(module: string): string | undefined {
  return ['python3', '/usr/bin/python3'].find((each) => spawnSync(each, ['-c', `import ${module}`]).status === 0);
}

function run(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(command, [...args], { cwd: folder, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${command}: ${stderr}${stdout}`));
    });
  });
}

const script = `
import sys, io, json, pydicom
from dicomweb_client.api import DICOMwebClient
root, authorization, study, series, *files = sys.argv[1:]
client = DICOMwebClient(url=root, headers={'Authorization': authorization})
answer = client.store_instances([pydicom.dcmread(each) for each in files])
stored = len(answer.ReferencedSOPSequence)
found = client.search_for_studies(search_filters={'PatientName': 'zhang*'}, fields=['StudyDescription'])
whole = client.retrieve_study(study)
metadata = [pydicom.Dataset.from_json(each) for each in client.retrieve_series_metadata(study, series)]
first = whole[0].SOPInstanceUID
frames = client.retrieve_instance_frames(study, series, first, [1, 2])
one = client.retrieve_instance(study, series, first)
uri = client.retrieve_series_metadata(study, series)[0]['7FE00010']['BulkDataURI']
bulk = client.retrieve_bulkdata(uri)
print(json.dumps({
    'stored': stored,
    'studies': len(found),
    'description': found[0]['00081030']['Value'][0],
    'series': len(client.search_for_series(study)),
    'instances': len(client.search_for_instances(study, series, limit=2)),
    'whole': len(whole),
    'metadata': [str(each.PatientName) for each in metadata],
    'frames': b''.join(frames) == whole[0].PixelData,
    'one': one.PixelData == whole[0].PixelData,
    'bulk': bulk[0] == whole[0].PixelData,
    'rows': metadata[0].Rows,
}))
`;

test('dicomweb-client stores, finds and reads what it stored', async (t) => {
  const python = pythonWith('dicomweb_client');
  if (python === undefined) return t.skip('needs dicomweb-client for Python');
  const files = [1, 2, 3].map((number) => {
    const name = path.join(folder, `${number}.dcm`);
    writeFileSync(name, file(number));
    return name;
  });
  const said = JSON.parse(
    await run(python, ['-c', script, house.root, authorization, study, series, ...files]),
  ) as object;
  assert.deepEqual(said, {
    stored: 3,
    studies: 1,
    description: '胸部 CT',
    series: 1,
    instances: 2,
    whole: 3,
    metadata: Array.from({ length: 3 }, () => 'Zhang^San=张^三'),
    frames: true,
    one: true,
    bulk: true,
    rows: 16,
  });
});

const forms = `
import sys, io, json, pydicom
from dicomweb_client.api import DICOMwebClient
root, authorization, study, series, instance = sys.argv[1:]
client = DICOMwebClient(url=root, headers={'Authorization': authorization})
native = client.retrieve_instance_frames(study, series, instance, [1, 2], media_types=('application/octet-stream',))
said = {}
for media, syntax in [('image/jls', '1.2.840.10008.1.2.4.80'), ('image/x-jls', '1.2.840.10008.1.2.4.80'), ('image/jp2', '1.2.840.10008.1.2.4.90'),
                      ('image/dicom-rle', '1.2.840.10008.1.2.5'), ('image/jpeg', '1.2.840.10008.1.2.4.70')]:
    coded = client.retrieve_instance_frames(study, series, instance, [2, 1], media_types=((media, syntax),))
    said[media] = len(coded)
whole = {}
for syntax in ['1.2.840.10008.1.2.1', '1.2.840.10008.1.2.4.80', '1.2.840.10008.1.2.4.90', '1.2.840.10008.1.2.5', '*']:
    files = client.retrieve_series(study, series, media_types=(('application/dicom', syntax),))
    whole[syntax] = str(files[0].file_meta.TransferSyntaxUID)
rle = client.retrieve_instance(study, series, instance, media_types=(('application/dicom', '1.2.840.10008.1.2.5'),))
plain = client.retrieve_instance(study, series, instance)
picture = client.retrieve_instance_rendered(study, series, instance, media_types=('image/png',), params={'viewport': '8,8'})
frame = client.retrieve_instance_frames_rendered(study, series, instance, [2], media_types=('image/jpeg',), params={'quality': 50})
found = client.search_for_instances(study, fields=['00091001', 'Rows'], fuzzymatching=False, offset=0, limit=1)
everything = client.search_for_series(study, fields=['all'])
pages = [each for page in client.search_for_studies(limit=1, get_remaining=True) for each in [page]]
chunks = sum(1 for _ in client.iter_series(study, series))
client.delete_instance(study, series, instance)
try:
    client.retrieve_instance_metadata(study, series, instance)
    gone = False
except Exception as error:
    gone = '404' in str(error)
print(json.dumps({
    'native': [len(each) for each in native], 'coded': said, 'whole': whole, 'rle': bool((rle.pixel_array == plain.pixel_array).all()),
    'png': picture[:4].hex(), 'jpeg': frame[:2].hex(), 'rows': found[0]['00280010']['Value'], 'everything': len(everything[0]) > 20,
    'pages': len(pages) >= 1, 'chunks': chunks, 'gone': gone,
}))
`;

test('dicomweb-client takes frames and files in every syntax, pictures, pages, and deletes', async (t) => {
  const python = pythonWith('dicomweb_client');
  if (python === undefined) return t.skip('needs dicomweb-client for Python');
  for (const number of [11, 12])
    assert.equal((await house.post('/studies', 'application/dicom', file(number))).status, 200);
  const said = JSON.parse(
    await run(python, ['-c', forms, house.root, authorization, study, series, `${series}.11`]),
  ) as Record<string, unknown>;
  const { chunks, ...rest } = said;
  assert.ok(Number(chunks) >= 2);
  assert.deepEqual(rest, {
    native: [512, 512],
    coded: { 'image/jls': 2, 'image/x-jls': 2, 'image/jp2': 2, 'image/dicom-rle': 2, 'image/jpeg': 2 },
    whole: {
      '1.2.840.10008.1.2.1': '1.2.840.10008.1.2.1',
      '1.2.840.10008.1.2.4.80': '1.2.840.10008.1.2.4.80',
      '1.2.840.10008.1.2.4.90': '1.2.840.10008.1.2.4.90',
      '1.2.840.10008.1.2.5': '1.2.840.10008.1.2.5',
      '*': '1.2.840.10008.1.2.1',
    },
    rle: true,
    png: '89504e47',
    jpeg: 'ffd8',
    rows: [16],
    everything: true,
    pages: true,
    gone: true,
  });
});

test('curl uploads and downloads, goes on where it stopped, and unzip reads the ZIP', async (t) => {
  if (spawnSync('curl', ['--version']).status !== 0) return t.skip('needs curl');
  const { type, body } = multipartOf([file(4), file(5)]);
  writeFileSync(path.join(folder, 'body'), body);
  const login = ['-sS', '--fail', '-H', `Authorization: ${authorization}`];
  const send = [...login, '-H', `Content-Type: ${type}`, '--data-binary', '@body', `${house.root}/studies`];
  assert.match(await run('curl', send), /"00081199"/);
  const url = `${house.root}/studies/${study}/series/${series}/instances/${series}.4`;
  const expected = Buffer.from(file(4));
  writeFileSync(path.join(folder, 'part'), expected.subarray(0, 500));
  await run('curl', [...login, '-H', 'Accept: application/dicom', '-C', '-', '-o', 'part', url]);
  assert.ok(readFileSync(path.join(folder, 'part')).equals(expected));
  const packed = [...login, '--compressed', `${house.root}/studies/${study}/metadata`];
  assert.ok((JSON.parse(await run('curl', packed)) as unknown[]).length >= 2);
  await run('curl', [...login, '-H', 'Accept: application/zip', '-o', 'study.zip', `${house.root}/studies/${study}`]);
  const python = pythonWith('zipfile');
  if (python === undefined) return t.skip('needs python3 to read the ZIP');
  const listing = await run(python, ['-m', 'zipfile', '-t', 'study.zip']);
  assert.match(listing, /Done testing/);
  const read = `import zipfile,sys; sys.stdout.write(zipfile.ZipFile('study.zip').read(sys.argv[1]).hex())`;
  if (spawnSync('sh', ['-c', 'command -v unzip']).status === 0)
    assert.match(await run('unzip', ['-t', 'study.zip']), /No errors detected/);
  const bytes = await run(python, ['-c', read, `${study}/${series}/${series}.4.dcm`]);
  assert.equal(bytes, expected.toString('hex'));
});

test('pydicom reads every file of a study and the JSON of its headers', async (t) => {
  const python = pythonWith('pydicom');
  if (python === undefined) return t.skip('needs pydicom');
  const { type, body } = multipartOf([file(6)]);
  assert.equal((await house.post('/studies', type, body)).status, 200);
  const url = `/studies/${study}/series/${series}/instances/${series}.6`;
  const answer = await house.get(url, { accept: 'application/dicom' });
  writeFileSync(path.join(folder, 'one.dcm'), Buffer.from(await answer.arrayBuffer()));
  writeFileSync(path.join(folder, 'one.json'), await (await house.get(`${url}/metadata`)).text());
  const compare = `
import json, pydicom
file = pydicom.dcmread('one.dcm')
header = pydicom.Dataset.from_json(json.load(open('one.json'))[0])
for element in file:
    if element.tag != 0x7fe00010 and element.tag != 0x00080005:
        assert header[element.tag].value == element.value, element.tag
print('same')
`;
  assert.match(await run(python, ['-c', compare]), /same/);
});
