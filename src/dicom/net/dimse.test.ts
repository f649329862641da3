import assert from 'node:assert/strict';
import { test } from 'node:test';
import { classifyCommand, requestOf, responseTo } from './dimse-commands.ts';
import { dimseStatus, statusClass, statusText } from './dimse-status.ts';

test('every status has its class', () => {
  const table: [number, string][] = [
    [0x0000, 'success'],
    [0x0001, 'warning'],
    [0x0105, 'failure'],
    [0x0107, 'warning'],
    [0x0116, 'warning'],
    [0x0122, 'failure'],
    [0x0211, 'failure'],
    [0xa700, 'failure'],
    [0xa7ff, 'failure'],
    [0xa900, 'failure'],
    [0xb000, 'warning'],
    [0xb007, 'warning'],
    [0xbfff, 'warning'],
    [0xc000, 'failure'],
    [0xc123, 'failure'],
    [0xfe00, 'cancel'],
    [0xff00, 'pending'],
    [0xff01, 'pending'],
    [0xff02, 'failure'],
    [0x4711, 'failure'],
  ];
  for (const [status, expected] of table) assert.equal(statusClass(status), expected, status.toString(16));
  for (const status of Object.values(dimseStatus)) assert.ok(statusText(status).length > 5);
});

test('a status is told by number and name', () => {
  assert.equal(statusText(0), '0000 success');
  assert.equal(statusText(0xa7fe), 'A7FE outOfResources');
  assert.equal(statusText(0xa801), 'A801 moveDestinationUnknown');
  assert.equal(statusText(0xc0ff), 'C0FF cannotUnderstand');
  assert.equal(statusText(0x4711), '4711 failure');
});

test('a response names what its request named, under the names that PS3.7 gives', () => {
  const store = {
    ...requestOf('C-STORE', { sopClass: '1.2', sopInstance: '1.3', priority: 0 }),
    messageId: 9,
    hasDataSet: true,
  };
  const stored = responseTo(store, { status: 0 }, false);
  assert.deepEqual(
    [
      stored.commandField,
      stored.messageIdRespondedTo,
      stored.affectedSopClass,
      stored.affectedSopInstance,
      stored.priority,
    ],
    [0x8001, 9, '1.2', '1.3', undefined],
  );
  const action = {
    ...requestOf('N-ACTION', { sopClass: '1.2', sopInstance: '1.3', actionType: 1 }),
    messageId: 2,
    hasDataSet: true,
  };
  assert.deepEqual([action.requestedSopClass, action.affectedSopClass], ['1.2', undefined]);
  const acted = responseTo(action, { status: 0x0112 }, false);
  assert.deepEqual(
    [acted.affectedSopClass, acted.affectedSopInstance, acted.requestedSopClass, acted.actionType],
    ['1.2', '1.3', undefined, 1],
  );
  const create = { ...requestOf('N-CREATE', { sopClass: '1.2' }), messageId: 3, hasDataSet: true };
  assert.equal(responseTo(create, { status: 0, sopInstance: '1.9' }, true).affectedSopInstance, '1.9');
});

test('remaining sub-operations are told while some may remain', () => {
  const move = { ...requestOf('C-MOVE', { sopClass: '1.2' }), messageId: 1, hasDataSet: true };
  const counts = { remaining: 3, completed: 70_000, failed: 1, warning: 0 };
  for (const [status, remaining] of [
    [0xff00, 3],
    [0xfe00, 3],
    [0x0000, undefined],
    [0xb000, undefined],
    [0xa702, undefined],
  ] as const) {
    const answer = responseTo(move, { status, counts }, false);
    assert.deepEqual([answer.remaining, answer.completed, answer.failed, answer.warning], [remaining, 65_535, 1, 0]);
  }
});

test('a command that nothing can go on with is a protocol error', () => {
  const table = [
    { commandField: 0x0999 },
    { commandField: 0x8fff },
    { commandField: 0x0001 },
    { commandField: 0x8001, status: 0 },
    { commandField: 0x8001, messageIdRespondedTo: 1 },
    { commandField: 0x0fff },
    { commandField: 0x0fff, messageIdRespondedTo: 1, hasDataSet: true },
  ];
  for (const fields of table) {
    assert.throws(() => classifyCommand({ hasDataSet: false, ...fields }), { code: 'DICOM_PROTOCOL' });
  }
});
