import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bytesOfHex, concatBytes, isArchiveError } from '../../base/index.ts';
import {
  type AssociateAccept,
  type AssociateRequest,
  decodeAssociateAccept,
  decodeAssociateRequest,
  encodeAssociateAccept,
  encodeAssociateRequest,
} from './associate-pdu.ts';
import { item, u8, u16 } from './item-writer.ts';
import { pduHeadBytes } from './pdu.ts';

/** Ordinary objects, as decoders make them. */
function record<T>(
  model: { [K in keyof T]: fc.Arbitrary<T[K]> },
  requiredKeys?: (keyof T)[],
): fc.Arbitrary<Partial<T>> {
  const constraints = { noNullPrototype: true, ...(requiredKeys === undefined ? {} : { requiredKeys }) };
  return fc.record(model, constraints) as fc.Arbitrary<Partial<T>>;
}

const uid = fc
  .array(fc.nat({ max: 99_999 }), { minLength: 2, maxLength: 9 })
  .map((parts) => parts.join('.').slice(0, 64).replace(/\.$/, ''));
const title = fc.stringMatching(/^[A-Z0-9_][A-Z0-9_ ]{0,14}[A-Z0-9_]$/);
const bytes = fc.uint8Array({ maxLength: 40 });

const user = record(
  {
    pduBytesMax: fc.nat(),
    implementationClass: uid,
    implementationVersion: fc.stringMatching(/^[A-Z0-9_]{1,16}$/),
    asyncWindow: record({ invoked: fc.nat(65_535), performed: fc.nat(65_535) }),
    roles: fc.array(record({ sopClass: uid, scu: fc.boolean(), scp: fc.boolean() }), { maxLength: 4 }),
    extended: fc.array(record({ sopClass: uid, info: bytes }), { maxLength: 3 }),
    commonExtended: fc.array(record({ sopClass: uid, serviceClass: uid, related: fc.array(uid, { maxLength: 3 }) }), {
      maxLength: 3,
    }),
    identity: record({
      kind: fc.constantFrom('username', 'passcode', 'kerberos', 'saml', 'jwt'),
      primary: bytes,
      secondary: bytes,
      answerWanted: fc.boolean(),
    }),
  },
  ['pduBytesMax', 'implementationClass', 'roles', 'extended', 'commonExtended'],
);

const contextIds = fc.uniqueArray(
  fc.nat(127).map((n) => n * 2 + 1),
  { maxLength: 12 },
);

const requests = record({
  called: title,
  calling: title,
  protocolVersion: fc.constantFrom(0, 1, 3),
  applicationContext: uid,
  contexts: contextIds.chain((ids) =>
    fc.tuple(
      ...ids.map((id) =>
        record({
          id: fc.constant(id),
          abstractSyntax: uid,
          transferSyntaxes: fc.array(uid, { minLength: 1, maxLength: 5 }),
        }),
      ),
    ),
  ),
  user,
}) as fc.Arbitrary<AssociateRequest>;

const accepts = record({
  called: title,
  calling: title,
  applicationContext: uid,
  contexts: contextIds.chain((ids) =>
    fc.tuple(
      ...ids.map((id) =>
        record({
          id: fc.constant(id),
          result: fc.constantFrom('accepted', 'userRejection', 'noReason', 'abstractSyntax', 'transferSyntaxes'),
          transferSyntax: uid,
        }),
      ),
    ),
  ),
  user,
}) as fc.Arbitrary<AssociateAccept>;

const bodyOf = (pdu: Uint8Array): Uint8Array => pdu.subarray(pduHeadBytes);

test('a request decodes to what was encoded', () => {
  fc.assert(
    fc.property(requests, (request) => {
      assert.deepEqual(decodeAssociateRequest(bodyOf(encodeAssociateRequest(request))), request);
    }),
  );
});

test('an acceptance decodes to what was encoded', () => {
  fc.assert(
    fc.property(accepts, (accept) => {
      assert.deepEqual(decodeAssociateAccept(bodyOf(encodeAssociateAccept(accept))), accept);
    }),
  );
});

/** A decoder gives a value or DICOM_PROTOCOL, whatever it gets. */
function check(decode: (body: Uint8Array) => unknown, body: Uint8Array): void {
  try {
    decode(body);
  } catch (error) {
    assert.ok(isArchiveError(error, 'DICOM_PROTOCOL'), String(error));
  }
}

test('cut off, altered or random bytes are a protocol error or a value, nothing else', () => {
  fc.assert(
    fc.property(requests, fc.nat(), fc.nat(255), fc.uint8Array({ maxLength: 300 }), (request, at, value, noise) => {
      const body = bodyOf(encodeAssociateRequest(request));
      check(decodeAssociateRequest, body.subarray(0, at % body.byteLength));
      const altered = body.slice();
      altered[at % altered.byteLength] = value;
      check(decodeAssociateRequest, altered);
      check(decodeAssociateAccept, altered);
      check(decodeAssociateRequest, noise);
      check(decodeAssociateAccept, concatBytes([body.subarray(0, 68), noise]));
    }),
  );
});

const head = concatBytes([
  u16(1),
  u16(0),
  Buffer.from('CALLED'.padEnd(16)),
  Buffer.from('CALLING'.padEnd(16)),
  new Uint8Array(32),
]);

test('items of unknown types are passed over, and padded texts come without their padding', () => {
  const padded = (text: string): Uint8Array => Buffer.from(text, 'latin1');
  const body = concatBytes([
    head,
    item(0x10, [padded('1.2.840.10008.3.1.1.1\0')]),
    item(0x99, [padded('who knows')]),
    item(0x20, [
      u8(5, 0, 0, 0),
      item(0x30, [padded('1.2.3 ')]),
      item(0x77, []),
      item(0x40, [padded('1.2.840.10008.1.2\0')]),
    ]),
    item(0x50, [item(0x51, [bytesOfHex('00004000')]), item(0x6f, [padded('x')]), item(0x52, [padded('1.2')])]),
  ]);
  const request = decodeAssociateRequest(body);
  assert.equal(request.applicationContext, '1.2.840.10008.3.1.1.1');
  assert.deepEqual(request.contexts, [{ id: 5, abstractSyntax: '1.2.3', transferSyntaxes: ['1.2.840.10008.1.2'] }]);
  assert.equal(request.user.pduBytesMax, 16_384);
  assert.equal(request.called, 'CALLED');
});

test('a title that is not ASCII is readable enough to be refused', () => {
  const body = concatBytes([head, item(0x10, [Buffer.from('1.2')])]);
  body.set(Buffer.from('d6d0b9fa', 'hex'), 20);
  assert.equal(decodeAssociateRequest(body).calling, '????ING');
});

test('a context id that is even, zero or there twice is a protocol error', () => {
  const context = (id: number): Uint8Array =>
    item(0x20, [u8(id, 0, 0, 0), item(0x30, [Buffer.from('1.2.3')]), item(0x40, [Buffer.from('1.2')])]);
  for (const ids of [[0], [2], [3, 3]]) {
    const body = concatBytes([head, ...ids.map(context)]);
    assert.throws(() => decodeAssociateRequest(body), {
      code: 'DICOM_PROTOCOL',
      abort: { source: 'provider', reason: 6 },
    });
  }
});

test('an identity of a kind that is not known is none', () => {
  const identity = item(0x58, [u8(9, 1), u16(2), Buffer.from('ab'), u16(0)]);
  const body = concatBytes([head, item(0x50, [identity])]);
  assert.equal(decodeAssociateRequest(body).user.identity, undefined);
});
