import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeText, encodeText, findDefects, parseCharacterSet } from './character-set.ts';
import type { TextKind } from './text-kind.ts';
import type { TextDefect } from './unit-buffer.ts';

/** Bytes written down as the characters of Latin-1. */
function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'latin1'));
}

function check(terms: string, bytes: string, expected: string, kind: TextKind = 'name'): void {
  assert.equal(decodeText(parseCharacterSet(terms.split('\\')), bytesOf(bytes), kind), expected);
}

/** Reads as expected without a defect, and is written just so. */
function checkBoth(terms: string, bytes: string, text: string, kind: TextKind = 'name'): void {
  const set = parseCharacterSet(terms.split('\\'));
  check(terms, bytes, text, kind);
  assert.deepEqual(findDefects(set, bytesOf(bytes), kind), []);
  const written = encodeText(set, text, kind);
  assert.equal(Buffer.from(written ?? []).toString('latin1'), bytes);
}

test('the names of the standard read and write as they stand there', () => {
  checkBoth('ISO_IR 100', '\xc4neas^R\xfcdiger', 'Äneas^Rüdiger');
  checkBoth('ISO_IR 100', 'Buc^J\xe9r\xf4me', 'Buc^Jérôme');
  checkBoth('ISO_IR 126', '\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2', 'Διονυσιος');
  checkBoth('ISO_IR 127', '\xe2\xc8\xc7\xe6\xea^\xe4\xe6\xd2\xc7\xd1', 'قباني^لنزار');
  checkBoth('ISO_IR 138', '\xf9\xf8\xe5\xef^\xe3\xe1\xe5\xf8\xe4', 'שרון^דבורה');
  checkBoth('ISO_IR 144', '\xbb\xee\xda\x63\x65\xdc\xd1\x79\x70\xd3', 'Люкceмбypг');
  checkBoth('ISO_IR 166', '\xca\xc1\xaa\xd2\xc2^\xe3\xa8\xb4\xd5', 'สมชาย^ใจดี');
  checkBoth('ISO_IR 148', '\xc7avu\xfeo\xf0lu^\xdd\xfeil', 'Çavuşoğlu^İşil');
  checkBoth('ISO_IR 203', 'B\xbduf^\xa4', 'Bœuf^€');
  checkBoth('ISO_IR 192', Buffer.from('Wang^XiaoDong=王^小東').toString('latin1'), 'Wang^XiaoDong=王^小東');
  checkBoth('GB18030', 'Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab', 'Wang^XiaoDong=王^小东');
  checkBoth('GBK', 'Wang^XiaoDong=\xcd\xf5^\xd0\xa1\x96\x7c', 'Wang^XiaoDong=王^小東');
  checkBoth(
    '\\ISO 2022 IR 87',
    'Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B',
    'Yamada^Tarou=山田^太郎=やまだ^たろう',
  );
  checkBoth(
    'ISO 2022 IR 13\\ISO 2022 IR 87',
    '\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J',
    'ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう',
  );
  checkBoth(
    '\\ISO 2022 IR 149',
    'Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf',
    'Hong^Gildong=洪^吉洞=홍^길동',
  );
  checkBoth('\\ISO 2022 IR 58', 'Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=', 'Zhang^XiaoDong=张^小东=');
  checkBoth(
    '\\ISO 2022 IR 58',
    '1. \x1b$)A\xb5\xda\xd2\xbb\xd0\xd0\r\n2. \x1b$)A\xb5\xda\xb6\xfe\xd0\xd0\\ end',
    '1. 第一行\r\n2. 第二行\\ end',
    'text',
  );
  checkBoth('\\ISO 2022 IR 87\\ISO 2022 IR 159', '\x1b$(D0!\x1b$B;3\x1b(B', '丂山');
});

