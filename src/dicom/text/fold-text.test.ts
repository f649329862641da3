import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeText, parseCharacterSet } from './character-set.ts';
import { foldText, foldUmlauts } from './fold-text.ts';
import { readHan } from './han-readings.ts';
import { foldedForms, plainHan } from './han-variants.ts';
import { pinyinSyllables, umlautOf } from './pinyin-syllables.ts';

test('what people take for the same is the same when folded', () => {
  const check = (text: string, expected: string): void => assert.equal(foldText(text), expected);
  check('Zhang^SAN', 'zhang^san');
  check('ＺＨＡＮＧ　三', 'zhang 三');
  check('Jérôme', 'jerome');
  check('Je\u0301ro\u0302me', 'jerome');
  check('zhāng sān lǚ', 'zhang san lu');
  check('Strauß Æsir Łódź', 'strauss aesir lodz');
  check('İstanbul Işıl', 'istanbul isil');
  check('Πόλης', 'πολησ');
  check('Пётр Йод', 'петр йод');
  check('ﾔﾏﾀﾞ がパ', 'ヤマダ がパ');
  check('\u1112\u1169\u11bc', '홍');
  check('أحمد محمّد مـحـمد', 'احمد محمد محمد');
  check('שָׁלוֹם', 'שלום');
  check('\ufeffa\u200bb', 'ab');
  check('ใจดี', 'ใจดี');
  check('張學友', '张学友');
  check('髙﨑', '高崎');
  assert.equal(foldUmlauts('Müller Østergård'), 'mueller oestergaard');
  assert.equal(foldUmlauts('Mu\u0308ller'), 'mueller');
});

test('folding twice changes nothing more, whatever the text', () => {
  const codePoint = fc.oneof(fc.nat({ max: 0x36f }), fc.nat({ max: 0x33ff }), fc.nat({ max: 0x10ffff }));
  fc.assert(
    fc.property(fc.array(codePoint, { maxLength: 30 }), (codePoints) => {
      const text = String.fromCodePoint(...codePoints);
      const once = foldText(text);
      assert.equal(foldText(once), once);
    }),
    { numRuns: 1000 },
  );
});

test('folding takes time in proportion to the text', () => {
  // Many marks behind one letter, and many blanks, are what patterns with look-behind are slow at.
  for (const text of [`a${'\u0301'.repeat(200_000)}`, `${' '.repeat(200_000)}é`]) {
    const before = process.cpuUsage();
    foldText(text);
    assert.ok(process.cpuUsage(before).user < 2_000_000);
  }
});

test('forms of a character fold once, share a reading, and are no characters of mainland names', () => {
  const mainland = parseCharacterSet(['', 'ISO 2022 IR 58']);
  const readings = (char: string): Set<string> => {
    const { said, others } = readHan([char], false);
    return new Set([...said, ...(others[0] ?? [])]);
  };
  // Not in the dictionary of readings, or not with the common one.
  const known = new Set(['﨑', '鵑', '𠮷']);
  let count = 0;
  for (const [form, plain] of foldedForms()) {
    assert.equal(encodeText(mainland, form, 'text'), undefined, form);
    assert.ok(!foldedForms().has(plain), plain);
    assert.equal(plainHan(`a${form}${form}b`), `a${plain}${plain}b`);
    assert.ok(known.has(form) || !readings(form).isDisjointFrom(readings(plain)), `${form} ${plain}`);
    count++;
  }
  assert.ok(count > 900);
});

test('pinyin in Latin letters comes apart into syllables', () => {
  const check = (word: string, expected: string | undefined): void =>
    assert.equal(pinyinSyllables(word)?.join(' '), expected);
  check('zhangsan', 'zhang san');
  check('xiaoming', 'xiao ming');
  check('lina', 'li na');
  check('fangang', 'fan gang');
  check('xian', 'xian');
  check('yanan', 'ya nan');
  check('aiguo', 'ai guo');
  check('guoan', 'guo an');
  check('ouyang', 'ou yang');
  check('lvbu', 'lv bu');
  check('lyuanping', 'lyu an ping');
  check('zhuangshuangchuang', 'zhuang shuang chuang');
  check('smith', undefined);
  check('li2', undefined);
  check('', '');
  check('aaaaa', undefined);
  assert.deepEqual(['lv', 'lyu', 'nve', 'nyue', 'lu', 'luan'].map(umlautOf), ['lü', 'lü', 'nüe', 'nüe', 'lu', 'luan']);
});
