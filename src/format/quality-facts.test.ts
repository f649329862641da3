// Facts about quality: what is written is read, and what is not in its form is an error that repeats none of it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isArchiveError, utf8Bytes } from '../base/index.ts';
import { decodeFact, encodeEvent } from './facts.ts';
import { readHows } from './instance-facts.ts';
import { differences, type QualityFact } from './quality-facts.ts';

const text = fc.string({ unit: fc.constantFrom('a', '"', '\\', '张', '\n', '1', '.') });
const id = fc.nat().map((value) => value.toString(16).padStart(32, '0'));
const series = { study: text, series: text };
const ms = fc.integer({ min: 0, max: 2 ** 48 });
const attributes = fc.dictionary(fc.constantFrom('PatientName', 'PatientID', 'StudyDate'), text);
const optionalAttributes = fc.option(attributes, { nil: undefined });

const facts: fc.Arbitrary<QualityFact> = fc.oneof(
  fc.record({
    type: fc.constant('compared' as const),
    ...series,
    id,
    with: id,
    instance: text,
    source: fc.option(text, { nil: undefined }),
    createdMs: ms,
    difference: fc.constantFrom(...differences),
    identity: fc.array(text),
    paths: fc.array(text),
  }),
  fc.record({
    type: fc.constant('quality' as const),
    ...series,
    kind: text,
    state: fc.constantFrom('open' as const, 'closed' as const),
    who: text,
    why: text,
    atMs: ms,
  }),
  fc.record({
    type: fc.constant('described' as const),
    ...series,
    source: fc.option(text, { nil: undefined }),
    about: fc.record({ patient: optionalAttributes, study: optionalAttributes, series: optionalAttributes }),
    readAs: fc.record({
      maker: text,
      model: text,
      station: text,
      declared: fc.array(text),
      read: fc.array(text),
      how: fc.constantFrom(...readHows),
    }),
  }),
);

/** Dictionaries that were drawn have no prototype, and what is undefined is not written. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

test('what is written is read', () => {
  fc.assert(
    fc.property(facts, (fact) => {
      assert.deepEqual(plain(decodeFact(encodeEvent(fact))), plain(fact));
    }),
  );
});

test('a fact with a field of another form is an error that repeats none of it', () => {
  const wrong = fc.constantFrom(undefined, null, 7, true, {}, 'secret', ['secret'], '-1');
  const cases = fc.property(facts, fc.nat(), wrong, (fact, place, value) => {
    const json = JSON.parse(Buffer.from(encodeEvent(fact)).toString('utf8')) as Record<string, unknown>;
    const fields = Object.keys(json).filter((name) => name !== 'type' && name !== 'v');
    json[fields[place % fields.length] ?? ''] = value;
    try {
      assert.equal(decodeFact(utf8Bytes(JSON.stringify(json))).type, fact.type);
    } catch (error) {
      assert.ok(isArchiveError(error, 'RECORD_CORRUPT'), String(error));
      assert.doesNotMatch(String(error), /secret/);
    }
  });
  fc.assert(cases, { numRuns: 300 });
});
