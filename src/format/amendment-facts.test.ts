// Amendments as they lie in packs: texts that must be read for ever, round trips, and what is not in its form.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hexOf, utf8Bytes, utf8Text } from '../base/index.ts';
import type { AmendmentFact } from './amendment-facts.ts';
import { decodeFact, encodeEvent } from './facts.ts';

const id = '0123456789abcdef0123456789abcdef';
const said = `"id":"${id}","created":"1700000000000","by":"registrar","why":"same person"`;

/** As version 1 wrote them. */
const written: readonly string[] = [
  `{"v":1,"type":"merged",${said},"attributes":{"PatientName":"Zhang^San=张^三"},"from":["OLD",""],"into":["NEW","WARD"]}`,
  `{"v":1,"type":"moved",${said},"system":"HIS","attributes":{},"study":"1.2.3","to":["NEW",""]}`,
  `{"v":1,"type":"corrected",${said},"attributes":{"AccessionNumber":""},"study":"1.2.3"}`,
  `{"v":1,"type":"corrected",${said},"attributes":{"PatientSex":"F"},"patient":["NEW",""]}`,
  `{"v":1,"type":"decoded",${said},"attributes":{},"study":"1.2.3","terms":["","ISO 2022 IR 58"],"declared":["ISO_IR 100"],"series":["1.2.3.4"],"patient":["NEW",""]}`,
  `{"v":1,"type":"withdrawn",${said},"amendment":"${id}"}`,
  `{"v":1,"type":"originals",${said},"study":"1.2.3","instances":7}`,
];

test('every form of version 1 is read and written again as it stands', () => {
  for (const text of written) {
    const fact = decodeFact(utf8Bytes(text));
    assert.notEqual(fact.type, 'unknown', text);
    assert.equal(utf8Text(encodeEvent(fact as AmendmentFact)), text);
  }
});

test('a merge says the same after a pack, whatever its texts', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 20 });
  const patient = fc.record({ patientId: text, issuer: text }, { noNullPrototype: true });
  const attributes = fc.dictionary(fc.constantFrom('PatientName', 'PatientSex', 'PatientComments'), text, {
    noNullPrototype: true,
  });
  const merged = fc.record(
    {
      type: fc.constant('merged' as const),
      id: fc.uint8Array({ minLength: 16, maxLength: 16 }).map(hexOf),
      createdMs: fc.nat(),
      by: text,
      why: text,
      system: fc.option(text, { nil: undefined }),
      attributes,
      from: patient,
      into: patient,
    },
    { noNullPrototype: true },
  );
  fc.assert(fc.property(merged, (event) => assert.deepEqual(decodeFact(encodeEvent(event)), event)));
});

test('what is not in its form is refused and none of it repeated', () => {
  const bad = [
    written[0]?.replace('["OLD",""]', '["OLD"]'),
    written[0]?.replace('["OLD",""]', '"OLD"'),
    written[1]?.replace('"attributes":{}', '"attributes":{"PatientName":3}'),
    written[2]?.replace('"created":"1700000000000"', '"created":"soon"'),
    written[4]?.replace('"terms":["","ISO 2022 IR 58"]', '"terms":"SECRET"'),
    written[5]?.replace(`"amendment":"${id}"`, '"amendment":"SECRET"'),
    written[6]?.replace(id, 'SECRET'),
  ];
  for (const text of bad)
    assert.throws(
      () => decodeFact(utf8Bytes(text ?? '')),
      (error: Error & { code?: string }) => error.code === 'RECORD_CORRUPT' && !error.message.includes('SECRET'),
      text,
    );
});