test('sets are left and come back at delimiters, controls and line ends', () => {
  // Latin-2 until the caret, then Latin-1 again, which is the first value.
  checkBoth('ISO 2022 IR 100\\ISO 2022 IR 101', '\xe9\x1b-B\xb3\x1b-A^\xe9', 'éł^é');
  checkBoth('ISO 2022 IR 100\\ISO 2022 IR 144', '\x1b-L\xbf\x1b-A\t\xe9', 'П\té', 'text');
  // The same without the escape back: readers do not need it.
  check('ISO 2022 IR 100\\ISO 2022 IR 101', '\xe9\x1b-B\xb3^\xe9', 'éł^é');
  check('ISO 2022 IR 100\\ISO 2022 IR 101', '\xe9\x1b-B\xb3\\\xb3', 'éł\\³', 'single');
  check('ISO 2022 IR 100\\ISO 2022 IR 101', '\xe9\x1b-B\xb3\\\xb3', 'éł\\ł', 'text');
  check('ISO 2022 IR 100\\ISO 2022 IR 101', '\x1b-B\xb3^\xb3', 'ł^ł', 'single');
  check('ISO 2022 IR 100\\ISO 2022 IR 101', '\x1b-B\xb3\n\xb3', 'ł\n³', 'text');
  // Kanji that nobody ended: the line feed does.
  check('\\ISO 2022 IR 87', '\x1b$B;3ED\nabc', '山田\nabc', 'text');
  check('\\ISO 2022 IR 87', '\x1b$B;3ED^\x1b$BB@O:', '山田^太郎');
});

test('half of a two-byte character is never a separator', () => {
  // Trails and halves 0x5C, 0x5E and 0x3D.
  checkBoth('GBK', '\xd5\x5c\xd5\x5e\\\x81\x5c^\x81\x5e', '誠誢\\乗^乛', 'single');
  checkBoth('\\ISO 2022 IR 87', '\x1b$B0^0\\0=\x1b(B^a', '緯移綾^a');
  const trails: Record<number, number> = { 0x5c: 0, 0x5e: 0 };
  const set = parseCharacterSet(['GB18030']);
  for (let lead = 0x81; lead <= 0xfe; lead++) {
    for (const trail of [0x5c, 0x5e]) {
      const text = decodeText(set, Uint8Array.of(lead, trail), 'name');
      assert.equal(text.length, 1);
      assert.ok(!'^\\'.includes(text));
      assert.deepEqual(encodeText(set, text, 'name'), Uint8Array.of(lead, trail));
      trails[trail] = (trails[trail] ?? 0) + 1;
    }
  }
  assert.deepEqual(trails, { 0x5c: 126, 0x5e: 126 });
});

test('whatever a sender calls its set, the set is found', () => {
  const named = (written: string, terms: string[], unknown: string[] = []): void => {
    const set = parseCharacterSet(written.split('|'));
    assert.deepEqual([set.terms, set.unknown], [terms, unknown], written);
  };
  named('', []);
  named('ISO_IR 6', []);
  named('ISO 2022 IR 6', []);
  for (const number of [100, 101, 109, 110, 144, 127, 126, 138, 148, 203, 13, 166]) {
    named(`ISO_IR ${number}`, [`ISO_IR ${number}`]);
    named(`ISO 2022 IR ${number}`, [`ISO_IR ${number}`]);
    named(`iso-ir ${number}`, [`ISO_IR ${number}`]);
    named(`ISO_IR_${number} `, [`ISO_IR ${number}`]);
    named(`ISO IR${number}\0`, [`ISO_IR ${number}`]);
  }
  named('ISO_IR 192', ['ISO_IR 192']);
  named('UTF-8', ['ISO_IR 192']);
  named('utf8', ['ISO_IR 192']);
  named('ISO 2022 IR 192', ['ISO_IR 192']);
  named('ISO-10646-UTF-8', ['ISO_IR 192']);
  named('GB18030 ', ['GB18030']);
  named('gb 18030', ['GB18030']);
  named('ISO 2022 B18030', ['GB18030']);
  named('|ISO 2022 GB18030', ['GB18030']);
  named('GBK', ['GBK']);
  named('|ISO 2022 GBK', ['GBK']);
  named('ISO_IR GBK', ['GBK']);
  named('cp936', ['GBK']);
  named('LATIN1', ['ISO_IR 100']);
  named('ISO 8859-1', ['ISO_IR 100']);
  named('Windows-1252', ['ISO_IR 100']);
  named('ISO8859-5', ['ISO_IR 144']);
  named('Shift_JIS', ['ISO_IR 13']);
  named('GB2312', ['', 'ISO 2022 IR 58']);
  named('ISO_IR 58', ['', 'ISO 2022 IR 58']);
  named('EUC-KR', ['', 'ISO 2022 IR 149']);
  named('ISO 2022 58', ['', 'ISO 2022 IR 58']);
  named('|ISO 2022 IR 87', ['', 'ISO 2022 IR 87']);
  named('ISO_IR 6|ISO 2022 IR 87', ['', 'ISO 2022 IR 87']);
  named('ISO_IR 13|ISO_IR 87|ISO 2022 IR 159', ['ISO 2022 IR 13', 'ISO 2022 IR 87', 'ISO 2022 IR 159']);
  named('ISO 2022 IR 100|ISO 2022 IR 100|', ['ISO_IR 100']);
  named('klingon', [], ['klingon']);
  named('|ISO 2022 IR 999|ISO 2022 IR 58', ['', 'ISO 2022 IR 58'], ['ISO 2022 IR 999']);
  named('ISO_IR 192|ISO 2022 IR 58', ['ISO_IR 192'], ['', 'ISO 2022 IR 58']);
  named('ISO_IR 100|GBK', ['ISO_IR 100'], ['GBK']);
  named(
    Array.from({ length: 500 }, (_, at) => `X${at}`).join('|'),
    [],
    Array.from({ length: 20 }, (_, at) => `X${at}`),
  );
});

