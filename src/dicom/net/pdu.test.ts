import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hexOf } from '../../base/index.ts';
import {
  decodeAbort,
  decodeReject,
  encodeAbort,
  encodeReject,
  encodeReleaseReply,
  encodeReleaseRequest,
  pduHeadBytes,
  type RejectReason,
  rejectReasons,
  writeDataHead,
} from './pdu.ts';
import { abortReason } from './protocol-error.ts';

test('the short PDUs have the bytes of PS3.8', () => {
  assert.equal(hexOf(encodeReleaseRequest()), '05000000000400000000');
  assert.equal(hexOf(encodeReleaseReply()), '06000000000400000000');
  assert.equal(hexOf(encodeReject({ result: 'permanent', reason: 'calledAe' })), '03000000000400010107');
  assert.equal(hexOf(encodeReject({ result: 'transient', reason: 'localLimit' })), '03000000000400020302');
  assert.equal(hexOf(encodeAbort({ source: 'user' })), '07000000000400000000');
  assert.equal(hexOf(encodeAbort({ source: 'provider', reason: abortReason.unexpectedPdu })), '07000000000400000202');
});

test('a rejection decodes to what was encoded, and unknown numbers are kept', () => {
  for (const reason of Object.keys(rejectReasons) as RejectReason[]) {
    for (const result of ['permanent', 'transient'] as const) {
      const decoded = decodeReject(encodeReject({ result, reason }).subarray(pduHeadBytes));
      assert.deepEqual([decoded.result, decoded.reason], [result, reason]);
    }
  }
  assert.deepEqual(decodeReject(Uint8Array.of(0, 1, 1, 9)), {
    result: 'permanent',
    reason: 'unknown',
    source: 1,
    number: 9,
  });
});

test('an abort decodes to what was encoded', () => {
  for (const abort of [{ source: 'user' }, { source: 'provider', reason: 6 }] as const) {
    assert.deepEqual(decodeAbort(encodeAbort(abort).subarray(pduHeadBytes)), abort);
  }
});

test('the heads of a fragment count what follows', () => {
  const bytes = new Uint8Array(14);
  writeDataHead(bytes, 1, { contextId: 3, flags: 2, count: 0x0102_0304 });
  assert.equal(hexOf(bytes), '0004000102030a01020306030200');
});
