// Text in every character set of DICOM, written here and read by DCMTK and by pydicom: they must read what we meant.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { concatBytes, SeededRandom } from '../../src/base/index.ts';
import { decodeText, encodeText, parseCharacterSet, type TextKind } from '../../src/dicom/index.ts';
import { DicomBytes, fileHead } from '../support/dicom-bytes.ts';

const tags = { characterSet: 0x0008_0005, institution: 0x0008_0080, name: 0x0010_0010, comments: 0x0010_4000 } as const;

type Texts = { readonly name: string; readonly institution: string; readonly comments: string };
type Case = { readonly terms: readonly string[]; readonly texts: Texts };

/**
 * Characters that tell the sets apart; behind the bar some that hold a byte 0x5C, 0x5E or 0x3D, for texts that are one value, since pydicom splits bytes before
 * it decodes them. No ASCII beside Chinese and Korean in code extensions: DCMTK 3.6.7 loses count of bytes in lines such as the standard's own "2. 第二行".
 */
const alphabets: Readonly<Record<string, string>> = {
  '': 'aZ09 .',
  'ISO_IR 100': 'aZ éüßñÆ°µ',
  'ISO_IR 101': 'aZ łąčřžő',
  'ISO_IR 109': 'aZ ĉĝħŝŭż',
  'ISO_IR 110': 'aZ āēģķļņ',
  'ISO_IR 144': 'aZ ЖдяЁїў',
  'ISO_IR 127': 'aZ قباني',
  'ISO_IR 126': 'aZ Διονυς',
  'ISO_IR 138': 'aZ שרוןדבה',
  'ISO_IR 148': 'aZ ğİışŞö',
  'ISO_IR 166': 'aZ สมชายใจดี',
  'ISO_IR 13': 'aZ ﾔﾏﾀﾞﾛｳ',
  'ISO_IR 192': 'aZ é张ЖקΩ山홍𠀀',
  GB18030: 'aZ 张三曾𬭎㐖é€홍|誠誢乗乛',
  GBK: 'aZ 张三曾張學|誠誢乗乛',
  '\\ISO 2022 IR 58': '张三曾吕啊座',
  '\\ISO 2022 IR 87': 'aZ 山田太郎やまだタ|緯移綾',
  '\\ISO 2022 IR 149': '홍길동洪吉洞김',
  'ISO 2022 IR 13\\ISO 2022 IR 87': 'aZ ﾔﾏﾀ山田やタ|緯移',
  'ISO 2022 IR 100\\ISO 2022 IR 144': 'aZ éüЖд',
  'ISO 2022 IR 100\\ISO 2022 IR 126\\ISO 2022 IR 138': 'aZ éüΔιשר',
};

const random = new SeededRandom(58);

function word(alphabet: string): string {
  const chars = Array.from(alphabet);
  const text = Array.from({ length: 1 + random.below(6) }, () => chars[random.below(chars.length)] ?? '').join('');
  return text.trim() || 'a';
}

const cases: readonly Case[] = Object.entries(alphabets).flatMap(([terms, alphabet]) =>
  Array.from({ length: 12 }, () => {
    const [plain = '', halves = ''] = alphabet.split('|');
    const line = (): string => word(plain + halves);
    return {
      terms: terms.split('\\'),
      texts: {
        name: `${word(plain)}^${word(plain)}=${word(plain)}^${word(plain)}=${word(plain)}`,
        institution: word(plain),
        comments: `${line()}\r\n${line()}`,
      },
    };
  }),
);

function evenBytes(terms: readonly string[], text: string, kind: TextKind): Uint8Array {
  const bytes = encodeText(parseCharacterSet(terms), text, kind);
  assert.ok(bytes !== undefined, `${terms.join('\\')} says ${text}`);
  return bytes.length % 2 === 0 ? bytes : Uint8Array.from([...bytes, 0x20]);
}

function fileOf({ terms, texts }: Case): Uint8Array {
  const body = new DicomBytes()
    .element(tags.characterSet, 'CS', terms.join('\\'))
    .element(0x0008_0016, 'UI', '1.2.840.10008.5.1.4.1.1.7\0')
    .element(0x0008_0018, 'UI', '2.25.1234\0')
    .element(tags.institution, 'LO', evenBytes(terms, texts.institution, 'single'))
    .element(tags.name, 'PN', evenBytes(terms, texts.name, 'name'))
    .element(tags.comments, 'LT', evenBytes(terms, texts.comments, 'text')).bytes;
  return concatBytes([fileHead('1.2.840.10008.1.2.1'), body]);
}

