// A notice as an SNMP trap of version 2c (RFC 3416), one for each line: for the network management that a hospital has.
//
// Invariant: objects lie below a UUID of ours (ITU-T X.667), since nobody gave us a number. docs/STELE-MIB.txt names them.
// Left out on purpose: version 3; who needs its privacy takes syslog over TLS.

import { der, utf8Bytes } from '../../base/index.ts';
import type { NoticeText } from './notice-text.ts';

const root = '2.25.29451886520873377716229710758735888568';
export const trapObjects = { alarm: `${root}.0.1`, level: `${root}.1.1`, text: `${root}.1.2` } as const;
const sysUpTime = '1.3.6.1.2.1.1.3.0';
const snmpTrapOid = '1.3.6.1.6.3.1.1.4.1.0';
const version2c = 1;
const trapPdu = 7;
const timeTicks = 3;
const levels = { severe: 3, warning: 2, info: 1 } as const;
const textBytesMax = 1024;

const { integer, numbered, objectId, octets, sequence } = der;

export function trapMessages(
  { lines }: NoticeText,
  level: keyof typeof levels,
  parts: { readonly community: string; readonly uptimeSeconds: number; readonly requestId: number },
): Uint8Array[] {
  return lines.map((line, index) =>
    sequence(
      integer(Uint8Array.of(version2c)),
      octets(utf8Bytes(parts.community)),
      numbered(
        trapPdu,
        Buffer.concat([
          integer(unsigned((parts.requestId + index) % 2 ** 31)),
          integer(Uint8Array.of(0)),
          integer(Uint8Array.of(0)),
          sequence(
            sequence(objectId(sysUpTime), ticks(parts.uptimeSeconds)),
            sequence(objectId(snmpTrapOid), objectId(trapObjects.alarm)),
            sequence(objectId(trapObjects.level), integer(Uint8Array.of(levels[level]))),
            sequence(objectId(trapObjects.text), octets(cut(line))),
          ),
        ]),
        'inner',
      ),
    ),
  );
}

/** An integer in all but its tag. */
function ticks(seconds: number): Uint8Array {
  const [, , ...content] = integer(unsigned(Math.floor(seconds * 100) % 2 ** 32));
  return numbered(timeTicks, Uint8Array.from(content), 'application');
}

function unsigned(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

/** At most so many bytes, of whole characters. */
function cut(line: string): Uint8Array {
  const bytes = utf8Bytes(line);
  if (bytes.byteLength <= textBytesMax) return bytes;
  let end = textBytesMax;
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end);
}
