import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom, utf8Bytes } from '../base/index.ts';
import {
  base32Of,
  codeOfStep,
  factorUrl,
  hashOfRecoveryCode,
  newRecoveryCode,
  stepAt,
  stepOfCode,
} from './one-time-codes.ts';

const secret = utf8Bytes('12345678901234567890');

test('codes are those of the appendix of RFC 6238, cut to six digits', () => {
  const check = (seconds: number, code: string): void => assert.equal(codeOfStep(secret, stepAt(seconds * 1000)), code);
  check(59, '287082');
  check(1111111109, '081804');
  check(1111111111, '050471');
  check(1234567890, '005924');
  check(2000000000, '279037');
  check(20000000000, '353130');
});

test('a code fits one step early and late, once, and never after a later one', () => {
  const now = 1_700_000_000_000;
  const step = stepAt(now);
  for (const drift of [-1, 0, 1])
    assert.equal(stepOfCode(secret, codeOfStep(secret, step + drift), now, 0), step + drift);
  for (const drift of [-2, 2]) assert.equal(stepOfCode(secret, codeOfStep(secret, step + drift), now, 0), undefined);
  assert.equal(stepOfCode(secret, codeOfStep(secret, step), now, step), undefined);
  assert.equal(stepOfCode(secret, codeOfStep(secret, step - 1), now, step), undefined);
  for (const bad of ['', '1', '1234567', 'abcdef', '12345６']) assert.equal(stepOfCode(secret, bad, now, 0), undefined);
});

test('secrets are told as RFC 4648 has it', () => {
  const check = (text: string, expected: string): void => assert.equal(base32Of(utf8Bytes(text)), expected);
  check('', '');
  check('f', 'MY');
  check('fo', 'MZXQ');
  check('foob', 'MZXW6YQ');
  check('foobar', 'MZXW6YTBOI');
  assert.match(
    factorUrl(secret, { issuer: 'Stele', user: 'a@b' }),
    /^otpauth:\/\/totp\/Stele:a%40b\?secret=GEZDGNBVGY3TQOJQ/,
  );
});

test('a recovery code is told in groups, and is the same without them', () => {
  const code = newRecoveryCode(new SeededRandom(1));
  assert.match(code, /^[A-Z2-7]{4}(-[A-Z2-7]{4}){3}$/);
  assert.equal(hashOfRecoveryCode(code), hashOfRecoveryCode(code.toLowerCase().replaceAll('-', ' ')));
});