function withFolder(work: (folder: string) => void): void {
  const folder = mkdtempSync(path.join(tmpdir(), 'stele-charsets-'));
  try {
    work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function trimmed(texts: Texts): Texts {
  return { name: texts.name.trimEnd(), institution: texts.institution.trimEnd(), comments: texts.comments.trimEnd() };
}

/** What follows the tag and VR of a short element of a small explicit file. */
function valueOf(file: Uint8Array, tag: number, vr: string): Uint8Array {
  const head = new DicomBytes().tag(tag).raw(Buffer.from(vr)).bytes;
  const at = Buffer.from(file).indexOf(head);
  assert.ok(at > 0, 'the element is there');
  const sizeBytes = (file[at + 6] ?? 0) + (file[at + 7] ?? 0) * 256;
  return file.subarray(at + 8, at + 8 + sizeBytes);
}

function utf8TextsOf(file: Uint8Array): Texts {
  const set = parseCharacterSet(['ISO_IR 192']);
  return trimmed({
    name: decodeText(set, valueOf(file, tags.name, 'PN'), 'name'),
    institution: decodeText(set, valueOf(file, tags.institution, 'LO'), 'single'),
    comments: decodeText(set, valueOf(file, tags.comments, 'LT'), 'text'),
  });
}

test('DCMTK turns what we wrote in any set into the same UTF-8', (t) => {
  const version = spawnSync('dcmconv', ['--version'], { encoding: 'utf8' });
  if (version.status !== 0 || !version.stdout.includes('char-conv')) {
    t.skip('needs dcmtk with character conversion');
    return;
  }
  withFolder((folder) => {
    const unknown = new Set<string>();
    for (const one of cases) {
      const input = path.join(folder, 'in.dcm');
      const output = path.join(folder, 'out.dcm');
      writeFileSync(input, fileOf(one));
      const run = spawnSync('dcmconv', ['-q', '+U8', input, output], { encoding: 'utf8' });
      // Debian builds it with the iconv of glibc, which knows no JIS sets by themselves.
      if (run.stderr.includes('Cannot open character encoding')) {
        unknown.add(one.terms.join('\\'));
        continue;
      }
      assert.equal(run.status, 0, `${one.terms.join('\\')} ${JSON.stringify(one.texts)}: ${run.stderr}`);
      assert.deepEqual(utf8TextsOf(readFileSync(output)), trimmed(one.texts), one.terms.join('\\'));
    }
    assert.ok([...unknown].every((terms) => terms.includes('IR 87')));
    if (unknown.size > 0) t.diagnostic(`unknown to this dcmconv: ${[...unknown].join(', ')}`);
  });
});

/** Debian's own Python, which is where its packages are. */
function pythonWithPydicom(): string | undefined {
  return ['/usr/bin/python3', 'python3'].find(
    (python) => spawnSync(python, ['-c', 'import pydicom'], { stdio: 'ignore' }).status === 0,
  );
}

const reader = `
import json, sys, pydicom
for name in sys.argv[1:]:
    data = pydicom.dcmread(name)
    print(json.dumps({"name": str(data.PatientName), "institution": data.InstitutionName, "comments": data.PatientComments}))
`;

test('pydicom reads what we wrote in any set', (t) => {
  const python = pythonWithPydicom();
  if (python === undefined) {
    t.skip('needs python3-pydicom');
    return;
  }
  withFolder((folder) => {
    const files = cases.map((one, at) => {
      const file = path.join(folder, `${at}.dcm`);
      writeFileSync(file, fileOf(one));
      return file;
    });
    const run = spawnSync(python, ['-W', 'ignore', '-c', reader, ...files], { encoding: 'utf8' });
    assert.equal(run.status, 0, run.stderr);
    const lines = run.stdout.trim().split('\n');
    assert.equal(lines.length, cases.length);
    for (const [at, line] of lines.entries()) {
      const one = cases[at];
      assert.ok(one !== undefined);
      // Version 2.3 leaves the escape sequence of GB 2312 in the text.
      assert.deepEqual(
        trimmed(JSON.parse(line.replaceAll('\\u001b$)A', '')) as Texts),
        trimmed(one.texts),
        one.terms.join('\\'),
      );
    }
  });
});
