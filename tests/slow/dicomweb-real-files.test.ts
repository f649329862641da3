// Real files through DICOMweb: what leaves in another transfer syntax is judged by dciodvfy and decoded by DCMTK, and pixels are compared with the source.

import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { type DataSet, Part10Reader, type TransferSyntax } from '../../src/dicom/index.ts';
import { openWebHouse, type WebHouse } from '../support/dicomweb-rig.ts';

const real = path.resolve(import.meta.dirname, '..', '..', '..', 'shared', 'data', 'dicom');
const hasTool = (name: string): boolean => spawnSync('sh', ['-c', `command -v ${name}`]).status === 0;
const needsData = existsSync(real) ? false : 'needs ../shared/data/dicom';
const needsDciodvfy = needsData === false && !hasTool('dciodvfy') ? 'needs dciodvfy of dicom3tools' : needsData;
const needsDcmtk = needsData === false && !hasTool('dcmdjpls') ? 'needs DCMTK' : needsData;

type File = {
  readonly name: string;
  readonly path: string;
  readonly instance: string;
  readonly syntax: TransferSyntax;
  readonly hasPixels: boolean;
};

let house: WebHouse;
let folder: string;
const files: File[] = [];

before(async () => {
  if (needsData !== false) return;
  house = await openWebHouse();
  folder = mkdtempSync(path.join(tmpdir(), 'stele-web-real-'));
  const seen = new Set<string>();
  for (const name of ['syntaxes', 'more-syntaxes'].flatMap((each) =>
    readdirSync(path.join(real, each)).map((file) => path.join(each, file)),
  )) {
    const bytes = readFileSync(path.join(real, name));
    const read = readWhole(bytes);
    if (read === undefined || seen.has(read.instance)) continue;
    const answer = await house.post('/studies', 'application/dicom', bytes);
    if (answer.status !== 200) continue;
    seen.add(read.instance);
    files.push({ ...read, name, path: path.join(real, name) });
  }
});
after(async () => {
  if (needsData !== false) return;
  await house.close();
  rmSync(folder, { recursive: true, force: true });
});

function readWhole(bytes: Uint8Array): Pick<File, 'instance' | 'syntax' | 'hasPixels'> | undefined {
  const reader = new Part10Reader();
  try {
    reader.push(bytes);
    const instance = reader.finish().string(0x0008_0018);
    const syntax = reader.meta?.syntax;
    if (instance === undefined || syntax === undefined) return undefined;
    return { instance, syntax, hasPixels: reader.pixels !== undefined };
  } catch {
    return undefined;
  }
}

async function instancePath(instance: string): Promise<string> {
  const found = (await (await house.get(`/instances?SOPInstanceUID=${instance}`)).json()) as {
    readonly [tag: string]: { readonly Value?: readonly string[] };
  }[];
  return (found[0]?.['00081190']?.Value?.[0] ?? assert.fail('it was stored')).replace(house.root, '');
}

/** The instance as a file; undefined where it cannot be given so. */
async function fetched(file: File, syntax: string): Promise<string | undefined> {
  const accept = `application/dicom; transfer-syntax=${syntax}`;
  const response = await house.get(await instancePath(file.instance), { accept });
  const bytes = Buffer.from(await response.arrayBuffer());
  if (response.status === 406) return undefined;
  assert.equal(response.status, 200, `${file.name} ${syntax}`);
  const out = path.join(folder, `${path.basename(file.name)}-${syntax}`);
  writeFileSync(out, bytes);
  return out;
}

function run(tool: string, args: readonly string[]): Promise<{ readonly code: number; readonly output: string }> {
  return new Promise((resolve) => {
    execFile(tool, [...args], { maxBuffer: 64 * 1024 * 1024, encoding: 'latin1' }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), output: stdout + stderr });
    });
  });
}

/** What it says of its own reading: without Pixel Representation it gives up in implicit syntaxes, and of some numbers it prints bytes that are in no file. */
const ownLimits =
  /can't set VR for element|read failed|Number of Frames {2}IS \[1\]|Module=<MultiFrameFunctionalGroupsForParametricMap>/;

async function complaintsOf(file: string): Promise<ReadonlySet<string>> {
  const { output } = await run('dciodvfy', [file]);
  return new Set(output.split('\n').filter((line) => line.startsWith('Error') && !ownLimits.test(line)));
}

const explicit = '1.2.840.10008.1.2.1';
const compressed = [
  '1.2.840.10008.1.2.4.70',
  '1.2.840.10008.1.2.4.80',
  '1.2.840.10008.1.2.4.90',
  '1.2.840.10008.1.2.5',
];

