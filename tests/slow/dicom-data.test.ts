// Data sets against DCMTK, on every real file: it reads what we read, and what we write in other transfer syntaxes says the same to it.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { concatBytes } from '../../src/base/index.ts';
import {
  type BulkReference,
  type DataSet,
  encodeFileMeta,
  jsonOfDataSet,
  Part10Reader,
  streamDataSet,
  type TransferSyntax,
  tags,
  transferSyntaxOf,
  type Uid,
} from '../../src/dicom/index.ts';

const folder = path.resolve(import.meta.dirname, '../../../shared/data/dicom');
const implicit = transferSyntaxOf('1.2.840.10008.1.2');
const explicit = transferSyntaxOf('1.2.840.10008.1.2.1');
const big = transferSyntaxOf('1.2.840.10008.1.2.2');
const deflated = transferSyntaxOf('1.2.840.10008.1.2.1.99');

type Json = { [tag: string]: { vr: string; Value?: unknown[]; InlineBinary?: string } };
type File = { readonly name: string; readonly bytes: Uint8Array; readonly reader: Part10Reader };

/** What is missing for these tests, or undefined. */
function lacking(): string | undefined {
  if (spawnSync('dcm2json', ['--version']).error !== undefined) return 'needs dcmtk';
  return existsSync(folder) ? undefined : 'needs the real files beside the project';
}

/** Each readable file; of long series every tenth. */
function* files(): Generator<File> {
  const names = globSync('**/*', { cwd: folder }).filter((name) => statSync(path.join(folder, name)).isFile());
  const sorted = names.filter((name) => !/README|LICENSE/.test(name)).sort();
  for (const [index, name] of sorted.entries()) {
    if (/^(ct-58|mr-192)/.test(name) && index % 10 !== 0) continue;
    // DCMTK reads an item that says another character set with the one of the file.
    if (name === 'charsets/chrSQEncoding.dcm') continue;
    const bytes = new Uint8Array(readFileSync(path.join(folder, name)));
    const reader = new Part10Reader({ bulkBytesMin: Number.POSITIVE_INFINITY });
    try {
      reader.push(bytes);
      reader.finish();
    } catch {
      continue;
    }
    // DCMTK leaves a sequence in UN of defined length as bytes.
    if (reader.oddities.some(({ kind }) => kind === 'sequence-in-unknown')) continue;
    yield { name, bytes, reader };
  }
}

/** What DCMTK makes of a file; undefined when it cannot put it into JSON. Its private dictionary stays out, since we have none. */
function dcm2json(file: string): Json | undefined {
  const dictionary = globSync('/usr/share/libdcmtk*/dicom.dic')[0];
  const env = dictionary === undefined ? process.env : { ...process.env, DCMDICTPATH: dictionary };
  const run = spawnSync('dcm2json', ['-q', '-ee', '-fc', file], { env, maxBuffer: 1 << 30 });
  return run.status === 0 ? (JSON.parse(run.stdout.toString()) as Json) : undefined;
}

function jsonOf(dataSet: DataSet): Json {
  return JSON.parse(Buffer.from(jsonOfDataSet(dataSet, { inlineBytesMax: 1 << 30 })).toString()) as Json;
}

/** Both sides in a form in which only real differences are left. */
function normal(json: Json, depth = 0): unknown {
  return Object.entries(json).map(([tag, { vr, Value = [], InlineBinary = '' }]) => {
    // DCMTK leaves the character set of items as it was, and gives OW to pixels of one byte in implicit syntaxes. US of lookup tables is lost there.
    if (tag === '00080005' && depth > 0) return tag;
    if (tag.startsWith('7FE000') || tag === '00283006') return tag;
    if (vr === 'SQ') return [tag, vr, Value.map((item) => normal(item as Json, depth + 1))];
    // DCMTK takes US where an implicit syntax leaves US or SS open; we follow Pixel Representation.
    if (vr === 'SS' || vr === 'US') return [tag, Value.map((value) => Number(value) & 0xffff)];
    const isNumber = /^(DS|IS|FL|FD)$/.test(vr);
    const values = Value.map((value) => (isNumber && value !== null ? roundedNumber(value) : named(value)));
    const list = values.length === 1 && values[0] === '{}' ? [] : values;
    // DCMTK pads odd values.
    return [tag, vr, list, Buffer.from(InlineBinary, 'base64').toString('hex').replace(/(00)$/, '')];
  });
}

function roundedNumber(value: unknown): string {
  const number = Number(value);
  return Number.isNaN(number) ? String(value) : number.toPrecision(6);
}

/** DCMTK drops empty components at the end of a name. */
function named(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const groups = Object.entries(value).map(([name, text]) => [name, String(text).replace(/\^+$/, '')]);
  return JSON.stringify(Object.fromEntries(groups.filter(([, text]) => text !== '')));
}

