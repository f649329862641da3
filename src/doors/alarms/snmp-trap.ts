// A notice as an SNMP notification of version 2c (RFC 3416), one for each line: for the network management that a hospital has.
//
// Invariant: what is sent is the notification that RFC 5676 defines for messages of syslog, so that a manager needs no module of ours to read it.
// Left out on purpose: version 3; who needs its privacy takes syslog over TLS.

import { concatBytes, der, utf8Bytes } from '../../base/index.ts';
import type { NoticeText } from './notice-text.ts';
import { appName, facility, messageId, type SyslogSource, severities } from './syslog.ts';

const sysUpTime = '1.3.6.1.2.1.1.3.0';
const snmpTrapOid = '1.3.6.1.6.3.1.1.4.1.0';
/** syslogMsgNotification. */
const notification = '1.3.6.1.2.1.192.0.1';
/** syslogMsgEntry; a message is kept nowhere, so each is the first of its table. */
const column = (number: number): string => `1.3.6.1.2.1.192.1.2.1.${number}.1`;
const version2c = 1;
const trapPdu = 7;
const timeTicks = 3;
const unsigned32 = 2;
const textBytesMax = 1024;

const { integer, numbered, objectId, octets, sequence } = der;

export type TrapParts = SyslogSource & {
  readonly community: string;
  readonly uptimeSeconds: number;
  readonly requestId: number;
};

export function trapMessages({ lines }: NoticeText, level: keyof typeof severities, parts: TrapParts): Uint8Array[] {
  return lines.map((line, index) => {
    const values = [
      sequence(objectId(sysUpTime), application(timeTicks, Math.floor(parts.uptimeSeconds * 100) % 2 ** 32)),
      sequence(objectId(snmpTrapOid), objectId(notification)),
      sequence(objectId(column(2)), number(facility)),
      sequence(objectId(column(3)), number(severities[level])),
      sequence(objectId(column(4)), application(unsigned32, 1)),
      sequence(objectId(column(5)), octets(timeStamp(parts.nowMs))),
      sequence(objectId(column(6)), octets(ascii(parts.host))),
      sequence(objectId(column(7)), octets(ascii(appName))),
      sequence(objectId(column(8)), octets(ascii(String(parts.processId)))),
      sequence(objectId(column(9)), octets(ascii(messageId))),
      sequence(objectId(column(10)), application(unsigned32, 0)),
      sequence(objectId(column(11)), octets(cut(line))),
    ];
    const pdu = [number((parts.requestId + index) % 2 ** 31), number(0), number(0), sequence(...values)];
    const trap = numbered(trapPdu, concatBytes(pdu), 'inner');
    return sequence(number(version2c), octets(utf8Bytes(parts.community)), trap);
  });
}

const number = (value: number): Uint8Array => integer(unsigned(value));

/** An integer in all but its tag. */
function application(tag: number, value: number): Uint8Array {
  return numbered(tag, number(value).subarray(2), 'application');
}

function unsigned(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

/** SyslogTimeStamp: a time of UTC, to the microsecond. */
function timeStamp(ms: number): Uint8Array {
  const date = new Date(ms);
  const year = date.getUTCFullYear();
  const microseconds = date.getUTCMilliseconds() * 1000;
  return Uint8Array.of(
    year >> 8,
    year & 0xff,
    date.getUTCMonth() + 1,
    date.getUTCDate(),
    date.getUTCHours(),
    date.getUTCMinutes(),
    date.getUTCSeconds(),
    microseconds >> 16,
    (microseconds >> 8) & 0xff,
    microseconds & 0xff,
    0x2b,
    0,
    0,
  );
}

const ascii = (text: string): Uint8Array => utf8Bytes(text.replace(/[^\x20-\x7e]/g, '-').slice(0, 255));

/** At most so many bytes, of whole characters. */
function cut(line: string): Uint8Array {
  const bytes = utf8Bytes(line);
  if (bytes.byteLength <= textBytesMax) return bytes;
  let end = textBytesMax;
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end);
}
