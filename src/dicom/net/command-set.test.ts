import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bytesOfHex, concatBytes, hexOf, isArchiveError } from '../../base/index.ts';
import { type CommandSet, decodeCommandSet, encodeCommandSet } from './command-set.ts';

const u16 = fc.nat(0xffff);
const uid = fc.stringMatching(/^[1-9][0-9.]{0,62}$/);
const title = fc.stringMatching(/^[A-Z][A-Z0-9 ]{0,14}[A-Z0-9]$/);
const tags = fc.array(fc.nat(0xffff_ffff), { minLength: 1, maxLength: 5 });

const commands = fc.record(
  {
    commandField: u16,
    hasDataSet: fc.boolean(),
    affectedSopClass: uid,
    requestedSopClass: uid,
    messageId: u16,
    messageIdRespondedTo: u16,
    moveDestination: title,
    priority: u16,
    status: u16,
    offendingElements: tags,
    errorComment: fc.stringMatching(/^[A-Za-z][A-Za-z0-9 ]{0,62}[A-Za-z]$/),
    errorId: u16,
    affectedSopInstance: uid,
    requestedSopInstance: uid,
    eventType: u16,
    attributes: tags,
    actionType: u16,
    remaining: u16,
    completed: u16,
    failed: u16,
    warning: u16,
    moveOriginator: title,
    moveOriginatorMessageId: u16,
  },
  { requiredKeys: ['commandField', 'hasDataSet'], noNullPrototype: true },
) as fc.Arbitrary<CommandSet>;

test('a command decodes to what was encoded, behind whatever head is left room for', () => {
  fc.assert(
    fc.property(commands, fc.nat(20), (command, headBytes) => {
      const bytes = encodeCommandSet(command, headBytes).subarray(headBytes);
      assert.equal(bytes.byteLength % 2, 0);
      assert.equal(Buffer.from(bytes).readUInt32LE(8), bytes.byteLength - 12);
      assert.deepEqual(decodeCommandSet(bytes), command);
    }),
  );
});

test('a C-ECHO request has the bytes of PS3.7', () => {
  const command = { commandField: 0x30, hasDataSet: false, messageId: 1, affectedSopClass: '1.2.840.10008.1.1' };
  assert.equal(
    hexOf(encodeCommandSet(command)),
    '0000000004000000380000000000020012000000312e322e3834302e31303030382e312e31000000000102000000300000001001020000000100000000080200000001' +
      '01',
  );
});

test('elements that are not known are passed over, and empty ones are as none', () => {
  const retired = bytesOfHex('00001000020000003132'); // (0000,0010)
  const empty = bytesOfHex('0000000600000000'); // an empty Move Destination
  const known = encodeCommandSet({ commandField: 1, hasDataSet: true, messageId: 7 });
  assert.deepEqual(decodeCommandSet(concatBytes([known, retired, empty])), {
    commandField: 1,
    hasDataSet: true,
    messageId: 7,
  });
});

test('any data set type but 0101 means that a data set follows', () => {
  const bytes = Buffer.from(encodeCommandSet({ commandField: 1, hasDataSet: true }));
  for (const type of [0, 1, 0x0102, 0xffff]) {
    bytes.writeUInt16LE(type, bytes.byteLength - 2);
    assert.equal(decodeCommandSet(bytes).hasDataSet, true);
  }
});

function check(hex: string, problem: RegExp): void {
  assert.throws(() => decodeCommandSet(bytesOfHex(hex)), { code: 'DICOM_PROTOCOL', message: problem });
}

test('a command that is none is refused', () => {
  const field = '00000001020000000100';
  const type = '00000008020000000101';
  check('', /no command field/);
  check(field, /data set follows/);
  check(type, /no command field/);
  check(`${field}${type}00`, /within an element/);
  check(`${field}08000500020000000100`, /group 8/);
  check('0000000102000000', /longer than it/);
  check('00000001ffffffff01000000', /longer than it/);
  check(`00000001040000000100${'0000'}${type}`, /4 bytes instead of 2/);
  check(`${field}${type}0000010903000000010203`, /tags/);
});

test('random bytes are a command or a protocol error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), commands, fc.nat(), fc.nat(255), (noise, command, at, value) => {
      const altered = encodeCommandSet(command).slice();
      altered[at % altered.byteLength] = value;
      for (const bytes of [noise, altered]) {
        try {
          decodeCommandSet(bytes);
        } catch (error) {
          assert.ok(isArchiveError(error, 'DICOM_PROTOCOL'));
        }
      }
    }),
  );
});

test('a comment is cut to 64 characters of plain ASCII', () => {
  const bytes = encodeCommandSet({ commandField: 1, hasDataSet: false, errorComment: `a\\b\n${'é'.repeat(80)}` });
  assert.equal(decodeCommandSet(bytes).errorComment, `a?b?${'?'.repeat(60)}`);
});
