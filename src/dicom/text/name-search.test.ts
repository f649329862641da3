import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  nameKeyLengthMax,
  nameKeysMax,
  nameMatches,
  nameQueryTokens,
  nameSearchKeys,
  nameSearchText,
  nameTokensMax,
} from './name-search.ts';

type Golden = {
  readonly names: readonly string[];
  readonly found: readonly string[];
  readonly missed: readonly string[];
};

const goldenFile = path.resolve(import.meta.dirname, '../../../testdata/names/golden.tsv');
const golden: readonly Golden[] = readFileSync(goldenFile, 'utf8')
  .split('\n')
  .filter((line) => line.trim() !== '' && !line.startsWith('#'))
  .map((line) => {
    const [names = '', found = '', missed = ''] = line.split('\t');
    return { names: names.split('\\'), found: found.split('|'), missed: missed.split('|').filter((one) => one !== '') };
  });

/** As the catalog looks: every token is the beginning of some key. */
function finds(keys: readonly string[], query: string): boolean {
  const tokens = nameQueryTokens(query);
  return tokens.length > 0 && tokens.every((token) => keys.some((key) => key.startsWith(token)));
}

test('the dictionary of readings is loaded by the first 汉字, and not before', () => {
  const isLoaded = (): boolean =>
    Object.keys(createRequire(import.meta.url).cache).some((file) => file.includes('pinyin-pro'));
  nameSearchKeys(['Smith^John', 'Yamada^Tarou==やまだ^たろう', 'Zhang^San', 'Иванов^Пётр']);
  assert.equal(isLoaded(), false);
  assert.deepEqual(nameSearchKeys(['张三']), ['张三', 'zhangsan', 'zs', '三张', 'sanzhang']);
  assert.equal(isLoaded(), true);
});

test('every name of the golden table is found by each of its queries, and not by others', () => {
  assert.ok(golden.length >= 200);
  const problems: string[] = [];
  for (const { names, found, missed } of golden) {
    const keys = nameSearchKeys(names);
    const wrong = [
      ...found.filter((query) => !finds(keys, query)).map((query) => `is not found by ${query}`),
      ...missed.filter((query) => finds(keys, query)).map((query) => `is found by ${query}`),
    ];
    problems.push(...wrong.map((what) => `${names.join('\\')} ${what}: ${keys.join(' ')}`));
  }
  assert.deepEqual(problems, []);
});

test('a search finds just the names that begin so, whole, given name first, by initials or at a character', () => {
  // Characters with one reading only, so that what must be found can be said without the dictionary.
  const families = {
    王: 'wang',
    李: 'li',
    张: 'zhang',
    刘: 'liu',
    陈: 'chen',
    赵: 'zhao',
    周: 'zhou',
    吴: 'wu',
    孙: 'sun',
    马: 'ma',
  };
  const givens = {
    明: 'ming',
    芳: 'fang',
    军: 'jun',
    丽: 'li',
    强: 'qiang',
    静: 'jing',
    敏: 'min',
    涛: 'tao',
    梅: 'mei',
    波: 'bo',
  };
  const people: { name: string; said: string[] }[] = [];
  for (const [family, a] of Object.entries(families))
    for (const [first, b] of Object.entries(givens)) {
      people.push({ name: family + first, said: [a, b] });
      for (const [second, c] of Object.entries(givens)) people.push({ name: family + first + second, said: [a, b, c] });
    }
  const index = people.map(({ name, said: [a = '', ...rest] }) => {
    const given = rest.join('');
    const text = [name, `${name.slice(1)}${name[0]}`, name.slice(2)];
    const letters = [a + given, given + a, rest.at(-1) ?? '', [a, ...rest].map((one) => one[0]).join('')];
    return { name, keys: nameSearchKeys([name]), expected: [...text, ...letters] };
  });
  assert.equal(index.length, 1100);
  const queries = new Set(
    people.flatMap(({ name, said }) => [name, name.slice(1), said.join(''), said.slice(1).join('')]),
  );
  for (const query of [...queries].filter((_, at) => at % 7 === 0)) {
    const found = index.filter(({ keys }) => finds(keys, query)).map(({ name }) => name);
    const expected = index.filter((one) => one.expected.some((key) => key.startsWith(query))).map(({ name }) => name);
    assert.deepEqual(found, expected, query);
  }
});

