// Telling apart objects of one UID, held against DCMTK: what it encodes anew without loss is the same, what it encodes with loss is not.
//
// Real files lie in ../shared/data/dicom.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { type ComparedSide, compareInstances, type InstanceDifference } from '../../src/archive/compare-instances.ts';
import { Part10Reader, PixelPool } from '../../src/dicom/index.ts';

const data = path.resolve(import.meta.dirname, '../../../shared/data/dicom');
const has = (program: string): boolean => spawnSync(program, ['--version']).error === undefined;
const skip = !has('dcmcrle') ? 'needs DCMTK' : existsSync(data) ? false : 'no data at ../shared/data/dicom';

const aside = mkdtempSync(path.join(tmpdir(), 'stele-quality-'));
const pool = new PixelPool({ workers: 2 });
after(async () => {
  rmSync(aside, { recursive: true, force: true });
  await pool.close();
});

/** A file's data set; undefined where it has no such form. */
function sideOf(file: string): ComparedSide | undefined {
  const bytes = readFileSync(file);
  const reader = new Part10Reader();
  try {
    reader.push(bytes);
    reader.finish();
  } catch {
    return undefined;
  }
  const from = reader.meta?.dataSetOffset ?? 0;
  const dataSet = bytes.subarray(from);
  async function* read(start: number, end: number): AsyncGenerator<Uint8Array> {
    yield dataSet.subarray(start, end);
  }
  return { syntax: reader.meta?.syntax.uid ?? '', sizeBytes: dataSet.byteLength, read };
}

function compare(one: ComparedSide, other: ComparedSide): Promise<InstanceDifference> {
  return compareInstances(one, other, {
    pool,
    setOf: (dataSet) => dataSet.characterSet(),
    signal: new AbortController().signal,
  });
}

const lossless: readonly (readonly [string, ...string[]])[] = [
  ['dcmconv', '+ti'],
  ['dcmconv', '+tb'],
  ['dcmconv', '+te', '-e'],
  ['dcmconv', '+td'],
  ['dcmcrle'],
  ['dcmcjpls'],
  ['dcmcjpeg', '+e1'],
];

/** By whoever wrote them or by DCMTK, words of 32 bits stand otherwise in big endian; and a file whose VRs are nonsense on purpose. */
const otherWords = /rtdose|badVR/;

/** Differences of the files that a program could encode anew, by name. */
async function encodedAnew(program: string, flags: readonly string[]): Promise<Map<string, InstanceDifference>> {
  const names = globSync('{syntaxes,more-syntaxes,mr-192,ct-58}/**/*.dcm', { cwd: data }).sort();
  const found = new Map<string, InstanceDifference>();
  for (const name of names.filter((each, index) => index % 60 === 0 || !/ct-58|mr-192/.test(each))) {
    const [original, made] = [path.join(data, name), path.join(aside, 'made.dcm')];
    const one = sideOf(original);
    rmSync(made, { force: true });
    if (one === undefined || spawnSync(program, [...flags, original, made]).status !== 0 || !existsSync(made)) continue;
    const other = sideOf(made);
    if (other !== undefined) found.set(name, await compare(one, other));
  }
  return found;
}

for (const [program, ...flags] of lossless)
  test(`what ${program} ${flags.join(' ')} encodes anew without loss is the same`, { skip }, async () => {
    const found = await encodedAnew(program, flags);
    assert.ok(found.size >= 60, `${found.size} files`);
    let undecided = 0;
    for (const [name, { difference, identity, paths }] of found) {
      const says = `${name} ${difference} ${paths.join(' ')}`;
      assert.deepEqual(identity, [], says);
      if (otherWords.test(name)) continue;
      // Colours that are told otherwise, and headers that say too little of their pixels, are not decided; nothing is wrongly called other.
      if (difference === 'undecided') undecided += 1;
      // DCMTK writes a sentence on how it encoded, which is an attribute like any other where the syntax was that one before.
      else if (paths.join(' ') !== '00082111') assert.equal(difference, 'syntax', says);
    }
    assert.ok(undecided <= found.size / 8, `${undecided} of ${found.size} are not decided`);
  });

test('what is encoded with loss shows something else', { skip }, async () => {
  const found = await encodedAnew('dcmcjpeg', ['+ee', '+un']);
  const grey = [...found].filter(([name]) => /ct-58|mr-192/.test(name));
  assert.ok(grey.length > 2);
  for (const [name, { difference }] of grey) assert.equal(difference, 'pixels', name);
});
