// Reading headers and writing DICOM JSON: processor time a data set, on invented CT headers and on real ones where they lie beside the project.
//
//   node bench/dicom-parse.bench.ts [--json FILE] [--quick]
//
// Each figure is the median over rounds in which the cases take turns, in microseconds of processor time, garbage collection included. A peer that does the
// same work is not installed with Node; the question is only how much of a core an archive spends on it.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import {
  DataSet,
  DataSetReader,
  deflatedLittle,
  encodeDataSet,
  encodeFileMeta,
  explicitBig,
  explicitLittle,
  implicitLittle,
  JsonWriter,
  Part10Reader,
  parseCharacterSet,
  planDataSet,
  type TransferSyntax,
  tags,
  type Uid,
} from '../src/dicom/index.ts';
import { type BenchRow, median, report } from './support/report.ts';

const argv = process.argv.slice(2);
const quick = argv.includes('--quick');
const rounds = quick ? 5 : 15;
const perRound = quick ? 300 : 2000;
const folder = join(import.meta.dirname, '../../shared/data/dicom');

/** What a CT slice carries: 150 elements, some of them in sequences, names in Chinese, private ones of a maker. */
function inventedHeader(): DataSet {
  const utf8 = parseCharacterSet(['ISO_IR 192']);
  const dataSet = new DataSet();
  dataSet.setString(tags.SpecificCharacterSet, 'ISO_IR 192');
  dataSet.setString(tags.ImageType, ['ORIGINAL', 'PRIMARY', 'AXIAL']);
  dataSet.setString(tags.SOPClassUID, '1.2.840.10008.5.1.4.1.1.2');
  dataSet.setString(tags.SOPInstanceUID, '2.25.178934509823475092834750928374509283');
  dataSet.setString(tags.StudyDate, '20240115');
  dataSet.setString(tags.StudyTime, '103000.123456');
  dataSet.setString(tags.Modality, 'CT');
  dataSet.setString(tags.Manufacturer, 'ACME');
  dataSet.setText(tags.StudyDescription, '头部 CT 平扫', utf8);
  dataSet.setText(tags.PatientName, 'Wang^XiaoDong=王^小东', utf8);
  dataSet.setString(tags.PatientID, 'P-000123');
  dataSet.setString(tags.StudyInstanceUID, '2.25.178934509823475092834750928374509284');
  dataSet.setString(tags.SeriesInstanceUID, '2.25.178934509823475092834750928374509285');
  dataSet.setNumber(tags.InstanceNumber, 57);
  dataSet.setNumber(tags.ImagePositionPatient, [-249.51171875, -427.51171875, 1150.75]);
  dataSet.setNumber(tags.ImageOrientationPatient, [1, 0, 0, 0, 1, 0]);
  dataSet.setNumber(tags.PixelSpacing, [0.9765625, 0.9765625]);
  for (const tag of [tags.Rows, tags.Columns]) dataSet.setNumber(tag, 512);
  for (const tag of [tags.BitsAllocated, tags.BitsStored]) dataSet.setNumber(tag, 16);
  for (let k = 0; k < 5; k++) {
    const item = new DataSet();
    item.setString(tags.ReferencedSOPClassUID, '1.2.840.10008.5.1.4.1.1.2');
    item.setString(tags.ReferencedSOPInstanceUID, `2.25.17893450982347509283475092837450${k}`);
    dataSet.setItems(tags.ReferencedStudySequence + k * 5, [item]);
  }
  dataSet.setString(0x0009_0010, 'ACME 1.0', 'LO');
  for (let k = 0; k < 60; k++) dataSet.setString(0x0009_1000 + k, `value ${k}`, 'LO');
  dataSet.setString(0x0019_0010, 'ACME 2.0', 'LO');
  for (let k = 0; k < 48; k++) dataSet.setNumber(0x0019_1000 + k, k * 1.25, 'DS');
  return dataSet;
}

type Case = { readonly name: string; readonly asked?: number; readonly run: () => void; readonly sizeBytes: number };