test('what a sender does wrong is read all the same, and told', () => {
  const faulty = (terms: string, bytes: string, text: string, defects: TextDefect[], kind: TextKind = 'name'): void => {
    check(terms, bytes, text, kind);
    assert.deepEqual(findDefects(parseCharacterSet(terms.split('\\')), bytesOf(bytes), kind), defects);
  };
  faulty('', '\xd5\xc5', '\ufffd\ufffd', ['bytes-invalid']);
  faulty('ISO_IR 126', 'a\xd2\xe1', 'a\ufffdα', ['bytes-invalid']);
  faulty('ISO_IR 192', 'a\xd5\xc5', 'a\ufffd\ufffd', ['bytes-invalid']);
  // No escape sequence: read with the only set that could be meant, also after a delimiter forgot it.
  faulty('\\ISO 2022 IR 58', '\xd5\xc5^\xc8\xfd', '张^三', ['escape-missing']);
  faulty('ISO 2022 IR 149', '\x1b$)C\xfb\xf3^\xd1\xce\xd4\xd7', '洪^吉洞', ['escape-missing']);
  faulty('\\ISO 2022 IR 58\\ISO 2022 IR 149', '\x1b$)C\xfb\xf3^\xd1\xce\xd4\xd7', '洪^吉洞', ['escape-missing']);
  // A set that was not declared, and one that nobody knows.
  faulty('ISO_IR 100', '\x1b$B;3ED\x1b(B', '山田', ['escape-undeclared']);
  faulty('', '\x1b$B;3ED\x1b(B', '山田', ['escape-undeclared']);
  faulty('\\ISO 2022 IR 87', '\x1b$)C\xfb\xf3', '洪', ['escape-undeclared']);
  faulty('GBK', '\x1b$)A\xd5\xc5\x1b(B', '张', ['escape-undeclared']);
  faulty('\\ISO 2022 IR 87', 'a\x1b%Gb', 'a\x1b%Gb', ['escape-unknown']);
  faulty('GB18030', 'a\x1b', 'a\x1b', ['escape-unknown']);
  // A wider set under a smaller one's name.
  faulty('\\ISO 2022 IR 58', '\x1b$)A\x88\x88', '垐', ['repertoire-exceeded']);
  faulty('\\ISO 2022 IR 149', '\x1b$)C\x8cc', '\ufffdc', ['bytes-invalid']);
  faulty('ISO_IR 13', '\x8e\x52\x93\x63^\x91\xbe\x98\x59', '山田^太郎', ['repertoire-exceeded']);
  faulty('ISO_IR 13', '\x95\x5c\xfc\xfc', '表\ufffd\ufffd', ['bytes-invalid', 'repertoire-exceeded']);
  faulty('GBK', '\x81\x39\xef\x30\x80', '㐁€', ['repertoire-exceeded']);
  // Cut in the middle of a character: what follows is not swallowed.
  faulty('GB18030', '\xd5=a', '\ufffd=a', ['bytes-invalid']);
  faulty('GB18030', '\xd5', '\ufffd', ['bytes-invalid']);
  faulty('GB18030', '\x81\x39\xef', '\ufffd9\ufffd', ['bytes-invalid']);
  faulty('GB18030', '\xff\xfd=', '\ufffd\ufffd=', ['bytes-invalid']);
  faulty('\\ISO 2022 IR 58', '\x1b$)A\xd5\xc5\xc8^\x1b$)A\xc8\xfd', '张\ufffd^三', ['bytes-invalid']);
  faulty('\\ISO 2022 IR 87', '\x1b$B;', '\ufffd', ['bytes-invalid']);
  faulty('\\ISO 2022 IR 87', '\x1b$B;3//\x1b(B', '山\ufffd', ['bytes-invalid']);
});

