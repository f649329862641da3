import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AssociateRequest } from './associate-pdu.ts';
import { type NegotiationRules, negotiate } from './negotiation.ts';
import type { UserInformation } from './user-information.ts';

const implicit = '1.2.840.10008.1.2';
const explicit = '1.2.840.10008.1.2.1';
const bigEndian = '1.2.840.10008.1.2.2';
const deflated = '1.2.840.10008.1.2.1.99';
const jpeg = '1.2.840.10008.1.2.4.50';
const jpegLossless = '1.2.840.10008.1.2.4.70';
const jpegLs = '1.2.840.10008.1.2.4.80';
const jpeg2000 = '1.2.840.10008.1.2.4.91';
const video = '1.2.840.10008.1.2.4.102';
const privateGe = '1.2.840.113619.5.2';
const privateOther = '1.3.46.670589.33.1.4.1';

const ct = '1.2.840.10008.5.1.4.1.1.2';
const verification = '1.2.840.10008.1.1';
const find = '1.2.840.10008.5.1.4.1.2.2.1';
const printing = '1.2.840.10008.5.1.1.9';

const rules: NegotiationRules = { served: new Set([verification, find]), refused: new Set([printing]) };

function requestWith(contexts: AssociateRequest['contexts'], user: Partial<UserInformation> = {}): AssociateRequest {
  return {
    called: 'STELE',
    calling: 'CT1',
    protocolVersion: 1,
    applicationContext: '1.2.840.10008.3.1.1.1',
    contexts,
    user: { pduBytesMax: 0, implementationClass: '1.2', ...user },
  };
}

function check(
  abstractSyntax: string,
  transferSyntaxes: string[],
  expected: string,
  more: Partial<NegotiationRules> = {},
): void {
  const request = requestWith([{ id: 1, abstractSyntax, transferSyntaxes }]);
  const [answer] = negotiate(request, { ...rules, ...more }).contexts;
  assert.equal(
    answer?.result === 'accepted' ? answer.transferSyntax : answer?.result,
    expected,
    transferSyntaxes.join(' '),
  );
}

test('explicit comes before implicit, and what is uncompressed before what is not', () => {
  check(ct, [implicit, explicit], explicit);
  check(ct, [bigEndian, implicit], implicit);
  check(ct, [bigEndian], bigEndian);
  check(ct, [jpegLs, deflated], deflated);
  check(ct, [jpegLossless, jpegLs, implicit], implicit);
  check(ct, [jpegLossless, jpegLs], jpegLs);
});

test('a lossy syntax is taken when nothing else is offered', () => {
  check(ct, [jpeg, implicit], implicit);
  check(ct, [jpeg, jpegLossless], jpegLossless);
  check(ct, [jpeg], jpeg);
  check(ct, [jpeg2000, jpeg], jpeg2000);
  check(ct, [video], video);
});

test('a private or unknown syntax is taken when it is alone', () => {
  check(ct, [privateGe, implicit], implicit);
  check(ct, [privateGe, jpeg], jpeg);
  check(ct, [privateGe], privateGe);
  check(ct, [privateOther], privateOther);
});

test('the order of a caller comes before ours', () => {
  const transferSyntaxes = [jpegLs, implicit];
  check(ct, [explicit, implicit, jpegLs], jpegLs, { transferSyntaxes });
  check(ct, [explicit, implicit], implicit, { transferSyntaxes });
  check(ct, [jpegLossless, explicit], explicit, { transferSyntaxes });
  check(ct, [jpeg, explicit], jpeg, { transferSyntaxes: [jpeg] });
});

test('any abstract syntax is storage but those that are known not to be', () => {
  check('1.2.3.4.5.6', [implicit], implicit);
  check('1.3.12.2.1107.5.9.1', [implicit], implicit);
  check(printing, [implicit], 'abstractSyntax');
  check('', [implicit], 'abstractSyntax');
  check('not a uid', [implicit], 'abstractSyntax');
  check(ct, [], 'transferSyntaxes');
  check(ct, ['none'], 'transferSyntaxes');
});

test('services are spoken uncompressed', () => {
  check(verification, [implicit, explicit], explicit);
  check(find, [jpegLs, bigEndian, implicit], implicit);
  check(find, [jpegLs], 'transferSyntaxes');
  check(find, [privateGe], 'transferSyntaxes');
});

test('every context is answered once, whatever is proposed', () => {
  const syntax = fc.constantFrom(implicit, explicit, bigEndian, jpeg, jpegLs, privateGe, video, '', 'x');
  const context = fc.record({
    abstractSyntax: fc.constantFrom(ct, verification, printing, find, '', '1.2.3'),
    transferSyntaxes: fc.array(syntax, { maxLength: 6 }),
  });
  fc.assert(
    fc.property(fc.array(context, { maxLength: 128 }), (contexts) => {
      const request = requestWith(contexts.map((each, index) => ({ id: index * 2 + 1, ...each })));
      const answers = negotiate(request, rules).contexts;
      assert.deepEqual(
        answers.map(({ id }) => id),
        request.contexts.map(({ id }) => id),
      );
      for (const [index, { result, transferSyntax }] of answers.entries()) {
        if (result === 'accepted') assert.ok(request.contexts[index]?.transferSyntaxes.includes(transferSyntax));
      }
    }),
  );
});

test('roles are granted where they were asked for and may be had', () => {
  const roles = [
    { sopClass: ct, scu: false, scp: true },
    { sopClass: find, scu: true, scp: true },
  ];
  const { roles: answered } = negotiate(requestWith([], { roles }), rules);
  assert.deepEqual(answered, [
    { sopClass: ct, scu: false, scp: true },
    { sopClass: find, scu: true, scp: false },
  ]);
  const strict = negotiate(requestWith([], { roles }), { ...rules, roles: () => ({ scu: false, scp: true }) });
  assert.deepEqual(strict.roles, [
    { sopClass: ct, scu: false, scp: true },
    { sopClass: find, scu: false, scp: true },
  ]);
});

test('the asynchronous window is answered 1/1, and only when asked for', () => {
  assert.deepEqual(negotiate(requestWith([], { asyncWindow: { invoked: 0, performed: 8 } }), rules).asyncWindow, {
    invoked: 1,
    performed: 1,
  });
  assert.equal(negotiate(requestWith([]), rules).asyncWindow, undefined);
});

test('extended negotiations are answered by the rules, or not at all', () => {
  const extended = [
    { sopClass: find, info: Uint8Array.of(1, 1) },
    { sopClass: ct, info: Uint8Array.of(2) },
  ];
  const asked = requestWith([], { extended });
  assert.deepEqual(negotiate(asked, rules).extended, []);
  const answered = negotiate(asked, {
    ...rules,
    extended: ({ sopClass }) => (sopClass === find ? Uint8Array.of(1) : undefined),
  });
  assert.deepEqual(answered.extended, [{ sopClass: find, info: Uint8Array.of(1) }]);
});
