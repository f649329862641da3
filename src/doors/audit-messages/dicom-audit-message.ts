// A DICOM audit message (PS3.15 A.5): one event of the audit as XML, on one line.
//
// Invariants: the kind of an event is one of the standard's; what has no place there is not said; every text is escaped, and of characters that XML does not have there
// is none; no message holds a name of a patient, so the ones that would want one (Query with its keys, objects of kind patient) say less than the standard asks.
// Left out on purpose: how it is sent (a syslog client can: the message is the MSG of RFC 5424, its type DICOM+RFC3881).

import type { ChainedEvent } from '../../archive/index.ts';

export type MessageSource = {
  /** Who reports: our application entity title. */
  readonly title: string;
  /** The machine. */
  readonly host: string;
};

type Code = { readonly code: string; readonly says: string };
type Kind = { readonly event: Code; readonly type?: Code; readonly does: 'C' | 'R' | 'U' | 'D' | 'E' };

const dcm = (code: string, says: string): Code => ({ code, says });
const activity = dcm('110100', 'Application Activity');
const accessed = dcm('110103', 'DICOM Instances Accessed');
const transferred = dcm('110104', 'DICOM Instances Transferred');
const alert = dcm('110113', 'Security Alert');
const authentication = dcm('110114', 'User Authentication');
const securitySettings = dcm('110129', 'Security Configuration');

const kinds: Readonly<Record<string, Kind>> = {
  'audit.begin': { event: activity, type: dcm('110120', 'Application Start'), does: 'E' },
  'log.in': { event: authentication, type: dcm('110122', 'Login'), does: 'E' },
  'association.open': { event: authentication, type: dcm('110126', 'Node Authentication'), does: 'E' },
  'study.find': { event: dcm('110112', 'Query'), does: 'E' },
  'study.read': { event: accessed, does: 'R' },
  'study.store': { event: transferred, does: 'C' },
  'study.send': { event: transferred, does: 'R' },
  'study.change': { event: accessed, does: 'U' },
  'study.hide': { event: accessed, does: 'D' },
  'audit.read': { event: dcm('110101', 'Audit Log Used'), does: 'R' },
  'entity.change': { event: alert, type: dcm('110128', 'Network Configuration'), does: 'E' },
  'user.change': { event: alert, type: dcm('110137', 'User security Attributes Changed'), does: 'E' },
  'user.self': { event: alert, type: dcm('110137', 'User security Attributes Changed'), does: 'E' },
  'set.up': { event: alert, type: dcm('110137', 'User security Attributes Changed'), does: 'E' },
  'key.change': { event: alert, type: securitySettings, does: 'E' },
};

/** What was refused for want of a right, whatever it was. */
const restricted: Kind = { event: alert, type: dcm('110132', 'Use of Restricted Function'), does: 'E' };
/** The rest: what has no kind of its own in the standard. */
const anything: Kind = { event: activity, does: 'E' };

const [success, minorFailure] = ['0', '4'] as const;

/** One line, without a declaration in front: UTF-8 is what syslog carries. */
export function dicomAuditMessage(event: ChainedEvent, source: MessageSource): string {
  const isRefused = event.result === 'ACCESS_DENIED' && event.action !== 'log.in';
  const kind = isRefused ? restricted : (kinds[event.action] ?? anything);
  const isWell = event.result === 'ok';
  const identification = tag(
    'EventIdentification',
    {
      EventActionCode: kind.does,
      EventDateTime: new Date(event.atMs).toISOString(),
      EventOutcomeIndicator: isWell ? success : minorFailure,
    },
    [
      coded('EventID', kind.event),
      kind.type === undefined ? '' : coded('EventTypeCode', kind.type),
      isWell ? '' : `<EventOutcomeDescription>${escaped(event.result)}</EventOutcomeDescription>`,
    ],
  );
  return tag('AuditMessage', {}, [
    identification,
    participant(event),
    tag('ActiveParticipant', {
      UserID: source.title,
      AlternativeUserID: `AETITLES=${source.title}`,
      UserIsRequestor: 'false',
      NetworkAccessPointID: source.host,
      NetworkAccessPointTypeCode: '1',
    }),
    // 4: an application server process.
    tag('AuditSourceIdentification', { AuditSourceID: source.title }, [
      tag('AuditSourceTypeCode', { 'csd-code': '4' }),
    ]),
    ...objects(event, source),
  ]);
}

function participant({ who, from, door }: ChainedEvent): string {
  const isEntity = who.startsWith('entity:');
  return tag('ActiveParticipant', {
    UserID: who,
    AlternativeUserID: isEntity ? `AETITLES=${who.slice('entity:'.length)}` : undefined,
    UserName: door,
    UserIsRequestor: 'true',
    NetworkAccessPointID: from,
    NetworkAccessPointTypeCode: from === undefined ? undefined : '2',
  });
}

function objects({ action, study, subject, count }: ChainedEvent, { host }: MessageSource): string[] {
  const found: string[] = [];
  if (study !== undefined)
    found.push(
      tag(
        'ParticipantObjectIdentification',
        { ParticipantObjectID: study, ParticipantObjectTypeCode: '2', ParticipantObjectTypeCodeRole: '3' },
        [coded('ParticipantObjectIDTypeCode', dcm('110180', 'Study Instance UID')), detail('calls', String(count))],
      ),
    );
  if (action === 'audit.read')
    found.push(
      tag(
        'ParticipantObjectIdentification',
        {
          ParticipantObjectID: `stele://${host}/audit`,
          ParticipantObjectTypeCode: '2',
          ParticipantObjectTypeCodeRole: '13',
        },
        [
          tag('ParticipantObjectIDTypeCode', { 'csd-code': '12', codeSystemName: 'RFC-3881', originalText: 'URI' }),
          '<ParticipantObjectName>Security Audit Log</ParticipantObjectName>',
        ],
      ),
    );
  else if (subject !== undefined)
    found.push(
      tag(
        'ParticipantObjectIdentification',
        { ParticipantObjectID: subject, ParticipantObjectTypeCode: '2', ParticipantObjectTypeCodeRole: '13' },
        [
          tag('ParticipantObjectIDTypeCode', { 'csd-code': '12', codeSystemName: 'RFC-3881', originalText: 'URI' }),
          detail('action', action),
        ],
      ),
    );
  return found;
}

function detail(type: string, value: string): string {
  return tag('ParticipantObjectDetail', { type, value: Buffer.from(value).toString('base64') });
}

function coded(name: string, { code, says }: Code): string {
  return tag(name, { 'csd-code': code, codeSystemName: 'DCM', originalText: says });
}

function tag(
  name: string,
  attributes: Readonly<Record<string, string | undefined>>,
  inside: readonly string[] = [],
): string {
  const said = Object.entries(attributes).flatMap(([each, value]) =>
    value === undefined ? [] : [` ${each}="${escaped(value)}"`],
  );
  const content = inside.join('');
  return content === '' ? `<${name}${said.join('')}/>` : `<${name}${said.join('')}>${content}</${name}>`;
}

const marks: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

function escaped(text: string): string {
  return text
    .toWellFormed()
    .replace(/[\x00-\x1f\x7f\ufffe\uffff]/g, '?')
    .replace(/[&<>"']/g, (mark) => marks[mark] ?? '');
}
