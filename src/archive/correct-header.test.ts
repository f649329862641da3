// Corrected headers over real files and made ones: nothing to correct is the identity, a correction touches what it names and nothing else.

import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { elementBytes, explicitLittleEndian, makeInstance } from '../../tests/support/made-instance.ts';
import { SeededRandom } from '../base/index.ts';
import type { StudyAmendments } from '../catalog/index.ts';
import { type DataSet, DataSetReader, Part10Reader, type Tag, tags, transferSyntaxOf } from '../dicom/index.ts';
import type { AmendmentEvent } from '../format/index.ts';
import { correctHeader } from './correct-header.ts';
import { correctedOutput } from './corrected-output.ts';
import { readPlain } from './stored-data-set.ts';

const folder = path.resolve(import.meta.dirname, '../../../shared/data/dicom');

function listFiles(): string[] {
  return globSync('**/*', { cwd: folder })
    .filter((name) => statSync(path.join(folder, name)).isFile() && !/README|LICENSE/.test(name))
    .sort();
}

type Stored = { readonly syntax: string; readonly bytes: Uint8Array };

/** The data set of a file as it would be stored; undefined: it would not be. */
function storedOf(file: Uint8Array): Stored | undefined {
  const reader = new Part10Reader();
  try {
    reader.push(file);
    reader.finish();
  } catch {
    return undefined;
  }
  const syntax = reader.meta?.syntax.uid;
  return syntax === undefined ? undefined : { syntax, bytes: file.subarray(reader.meta?.dataSetOffset ?? 0) };
}

function read({ syntax, bytes }: Stored): DataSet {
  const reader = new DataSetReader({ syntax: transferSyntaxOf(syntax) });
  reader.push(bytes);
  return reader.finish();
}

const study = '1.2.3';
const names = { studyUid: study, seriesUid: '1.2.3.4' };
const nobody = { patientId: '', issuer: '' };

function correction(attributes: Record<string, string>): StudyAmendments {
  const said = { id: '00'.repeat(16), createdMs: 1_700_000_000_000, by: 'x', why: 'y' };
  const event: AmendmentEvent = { ...said, type: 'corrected', study, attributes };
  return { patient: nobody, list: [event] };
}

/** What leaves; undefined: what is stored. */
async function leaves(stored: Stored, amendments: StudyAmendments): Promise<Buffer | undefined> {
  const syntax = transferSyntaxOf(stored.syntax);
  const { bytes } = stored;
  const raw = async function* (from: number, to: number): AsyncGenerator<Uint8Array> {
    for (let at = from; at < Math.min(to, bytes.byteLength); at += 7000)
      yield bytes.subarray(at, Math.min(at + 7000, to, bytes.byteLength));
  };
  const plainBytes = syntax.deflated ? Number.POSITIVE_INFINITY : bytes.byteLength;
  const plain = readPlain(syntax, bytes.byteLength, raw);
  const output = await correctedOutput(syntax, plainBytes, plain, (header) => correctHeader(header, amendments, names));
  if (output === undefined) return undefined;
  const left = Buffer.concat(await Array.fromAsync(output.pieces));
  if (output.sizeBytes !== undefined) assert.equal(left.byteLength, output.sizeBytes, 'the length that was told');
  return left;
}

function without(dataSet: DataSet, some: readonly Tag[]): DataSet {
  const copy = dataSet.copy();
  // A group's length says how long the group is, and that changes with it.
  for (const { tag } of dataSet.elements) if ((tag & 0xffff) === 0 || some.includes(tag)) copy.remove(tag);
  return copy;
}

async function checkCorrected(name: string, stored: Stored): Promise<void> {
  assert.equal(await leaves(stored, { patient: nobody, list: [] }), undefined, `${name}: nothing to correct`);
  const before = read(stored);
  const accession = before.texts(tags.AccessionNumber, before.characterSet()).join('\\');
  assert.equal(await leaves(stored, correction({ AccessionNumber: accession })), undefined, `${name}: nothing new`);
  const left = await leaves(stored, correction({ AccessionNumber: 'NEW-1' }));
  assert.ok(left !== undefined, name);
  const now = read({ ...stored, bytes: left });
  assert.equal(now.string(tags.AccessionNumber), 'NEW-1', name);
  const items = before.items(tags.OriginalAttributesSequence).length;
  assert.equal(now.items(tags.OriginalAttributesSequence).length, items + 1, `${name}: items that were there stay`);
  const changed = [tags.AccessionNumber, tags.OriginalAttributesSequence];
  assert.ok(without(before, changed).equals(without(now, changed)), `${name}: everything else is the same`);
}