test('few names of the golden table are found by what was meant for another', () => {
  // Initials are shared by many, so only what is typed out is counted: five letters or two characters.
  let tried = 0;
  let foreign = 0;
  const rows = golden.map((row) => ({
    ...row,
    keys: nameSearchKeys(row.names),
    tokens: row.found.map((one) => nameQueryTokens(one).join(' ')),
  }));
  for (const row of rows) {
    for (const query of row.found) {
      const tokens = nameQueryTokens(query);
      const length = tokens.join('').length;
      if (length < (/\p{Script=Han}/u.test(query) ? 2 : 5)) continue;
      for (const other of rows) {
        if (other.tokens.includes(tokens.join(' ')) || other.names.some((name) => /张三|Zhang.?San/i.test(name)))
          continue;
        tried++;
        if (finds(other.keys, query)) foreign++;
      }
    }
  }
  assert.ok(tried > 100_000);
  assert.ok(foreign / tried < 0.002, `${foreign} of ${tried}`);
});

test('keys are few, folded, none the beginning of another, whatever the name', () => {
  const char = fc.oneof(
    fc.constantFrom('^', '=', ' ', '\\', '·', '-', "'", 'A', 'é', 'ü', 'ß'),
    fc.constantFrom('张', '曾', '吕', '乐', '万', '俟', '行', '𬭎', '㐖', '佐', '々', 'や', '홍', '１'),
    fc.nat({ max: 0x10ffff }).map((codePoint) => String.fromCodePoint(codePoint)),
  );
  fc.assert(
    fc.property(fc.array(fc.array(char, { maxLength: 24 }), { maxLength: 4 }), (raw) => {
      const names = raw.map((chars) => chars.join(''));
      const keys = nameSearchKeys(names);
      assert.ok(keys.length <= nameKeysMax);
      for (const key of keys) {
        assert.ok(key.length <= nameKeyLengthMax && key !== '' && !/\s/.test(key) && key.isWellFormed(), key);
        assert.ok(!keys.some((other) => other !== key && other.startsWith(key)), key);
      }
      assert.deepEqual(nameSearchKeys([...names]), keys);
      assert.equal(nameSearchText(names), keys.join(' '));
      for (const query of names) {
        const tokens = nameQueryTokens(query);
        assert.ok(tokens.length <= nameTokensMax);
        assert.equal(
          nameMatches(nameSearchText(names), tokens),
          tokens.every((token) => keys.some((key) => key.startsWith(token))),
        );
      }
    }),
    { numRuns: 500 },
  );
});

test('a name of absurd length or with a thousand values is looked at in part', () => {
  for (const name of [
    '张'.repeat(60_000),
    '曾^'.repeat(60_000),
    ' '.repeat(60_000),
    'ab '.repeat(60_000),
    'a'.repeat(60_000),
  ]) {
    const before = process.cpuUsage();
    const keys = nameSearchKeys([name, ...Array.from({ length: 1000 }, (_, at) => `name${at}`)]);
    assert.ok(keys.length <= nameKeysMax);
    assert.ok(process.cpuUsage(before).user < 1_000_000);
  }
  assert.equal(nameQueryTokens('x '.repeat(9000)).length, 1);
  assert.equal(nameQueryTokens(Array.from({ length: 99 }, (_, at) => `w${at}`).join(' ')).length, nameTokensMax);
});

test('tokens of a query are folded, 汉字 apart from letters', () => {
  const check = (query: string, expected: readonly string[]): void =>
    assert.deepEqual(nameQueryTokens(query), expected);
  check('zs', ['zs']);
  check('zhang san', ['zhang', 'san']);
  check('Zhang^San=张^三', ['zhang', 'san', '张', '三']);
  check('张san', ['张', 'san']);
  check('張三', ['张三']);
  check('ＺＳ', ['zs']);
  check('lǚ bù', ['lu', 'bu']);
  check("xi'an", ['xian']);
  check('san SAN', ['san']);
  check(' ^ = * ', []);
});

test('converting a name takes far less than a tenth of a millisecond', () => {
  const families = Array.from('王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗曾单解仇吕');
  const givens = Array.from('伟芳娜秀英敏静丽强磊军洋勇艳杰娟涛明超霞平刚桂兰乐行长');
  const names = families.flatMap((a) => givens.flatMap((b) => givens.map((c) => `Li^Si=${a}^${b}${c}`)));
  for (const name of names.slice(0, 4000)) nameSearchKeys([name]);
  const rest = names.slice(4000);
  const before = process.cpuUsage();
  for (const name of rest) nameSearchKeys([name]);
  const { user, system } = process.cpuUsage(before);
  const microseconds = (user + system) / rest.length;
  assert.ok(microseconds < 100, `${microseconds} us a name`);
});
