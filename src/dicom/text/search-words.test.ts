import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { searchText, searchWords, searchWordsMax } from './search-words.ts';

function check(description: string, query: string, expected: boolean): void {
  const text = searchText(description);
  const words = searchWords(query);
  assert.equal(words.length > 0 && words.every((word) => text.includes(word)), expected, `${query} in ${description}`);
}

test('a description is found by words and parts of it, in any order, case and width', () => {
  check('CT Chest w/o contrast', 'chest ct', true);
  check('CT Chest w/o contrast', 'CONTRAST', true);
  check('CT Chest w/o contrast', 'contr', true);
  check('CT Chest w/o contrast', 'abdomen', false);
  check('胸部平扫', '平扫', true);
  check('胸部CT平扫+增强', '胸部 增强', true);
  check('胸部CT平扫+增强', 'ct平扫', true);
  check('胸部CT平扫+增强', 'ＣＴ　平扫', true);
  check('胸部CT平扫+增强', '头颅', false);
  check('ＣＴ　Ｃｈｅｓｔ', 'ct chest', true);
  check('頭顱MRI平掃', '头颅 平扫', true);
  check('檢查報告', '报告', true);
  check('T1_SE_TRA 3.0T', '3.0t', true);
  check('T1_SE_TRA 3.0T', 't1 tra', true);
  check('T1_SE_TRA 1.5T', '3.0t', false);
  check('Crâne sans injection', 'crane', true);
  check('Schädel', 'schadel', true);
  check('KNEE(L)', 'knee l', true);
});

test('words are folded, few, and stay as they are when folded again', () => {
  assert.deepEqual(searchWords('  '), []);
  assert.deepEqual(searchWords('T2* / ①'), ['t2', '1']);
  assert.equal(searchWords(Array.from({ length: 99 }, (_, at) => `w${at}`).join(' ')).length, searchWordsMax);
  assert.equal(searchText(' a,b;;c. 1.5.2 .5 '), 'a b c 1.5.2 5');
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 0x10ffff }), { maxLength: 40 }), (codePoints) => {
      const text = String.fromCodePoint(...codePoints);
      const once = searchText(text);
      assert.ok(!/^ | $| {2}/.test(once));
      for (const word of searchWords(text)) assert.ok(word !== '' && !word.includes(' '));
    }),
  );
});