function parseCase(name: string, bytes: Uint8Array, syntax: TransferSyntax, asked?: number): Case {
  const run = (): void => {
    const reader = new DataSetReader({ syntax, stopAt: 'pixels' });
    reader.push(bytes);
    if (!reader.headerDone) reader.finish();
  };
  return { name: `parse, ${name}`, run, sizeBytes: bytes.length, ...(asked === undefined ? {} : { asked }) };
}

function jsonCase(name: string, dataSet: DataSet, asked: number): Case {
  const writer = new JsonWriter({ bulkUri: (path) => `bulk/${path.join('/')}` });
  let sizeBytes = 0;
  const run = (): void => {
    writer.write(dataSet);
    sizeBytes = writer.take().length;
  };
  run();
  return { name: `JSON, ${name}`, run, sizeBytes, asked };
}

const invented = inventedHeader();
const inPixels = invented.copy();
inPixels.setBytes(tags.PixelData, 'OW', new Uint8Array(524_288));
const explicit = encodeDataSet(inPixels, explicitLittle);
const file = Buffer.concat([
  encodeFileMeta({
    sopClassUid: '1.2.840.10008.5.1.4.1.1.2' as Uid,
    sopInstanceUid: '2.25.1' as Uid,
    syntaxUid: explicitLittle.uid,
  }),
  explicit,
]);
const cases: Case[] = [
  parseCase('invented CT, explicit', explicit, explicitLittle, 100),
  parseCase('invented CT, implicit', encodeDataSet(inPixels, implicitLittle), implicitLittle, 100),
  parseCase('invented CT, big endian', encodeDataSet(inPixels, explicitBig), explicitBig, 100),
  parseCase(
    'invented CT, deflated, without pixels',
    deflateRawSync(encodeDataSet(invented, explicitLittle)),
    deflatedLittle,
  ),
  {
    name: 'parse to the end, in pieces of 16 KB',
    sizeBytes: explicit.length,
    run: () => {
      const reader = new DataSetReader({ syntax: explicitLittle });
      for (let at = 0; at < explicit.length; at += 16_384) reader.push(explicit.subarray(at, at + 16_384));
      reader.finish();
    },
  },
  {
    name: 'parse a file to its pixels',
    sizeBytes: file.length,
    run: () => new Part10Reader({ stopAt: 'pixels' }).push(file),
  },
  jsonCase('invented CT', invented, 150),
  {
    name: 'write, invented CT, explicit',
    sizeBytes: encodeDataSet(invented, explicitLittle).length,
    run: () => planDataSet(invented, explicitLittle),
  },
];
for (const name of ['ct-58/I10', 'mr-192/0001-1.3.12.2.1107.5.2.19.45152.2013030808110258929186035.dcm']) {
  if (!existsSync(join(folder, name))) continue;
  const reader = new Part10Reader();
  const bytes = new Uint8Array(readFileSync(join(folder, name)));
  reader.push(bytes);
  const { syntax, dataSetOffset } = reader.meta ?? { syntax: explicitLittle, dataSetOffset: 0 };
  const short = name.slice(0, name.indexOf('/'));
  cases.push(parseCase(`${short}`, bytes.subarray(dataSetOffset), syntax, 100), jsonCase(short, reader.dataSet, 150));
}

const micros = new Map<string, number[]>(cases.map(({ name }) => [name, []]));
for (const { run } of cases) for (let k = 0; k < perRound; k++) run();
for (let round = 0; round < rounds; round++) {
  for (const { name, run } of cases) {
    const started = process.cpuUsage();
    for (let k = 0; k < perRound; k++) run();
    const { user, system } = process.cpuUsage(started);
    micros.get(name)?.push((user + system) / perRound);
  }
}
const rows = cases.map(
  ({ name, asked, sizeBytes }): BenchRow => ({
    bench: 'dicom-parse',
    case: name,
    figure: median(micros.get(name) ?? []),
    unit: 'us',
    note: `${sizeBytes.toLocaleString('en-US')} bytes`,
    ...(asked === undefined ? {} : { asked, better: 'less' }),
  }),
);
report(rows, argv);