async function write(file: string, { bytes, reader }: File, syntax: TransferSyntax): Promise<void> {
  const { dataSet } = reader;
  const head = encodeFileMeta({
    sopClassUid: dataSet.uid(tags.SOPClassUID) ?? ('1.2.3' as Uid),
    sopInstanceUid: dataSet.uid(tags.SOPInstanceUID) ?? ('1.2.3' as Uid),
    syntaxUid: syntax.uid,
  });
  const readBulk = ({ offset, sizeBytes }: BulkReference): Uint8Array[] => [bytes.subarray(offset, offset + sizeBytes)];
  const body = await Array.fromAsync(streamDataSet(dataSet, syntax, readBulk));
  writeFileSync(file, concatBytes([head, ...body]));
}

test('DCMTK reads from every real file what we read', (t) => {
  const reason = lacking();
  if (reason !== undefined) return t.skip(reason);
  let compared = 0;
  for (const { name, reader } of files()) {
    const theirs = dcm2json(path.join(folder, name));
    if (theirs === undefined) continue;
    assert.deepEqual(normal(jsonOf(reader.dataSet)), normal(theirs), name);
    compared += 1;
  }
  assert.ok(compared >= 100, `${compared} files`);
});

test('DCMTK reads the same from what we write in every plain syntax, pixels included', async (t) => {
  const reason = lacking();
  if (reason !== undefined) return t.skip(reason);
  const scratch = mkdtempSync(path.join(tmpdir(), 'stele-dicom-'));
  t.after(() => rmSync(scratch, { recursive: true }));
  let compared = 0;
  for (const file of files()) {
    const { meta, dataSet } = file.reader;
    if (meta === undefined || file.bytes.length > 2_000_000 || /^(dicomdir|ct-58.DIRFILE)/.test(file.name)) continue;
    // Of encapsulated pixels DCMTK makes no JSON: their headers are compared without them.
    if (meta.syntax.encapsulated) dataSet.remove(tags.PixelData);
    const written: Json[] = [];
    for (const syntax of [explicit, implicit, big, deflated]) {
      if (meta.syntax.deflated) continue;
      const out = path.join(scratch, 'out.dcm');
      await write(out, file, syntax);
      const theirs = dcm2json(out);
      // What we copied as it is, DCMTK may still refuse for its content; then it refuses it in every syntax.
      if (theirs === undefined) continue;
      written.push(theirs);
      const known = syntax === implicit ? withoutPrivate(theirs) : theirs;
      const ours = syntax === implicit ? withoutPrivate(jsonOf(dataSet)) : jsonOf(dataSet);
      assert.deepEqual(normal(known), normal(ours), `${file.name} in ${syntax.name}`);
      const there = dcmtkPixels(theirs);
      if (there !== undefined)
        assert.equal(there, dcmtkPixels(written[0] ?? {}), `pixels of ${file.name} in ${syntax.name}`);
      compared += 1;
    }
  }
  assert.ok(compared >= 300, `${compared} files`);
});

test('what DCMTK writes in other syntaxes is what we write, to our reader', async (t) => {
  const reason = lacking();
  if (reason !== undefined) return t.skip(reason);
  const scratch = mkdtempSync(path.join(tmpdir(), 'stele-dicom-'));
  t.after(() => rmSync(scratch, { recursive: true }));
  const targets = [
    [explicit, '+te'],
    [implicit, '+ti'],
    [big, '+tb'],
    [deflated, '+td'],
  ] as const;
  let compared = 0;
  for (const file of files()) {
    const { meta } = file.reader;
    if (meta === undefined || meta.syntax.encapsulated || file.bytes.length > 1_000_000) continue;
    if (/^(dicomdir|ct-58.DIRFILE)/.test(file.name)) continue;
    for (const [syntax, flag] of targets) {
      const out = path.join(scratch, 'dcmtk.dcm');
      for (const lengths of ['+e', '-e']) {
        if (spawnSync('dcmconv', ['-q', flag, lengths, path.join(folder, file.name), out]).status !== 0) continue;
        const theirs = new Part10Reader({ bulkBytesMin: Number.POSITIVE_INFINITY });
        theirs.push(new Uint8Array(readFileSync(out)));
        assert.deepEqual(
          normal(withoutPrivate(jsonOf(theirs.finish()))),
          normal(withoutPrivate(jsonOf(file.reader.dataSet))),
          `${file.name} in ${syntax.name}`,
        );
        assert.deepEqual(theirs.oddities, [], file.name);
        compared += 1;
      }
    }
  }
  assert.ok(compared >= 300, `${compared} files`);
});

function dcmtkPixels(json: Json): string | undefined {
  return json['7FE00010']?.InlineBinary;
}

/** An implicit syntax loses the VRs of private elements. */
function withoutPrivate(json: Json): Json {
  const kept = Object.entries(json).filter(([tag]) => Number.parseInt(tag.slice(0, 4), 16) % 2 === 0);
  return Object.fromEntries(
    kept.map(([tag, attribute]) => {
      if (attribute.vr !== 'SQ') return [tag, attribute];
      return [tag, { vr: 'SQ', Value: (attribute.Value ?? []).map((item) => withoutPrivate(item as Json)) }];
    }),
  );
}
