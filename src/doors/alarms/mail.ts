// A notice by mail.
//
// Invariant: beyond this machine a password goes over TLS only, and the server's certificate is checked unless the URL says insecure=yes.

import { createTransport } from 'nodemailer';
import type { NoticeText } from './notice-text.ts';

const waitMs = 20_000;

/** smtp://USER:PASSWORD@HOST:PORT?from=ADDRESS&to=ADDRESS[,ADDRESS] ; smtps: TLS from the first byte. */
export async function sendMail(url: URL, { subject, lines }: NoticeText): Promise<void> {
  const secure = url.protocol === 'smtps:';
  const user = decodeURIComponent(url.username);
  const isLocal = /^(?:localhost|127\.|\[::1\])/.test(url.hostname);
  const transport = createTransport({
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || (secure ? 465 : 587)),
    secure,
    // STARTTLS where a password is sent; a relay of the house that asks for none may have none.
    requireTLS: !secure && user !== '' && !isLocal,
    ...(user === '' ? {} : { auth: { user, pass: decodeURIComponent(url.password) } }),
    tls: { rejectUnauthorized: url.searchParams.get('insecure') !== 'yes', minVersion: 'TLSv1.2' },
    connectionTimeout: waitMs,
    greetingTimeout: waitMs,
    socketTimeout: waitMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  try {
    await transport.sendMail({
      from: url.searchParams.get('from') ?? '',
      to: (url.searchParams.get('to') ?? '').split(','),
      subject,
      text: `${lines.join('\n')}\n`,
    });
  } finally {
    transport.close();
  }
}
