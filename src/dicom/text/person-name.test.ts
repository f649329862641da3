import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { displayPersonName, formatPersonName, groupsOf, parsePersonName, samePersonName } from './person-name.ts';

const nobody = { family: '', given: '', middle: '', prefix: '', suffix: '' };

test('a name comes apart into groups and components', () => {
  const check = (text: string, expected: readonly object[]): void =>
    assert.deepEqual(
      groupsOf(parsePersonName(text)),
      [0, 1, 2].map((at) => ({ ...nobody, ...expected[at] })),
    );
  check('', []);
  check('Adams^John Robert Quincy^^Rev.^B.A. M.Div.', [
    { family: 'Adams', given: 'John Robert Quincy', prefix: 'Rev.', suffix: 'B.A. M.Div.' },
  ]);
  check('Zhang^San=张^三', [
    { family: 'Zhang', given: 'San' },
    { family: '张', given: '三' },
  ]);
  check('张三 ', [{ family: '张三' }]);
  check('=张^三', [{}, { family: '张', given: '三' }]);
  check(' Doe ^ Jane ^^ ', [{ family: 'Doe', given: 'Jane' }]);
  check('A^B\0', [{ family: 'A', given: 'B' }]);
  check('Yamada^Tarou=山田^太郎=やまだ^たろう', [
    { family: 'Yamada', given: 'Tarou' },
    { family: '山田', given: '太郎' },
    { family: 'やまだ', given: 'たろう' },
  ]);
  // More than there may be stays with the last part.
  check('a^b^c^d^e^f', [{ family: 'a', given: 'b', middle: 'c', prefix: 'd', suffix: 'e^f' }]);
  check('a=b=c=d', [{ family: 'a' }, { family: 'b' }, { family: 'c=d' }]);
});

test('a name is written without empty parts at the end', () => {
  const check = (text: string, expected: string): void =>
    assert.equal(formatPersonName(parsePersonName(text)), expected);
  check('', '');
  check('^^^', '');
  check('==', '');
  check('Zhang^San^^^==', 'Zhang^San');
  check('Zhang^San=张^三=', 'Zhang^San=张^三');
  check('=张^三', '=张^三');
  check('^San', '^San');
  check('a^b^c^d^e^f=g', 'a^b^c^d^e^f=g');
});

test('writing what was read changes nothing any more', () => {
  const part = fc.constantFrom('', 'a', '张', ' ', '^', '=', '\0', '山田', 'é');
  fc.assert(
    fc.property(fc.array(part, { maxLength: 14 }), (parts) => {
      const once = formatPersonName(parsePersonName(parts.join('')));
      assert.equal(formatPersonName(parsePersonName(once)), once);
      assert.ok(samePersonName(once, parts.join('')));
    }),
  );
});

test('names are the same whatever pads them, and not when a letter differs', () => {
  const check = (a: string, b: string, expected: boolean): void => assert.equal(samePersonName(a, b), expected);
  check('Zhang^San', 'Zhang^San^^ ==', true);
  check('Zhang^San', 'Zhang^San ', true);
  check('J\u00e9r\u00f4me', 'Je\u0301ro\u0302me', true);
  check('张三', '张三 ', true);
  check('张三', '张^三', false);
  check('Zhang^San', 'ZHANG^SAN', false);
  check('Zhang^San', 'Zhang^San=张^三', false);
  check('Zhang^San', '^Zhang^San', false);
});

test('names are shown as people write them', () => {
  const check = (text: string, expected: string): void =>
    assert.equal(displayPersonName(parsePersonName(text)), expected);
  check('Zhang^San=张^三', '张三 (Zhang San)');
  check('张三', '张三');
  check('张^三', '张三');
  check('=买买提·艾合买提', '买买提·艾合买提');
  check('Adams^John^Q^Dr.^Jr.', 'Dr. Adams John Q Jr.');
  check('Yamada^Tarou=山田^太郎=やまだ^たろう', '山田太郎 (Yamada Tarou)');
  check('Hong^Gildong=洪^吉洞=홍^길동', '洪吉洞 (Hong Gildong)');
  check('==홍^길동', '홍 길동');
  check('', '');
});
