// Real files: every one that can be read is written back byte for byte, and reads the same in any pieces.

import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { concatBytes } from '../../base/index.ts';
import type { DataSet } from './data-set.ts';
import { DicomError } from './dicom-error.ts';
import type { BulkReference } from './element.ts';
import { Part10Reader } from './part10-reader.ts';
import { isGroupLength } from './tag.ts';
import { planDataSet } from './writer.ts';

const folder = path.resolve(import.meta.dirname, '../../../../shared/data/dicom');

/** Cut short, or begun in the middle: no reader can make a data set of them. */
const unreadable: Record<string, string> = {
  'dicomdir/DICOMDIR-nooffset': 'length',
  'more-syntaxes/emri_small_jpeg_2k_lossless_too_short.dcm': 'truncated',
  'syntaxes/MR_truncated.dcm': 'truncated',
  'syntaxes/rtplan_truncated.dcm': 'truncated',
  'syntaxes/no_meta.dcm': 'foreign',
};
/** Not as their syntax says: what is written is as it should be. */
const mended = ['syntaxes/SC_rgb_jpeg.dcm'];

function listFiles(): string[] {
  return globSync('**/*', { cwd: folder })
    .filter((name) => statSync(path.join(folder, name)).isFile() && !/README|LICENSE/.test(name))
    .sort();
}

function readFile(bytes: Uint8Array, pieceBytes = bytes.length): Part10Reader {
  const reader = new Part10Reader({ bulkBytesMin: 4096 });
  for (let at = 0; at < bytes.length; at += pieceBytes) reader.push(bytes.subarray(at, at + pieceBytes));
  reader.finish();
  return reader;
}

/** Zeros in place of all group lengths, which writing puts right. */
function withoutGroupLengths(dataSet: DataSet): DataSet {
  for (const element of dataSet.elements) if (isGroupLength(element.tag)) dataSet.setNumber(element.tag, 0, 'UL');
  return dataSet;
}

test('every real file is read, or refused for its own fault, and written back byte for byte', (t) => {
  if (!existsSync(folder)) return t.skip(`needs the files of ${path.basename(folder)}`);
  let groupLengthsMended = 0;
  for (const name of listFiles()) {
    const bytes = new Uint8Array(readFileSync(path.join(folder, name)));
    const fault = unreadable[name];
    if (fault !== undefined) {
      assert.throws(
        () => readFile(bytes),
        (error) => error instanceof DicomError && error.fault === fault,
        name,
      );
      continue;
    }
    const reader = readFile(bytes);
    const { meta, dataSet } = reader;
    assert.ok(meta !== undefined);
    const inPieces = readFile(bytes, 1000);
    assert.ok(inPieces.dataSet.equals(dataSet), name);
    assert.deepEqual(inPieces.oddities, reader.oddities);
    if (meta.syntax.deflated || mended.includes(name)) continue;
    const valueOf = ({ offset, sizeBytes }: BulkReference): Uint8Array => bytes.subarray(offset, offset + sizeBytes);
    const { segments, sizeBytes } = planDataSet(dataSet, meta.syntax);
    const written = concatBytes(segments.map((part) => (part instanceof Uint8Array ? part : valueOf(part.reference))));
    assert.equal(written.length, sizeBytes);
    if (Buffer.compare(written, bytes.subarray(meta.dataSetOffset)) === 0) continue;
    const again = readFile(concatBytes([bytes.subarray(0, meta.dataSetOffset), written]));
    assert.ok(withoutGroupLengths(again.dataSet).equals(withoutGroupLengths(dataSet)), name);
    groupLengthsMended += 1;
  }
  assert.ok(groupLengthsMended <= 6, `${groupLengthsMended} files with wrong group lengths`);
});
