// A notice by syslog: RFC 5424, over UDP (RFC 5426), TCP (RFC 6587, counted octets) or TLS (RFC 5425).
//
// Invariant: one message a line of the notice, UTF-8, with the length before it where the line is a stream.

import { createSocket } from 'node:dgram';
import { isIP, isIPv6, connect as netConnect, type Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { concatBytes, utf8Bytes } from '../../base/index.ts';
import type { NoticeText } from './notice-text.ts';

/** Security and authorization messages of the system. */
export const facility = 10;
/** Critical, warning, informational. */
export const severities = { severe: 2, warning: 4, info: 6 } as const;
export const appName = 'stele';
export const messageId = 'ALARM';
const waitMs = 20_000;

export type SyslogSource = { readonly host: string; readonly processId: number; readonly nowMs: number };

export function syslogMessages(
  { lines }: NoticeText,
  level: keyof typeof severities,
  source: SyslogSource,
): Uint8Array[] {
  const host = source.host.replace(/[^\x21-\x7e]/g, '-').slice(0, 255) || '-';
  const head = `<${8 * facility + severities[level]}>1 ${new Date(source.nowMs).toISOString()} ${host} ${appName} ${source.processId} ${messageId} -`;
  return lines.map((line) => concatBytes([utf8Bytes(`${head} `), Uint8Array.of(0xef, 0xbb, 0xbf), utf8Bytes(line)]));
}

export async function sendSyslog(url: URL, messages: readonly Uint8Array[]): Promise<void> {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (url.protocol === 'syslog:') return sendDatagrams(host, Number(url.port || 514), messages);
  const isSecure = url.protocol === 'syslog+tls:';
  const port = Number(url.port || (isSecure ? 6514 : 514));
  const rejectUnauthorized = url.searchParams.get('insecure') !== 'yes';
  const named = isIP(host) === 0 ? { servername: host } : {};
  const names = isSecure ? { ...named, rejectUnauthorized, minVersion: 'TLSv1.2' as const } : {};
  const socket = isSecure ? tlsConnect({ host, port, ...names }) : netConnect({ host, port });
  await written(socket, messages, isSecure ? 'secureConnect' : 'connect');
}

async function written(socket: Socket, messages: readonly Uint8Array[], ready: string): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      socket.setTimeout(waitMs, () => reject(new Error('the syslog server does not answer')));
      socket.once('error', reject);
      socket.once('close', () => reject(new Error('the syslog server closed the line')));
      socket.once(ready, () => {
        const counted = messages.flatMap((message) => [utf8Bytes(`${message.byteLength} `), message]);
        socket.end(concatBytes(counted), () => resolve());
      });
      socket.resume();
    });
  } finally {
    socket.destroy();
  }
}

export async function sendDatagrams(host: string, port: number, messages: readonly Uint8Array[]): Promise<void> {
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
  try {
    for (const message of messages) {
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject);
        socket.send(message, port, host, (error) => (error === null ? resolve() : reject(error)));
      });
    }
  } finally {
    socket.close();
  }
}