test('of every real file nothing but what is corrected changes', { timeout: 120_000 }, async (t) => {
  if (!existsSync(folder)) return t.skip('needs ../shared/data/dicom');
  let count = 0;
  for (const name of listFiles()) {
    const stored = storedOf(readFileSync(path.join(folder, name)));
    // A slice of a series says what its neighbours say.
    if (stored === undefined || (/^(ct-58|mr-192)/.test(name) && !/[05]\.dcm$/.test(name))) continue;
    await checkCorrected(name, stored);
    count += 1;
  }
  assert.ok(count > 100, `${count} files`);
});

test('of made data sets nothing but what is corrected changes, whatever stands around it', async () => {
  const value = fc.oneof(
    fc.uint8Array({ maxLength: 30 }).map((bytes) => ['UN', bytes] as const),
    fc.string({ maxLength: 20 }).map((text) => ['LO', text] as const),
    fc.uint8Array({ maxLength: 9 }).map((bytes) => ['OB', bytes] as const),
  );
  const more = fc.uniqueArray(fc.tuple(fc.integer({ min: 0x0009_1000, max: 0x0009_10ff }), value), {
    selector: ([tag]) => tag,
    maxLength: 8,
  });
  await fc.assert(
    fc.asyncProperty(more, fc.integer(), async (elements, seed) => {
      const pixels = new SeededRandom(seed).bytes(2 * 16 * 16);
      const made = elements.map(([tag, [vr, bytes]]) => [tag, vr, bytes] as const);
      const bytes = makeInstance({ pixels, more: [[0x0009_0010, 'LO', 'OURS'], ...made] });
      await checkCorrected('made', { syntax: explicitLittleEndian, bytes });
    }),
    { numRuns: 60 },
  );
});

test('what a header has of corrections stays before the new one, in the form it has', async () => {
  const item = Buffer.concat([
    Buffer.from([0xfe, 0xff, 0x00, 0xe0, 0xff, 0xff, 0xff, 0xff]),
    elementBytes(0x0400_0563, 'LO', 'ANOTHER'),
    Buffer.from([0xfe, 0xff, 0x0d, 0xe0, 0, 0, 0, 0]),
  ]);
  const made = Buffer.from(makeInstance({ pixels: null }));
  const sequence = Buffer.concat([
    Buffer.from([0x00, 0x04, 0x61, 0x05, 0x53, 0x51, 0, 0, 0xff, 0xff, 0xff, 0xff]),
    item,
  ]);
  const bytes = Buffer.concat([made, sequence, Buffer.from([0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0])]);
  const left = await leaves({ syntax: explicitLittleEndian, bytes }, correction({ StudyID: '9' }));
  assert.ok(left?.includes(item), 'byte for byte');
  const items = read({ syntax: explicitLittleEndian, bytes: left ?? new Uint8Array(0) }).items(
    tags.OriginalAttributesSequence,
  );
  assert.deepEqual(
    items.map((each) => each.string(tags.ModifyingSystem)),
    ['ANOTHER', 'Stele'],
  );
});

test('a long text is read again where it has to be said in another character set', async () => {
  const long = Buffer.from('\xe9'.repeat(70_000), 'latin1');
  const head = Buffer.from([0x08, 0x00, 0x00, 0x70, 0x55, 0x54, 0, 0, 0, 0, 0, 0]);
  head.writeUInt32LE(long.byteLength, 8);
  const made = Buffer.from(makeInstance({ patientName: 'x', description: 'x', pixels: null }));
  made.write('ISO_IR 100', 8, 'latin1');
  const at = made.indexOf(Buffer.from([0x10, 0x00, 0x10, 0x00, 0x50, 0x4e]));
  const bytes = Buffer.concat([made.subarray(0, at), head, long, made.subarray(at)]);
  const left = await leaves({ syntax: explicitLittleEndian, bytes }, correction({ StudyDescription: '头部' }));
  assert.ok(left?.includes(Buffer.from('é'.repeat(70_000))), 'in Unicode');
});