test('GB18030 knows every character of Unicode, GBK those of two bytes', () => {
  const gb18030 = parseCharacterSet(['GB18030']);
  const gbk = parseCharacterSet(['GBK']);
  for (let codePoint = 0x80; codePoint <= 0x10ffff; codePoint += codePoint < 0x10000 ? 1 : 61) {
    // Not the surrogates, nor the private area, from which GB18030-2022 took characters that Unicode has come to know.
    if (codePoint >= 0xd800 && codePoint <= 0xf8ff) continue;
    const text = String.fromCodePoint(codePoint);
    const bytes = encodeText(gb18030, text, 'single');
    assert.ok(bytes !== undefined && (bytes.length === 2 || bytes.length === 4));
    assert.equal(decodeText(gb18030, bytes, 'single'), text);
    assert.deepEqual(encodeText(gbk, text, 'single'), bytes.length === 2 ? bytes : undefined);
  }
  assert.equal(Buffer.from(encodeText(gb18030, '𠀀㐖', 'single') ?? []).toString('hex'), '95328236' + '8139f131');
  assert.equal(encodeText(gb18030, '\ud800', 'single'), undefined);
});

test('what a set cannot say is refused whole', () => {
  const refuse = (terms: string, text: string, kind: TextKind = 'name'): void =>
    assert.equal(encodeText(parseCharacterSet(terms.split('\\')), text, kind), undefined);
  refuse('', 'Jérôme');
  refuse('ISO_IR 100', 'a张');
  refuse('ISO_IR 100', 'a€');
  refuse('ISO_IR 13', 'é');
  refuse('ISO_IR 13', '山');
  refuse('ISO_IR 13', '¥', 'single');
  refuse('\\ISO 2022 IR 58', '張'); // traditional: in GBK, not in GB 2312
  refuse('\\ISO 2022 IR 87', '①'); // NEC's, not the standard's
  refuse('\\ISO 2022 IR 149', '€');
  refuse('ISO_IR 192', '\udc00');
  for (const terms of ['', 'ISO_IR 100', 'ISO_IR 192', 'GBK', '\\ISO 2022 IR 87']) refuse(terms, 'a\u001b(B');
  // The yen where it separates nothing, and the overline.
  const japanese = parseCharacterSet(['ISO_IR 13']);
  assert.equal(Buffer.from(encodeText(japanese, '¥‾', 'text') ?? []).toString('latin1'), '\\~');
  // Signs that Windows knows under other numbers.
  const kanji = parseCharacterSet(['', 'ISO 2022 IR 87']);
  assert.equal(decodeText(kanji, encodeText(kanji, '～－', 'single') ?? new Uint8Array(0), 'single'), '〜−');
});

const repertoires: readonly string[] = ['', '13', '100', '101', '109', '110', '126', '127', '138', '144', '148', '166']
  .concat([
    '192',
    '203',
    'GBK',
    'GB18030',
    '\\58',
    '\\87',
    '\\149',
    '13\\87\\159',
    '100\\144\\149\\58\\87',
    '\\101\\126\\166',
  ])
  .map((terms) => {
    const values = terms.split('\\');
    const prefix = values.length > 1 ? 'ISO 2022 IR ' : 'ISO_IR ';
    return values.map((value) => (/^\d+$/.test(value) ? prefix + value : value)).join('\\');
  });
const kinds: readonly TextKind[] = ['text', 'name', 'single'];