test('dciodvfy finds nothing in what leaves that it did not find in what came', { skip: needsDciodvfy }, async () => {
  let judged = 0;
  // It cannot read what is deflated.
  for (const file of files.filter(({ syntax }) => !syntax.deflated)) {
    const complaints = await complaintsOf(file.path);
    for (const syntax of [explicit, '1.2.840.10008.1.2', ...compressed]) {
      const out = await fetched(file, syntax);
      if (out === undefined) continue;
      const fresh = [...(await complaintsOf(out))].filter((line) => !complaints.has(line));
      assert.deepEqual(fresh, [], `${file.name} in ${syntax}`);
      rmSync(out);
      judged += 1;
    }
  }
  assert.ok(judged > 50, `${judged} files`);
});

const decoders: Readonly<Record<string, string>> = {
  '1.2.840.10008.1.2.4.70': 'dcmdjpeg',
  '1.2.840.10008.1.2.4.80': 'dcmdjpls',
  '1.2.840.10008.1.2.5': 'dcmdrle',
};

/** Colours that stand in planes, pixel after pixel. */
function sideBySide(pixels: Buffer, header: DataSet): Buffer {
  const bytes = (header.number(0x0028_0100) ?? 8) / 8;
  const count = (header.number(0x0028_0010) ?? 0) * (header.number(0x0028_0011) ?? 0);
  const out = Buffer.alloc(pixels.byteLength);
  for (let at = 0; at < pixels.byteLength; at += bytes) {
    const [frame, within] = [Math.floor(at / bytes / count / 3), (at / bytes) % (count * 3)];
    const to = (frame * count * 3 + (within % count) * 3 + Math.floor(within / count)) * bytes;
    pixels.copy(out, to, at, at + bytes);
  }
  return out;
}

/** Native pixels, words without the bits above those that are stored: what is in them is everyone's own. */
function pixelsOf(file: string): Buffer {
  const bytes = readFileSync(file);
  const reader = new Part10Reader();
  reader.push(bytes);
  const header = reader.finish();
  const { valueOffset = 0, sizeBytes = 0 } = reader.pixels ?? {};
  const whole = bytes.subarray(valueOffset, valueOffset + sizeBytes);
  const pixels = header.number(0x0028_0006) === 1 ? sideBySide(whole, header) : Buffer.from(whole);
  if (header.number(0x0028_0100) !== 16) return pixels;
  const mask = 2 ** (header.number(0x0028_0101) ?? 16) - 1;
  for (let at = 0; at + 1 < pixels.byteLength; at += 2) pixels.writeUInt16LE(pixels.readUInt16LE(at) & mask, at);
  return pixels;
}

test('DCMTK decodes what leaves compressed to the very pixels that leave plain', { skip: needsDcmtk }, async () => {
  let compared = 0;
  for (const file of files.filter(({ hasPixels }) => hasPixels)) {
    const plain = await fetched(file, explicit);
    if (plain === undefined) continue;
    for (const [syntax, tool] of Object.entries(decoders)) {
      if (file.syntax.uid === syntax) continue;
      const out = await fetched(file, syntax);
      if (out === undefined) continue;
      const decoded = `${out}.decoded`;
      const { code, output } = await run(tool, tool === 'dcmdjpeg' ? ['+cn', out, decoded] : [out, decoded]);
      // DCMTK has limits of its own, such as depths and palettes.
      if (code !== 0) {
        assert.match(
          output,
          /[Uu]nsupported|[Nn]ot supported|not implemented|cannot|invalid/i,
          `${file.name} ${syntax}: ${output}`,
        );
        continue;
      }
      assert.ok(pixelsOf(decoded).equals(pixelsOf(plain)), `${file.name} in ${syntax}`);
      rmSync(out);
      rmSync(decoded);
      compared += 1;
    }
  }
  assert.ok(compared > 30, `${compared} files`);
});

test('every file is found, told, shown or refused, and nothing ends in a fault', { skip: needsData }, async () => {
  let shown = 0;
  for (const file of files) {
    const where = await instancePath(file.instance);
    const [header] = (await (await house.get(`${where}/metadata`)).json()) as Record<
      string,
      { BulkDataURI?: string }
    >[];
    assert.ok(header !== undefined, file.name);
    for (const { BulkDataURI: uri } of Object.values(header)) {
      if (uri === undefined) continue;
      const value = await house.get(uri.replace(house.root, ''));
      assert.equal(value.status, 200, `${file.name} ${uri}`);
      await value.arrayBuffer();
    }
    const picture = await house.get(`${where}/rendered`);
    await picture.arrayBuffer();
    assert.ok([200, 404, 406].includes(picture.status), `${file.name} ${picture.status}`);
    if (picture.status === 200) shown += 1;
  }
  assert.ok(shown > 30, `${shown} of ${files.length}`);
  assert.deepEqual(house.faults, []);
});
