import assert from 'node:assert/strict';
import { test } from 'node:test';
import { actionNames, actions, type ChainedEvent } from '../../archive/index.ts';
import { dicomAuditMessage } from './dicom-audit-message.ts';

const source = { title: 'STELE', host: 'archive.example' };
const nothing = { tenant: undefined, study: undefined, subject: undefined, untilMs: undefined, follows: undefined };

function event(more: Partial<ChainedEvent>): ChainedEvent {
  const place = { number: 2, before: '00', door: 'dicomweb', from: '10.0.0.1', count: 1 };
  return { ...nothing, ...place, atMs: 0, action: 'study.read', result: 'ok', who: 'user:alice', ...more };
}

test('a look at a study is told with who, from where and which study', () => {
  const text = dicomAuditMessage(event({ study: '1.2.3', count: 4 }), source);
  assert.match(
    text,
    /^<AuditMessage><EventIdentification EventActionCode="R" EventDateTime="1970-01-01T00:00:00.000Z" EventOutcomeIndicator="0"><EventID csd-code="110103" /,
  );
  assert.match(
    text,
    /<ActiveParticipant UserID="user:alice" UserName="dicomweb" UserIsRequestor="true" NetworkAccessPointID="10.0.0.1" NetworkAccessPointTypeCode="2"\/>/,
  );
  assert.match(
    text,
    /ParticipantObjectID="1.2.3" ParticipantObjectTypeCode="2" ParticipantObjectTypeCodeRole="3"><ParticipantObjectIDTypeCode csd-code="110180"/,
  );
  assert.ok(!text.includes('\n'));
});

test('kinds, outcomes and refusals are those of the standard', () => {
  const check = (more: Partial<ChainedEvent>, ...parts: string[]): void => {
    const text = dicomAuditMessage(event(more), source);
    for (const part of parts) assert.ok(text.includes(part), `${part} in ${text}`);
  };
  check({ action: 'log.in', who: 'visitor:' }, '110114', '110122');
  check(
    { action: 'log.in', result: 'ACCESS_DENIED' },
    '110114',
    'EventOutcomeIndicator="4"',
    '<EventOutcomeDescription>ACCESS_DENIED<',
  );
  check({ result: 'ACCESS_DENIED' }, '110113', '110132');
  check({ action: 'audit.read' }, '110101', 'Security Audit Log', 'ParticipantObjectTypeCodeRole="13"');
  check(
    { action: 'study.store', who: 'entity:CT1' },
    '110104',
    'EventActionCode="C"',
    'AlternativeUserID="AETITLES=CT1"',
  );
  check({ action: 'audit.begin' }, '110100', '110120');
});

test('what somebody called themselves is no markup', () => {
  const text = dicomAuditMessage(event({ who: 'entity:<A&"\u0007', subject: `'>` }), source);
  assert.ok(text.includes('UserID="entity:&lt;A&amp;&quot;?"'), text);
  assert.ok(text.includes('ParticipantObjectID="&apos;&gt;"'));
});

test('every audited action has a message', () => {
  for (const action of actionNames)
    if (actions[action].audit !== 'none')
      assert.match(dicomAuditMessage(event({ action }), source), /<EventID csd-code="11\d{4}"/);
});