test('whatever is written reads back as the same text, without a defect', () => {
  const char = fc.constantFrom(...Array.from('aZ0 ^=\\~\r\n\téÿŁΩЖשقไ々〜山田ﾔ張张三丂홍길동洪·𠀀€'));
  fc.assert(
    fc.property(
      fc.constantFrom(...repertoires),
      fc.constantFrom(...kinds),
      fc.array(char, { maxLength: 12 }),
      (terms, kind, chars) => {
        const set = parseCharacterSet(terms.split('\\'));
        const text = chars.filter((one) => encodeText(set, one, kind) !== undefined).join('');
        const bytes = encodeText(set, text, kind);
        assert.ok(bytes !== undefined);
        assert.equal(decodeText(set, bytes, kind), text);
        assert.deepEqual(findDefects(set, bytes, kind), []);
        assert.deepEqual(parseCharacterSet(set.terms).terms, set.terms);
      },
    ),
    { numRuns: 2000 },
  );
});

test('any bytes at all decode, and bytes without a defect are written again as they were or as well', () => {
  const byte = fc.oneof(
    fc.nat({ max: 255 }),
    fc.constantFrom(0x1b, 0x24, 0x28, 0x29, 0x2d, 0x41, 0x42, 0x43, 0x44, 0x49, 0x4a, 0x5c, 0x5e, 0x0a),
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...repertoires),
      fc.constantFrom(...kinds),
      fc.array(byte, { maxLength: 60 }),
      (terms, kind, raw) => {
        const set = parseCharacterSet(terms.split('\\'));
        const bytes = Uint8Array.from(raw);
        const text = decodeText(set, bytes, kind);
        if (findDefects(set, bytes, kind).length > 0) return;
        const again = encodeText(set, text, kind);
        if (again !== undefined) assert.equal(decodeText(set, again, kind), text);
      },
    ),
    { numRuns: 3000 },
  );
});

test('a long text decodes in one piece', () => {
  const set = parseCharacterSet(['GB18030']);
  const text = '胸部平扫未见异常。\r\n'.repeat(2000);
  const bytes = encodeText(set, text, 'text');
  assert.ok(bytes !== undefined);
  assert.equal(decodeText(set, bytes, 'text'), text);
  check('', 'x'.repeat(1000), 'x'.repeat(1000), 'text');
});

const shared = path.resolve(import.meta.dirname, '../../../../shared/data/dicom/charsets');

/** Value bytes of the first short element with this tag in an explicit little-endian file, found by its 6 bytes of tag and VR. */
function valueIn(file: Uint8Array, tag: readonly number[], vr: string): Uint8Array | undefined {
  const head = Buffer.from([tag[0]! & 0xff, tag[0]! >> 8, tag[1]! & 0xff, tag[1]! >> 8, ...Buffer.from(vr)]);
  const at = Buffer.from(file).indexOf(head);
  if (at < 0) return undefined;
  const sizeBytes = file[at + 6]! + file[at + 7]! * 256;
  return file.subarray(at + 8, at + 8 + sizeBytes);
}

test('real files of every set read as they should', (t) => {
  if (!existsSync(shared)) {
    t.skip('needs ../shared/data/dicom/charsets');
    return;
  }
  const expected: Record<string, string> = {
    chrArab: 'قباني^لنزار',
    chrFren: 'Buc^Jérôme',
    chrFrenMulti: 'Buc^Jérôme',
    chrGerm: 'Äneas^Rüdiger',
    chrGreek: 'Διονυσιος',
    chrH31: 'Yamada^Tarou=山田^太郎=やまだ^たろう',
    chrH32: 'ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう',
    chrHbrw: 'שרון^דבורה',
    chrI2: 'Hong^Gildong=洪^吉洞=홍^길동',
    chrJapMulti: 'やまだ^たろう',
    chrJapMultiExplicitIR6: 'やまだ^たろう',
    chrKoreanMulti: '김희중',
    chrRuss: 'Люкceмбypг',
    chrX1: 'Wang^XiaoDong=王^小東=',
    chrX2: 'Wang^XiaoDong=王^小东=',
  };
  for (const [name, text] of Object.entries(expected)) {
    const file = readFileSync(path.join(shared, `${name}.dcm`));
    const terms = Buffer.from(valueIn(file, [0x0008, 0x0005], 'CS') ?? []).toString('latin1');
    const bytes = valueIn(file, [0x0010, 0x0010], 'PN') ?? new Uint8Array(0);
    const set = parseCharacterSet(terms.split('\\'));
    assert.deepEqual([name, set.unknown], [name, []]);
    assert.equal(decodeText(set, bytes, 'name').trimEnd(), text, name);
  }
});
