// Conditional requests and ranges (RFC 9110).
//
// Invariants: a strong tag names the very bytes that would be given, a weak one what they say (a boundary is drawn anew, JSON may be packed); a range that cannot be is 416, one in a form that we do not give (several, other
// units) is answered with the whole.

import type { IncomingMessage } from 'node:http';
import { HttpProblem } from './http-problem.ts';
import type { Reply } from './reply.ts';

/** Headers of an answer that may be kept by who asked, and must be asked for again each time. */
export function tagHeaders(stamp: string): Readonly<Record<string, string>> {
  return { etag: `"${stamp}"`, 'cache-control': 'private, no-cache' };
}

/** The same, for bytes that differ from answer to answer and say the same. */
export function weakTagHeaders(stamp: string): Readonly<Record<string, string>> {
  return { ...tagHeaders(stamp), etag: `W/"${stamp}"` };
}

/** Whether the client has it already; then it was told so. */
export function answeredUnchanged(request: IncomingMessage, reply: Reply, stamp: string): boolean {
  const header = request.headers['if-none-match'];
  if (header === undefined) return false;
  const known = header.split(',').map((each) => each.trim().replace(/^W\//, ''));
  if (!known.includes('*') && !known.includes(`"${stamp}"`)) return false;
  reply.begin(304, tagHeaders(stamp));
  reply.end();
  return true;
}

export type ByteRange = { readonly from: number; readonly to: number };

/** From `from` up to `to`; undefined: the whole. */
export function rangeOf(request: IncomingMessage, sizeBytes: number, stamp: string): ByteRange | undefined {
  const { range } = request.headers;
  const ifRange = request.headers['if-range'];
  if (range === undefined || (ifRange !== undefined && ifRange !== `"${stamp}"`)) return undefined;
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(range.trim());
  if (match === null) return undefined;
  const [, first = '', last = ''] = match;
  if (first === '' && last === '') return undefined;
  const from = first === '' ? Math.max(0, sizeBytes - Number(last)) : Number(first);
  const to = first === '' || last === '' ? sizeBytes : Math.min(sizeBytes, Number(last) + 1);
  if (last !== '' && first !== '' && Number(last) < from) return undefined;
  if (from >= to) throw new HttpProblem(416, 'there are no such bytes', { 'content-range': `bytes */${sizeBytes}` });
  return { from, to };
}

/** Bytes of a known length, or the range of them that was asked for. */
export async function sendBytes(
  parts: { readonly request: IncomingMessage; readonly reply: Reply },
  headers: Readonly<Record<string, string>>,
  body: {
    readonly stamp: string;
    readonly sizeBytes: number;
    readonly read: (from: number, to: number) => AsyncIterable<Uint8Array>;
  },
): Promise<void> {
  const { request, reply } = parts;
  const { stamp, sizeBytes, read } = body;
  const range = rangeOf(request, sizeBytes, stamp);
  const { from, to } = range ?? { from: 0, to: sizeBytes };
  const all = {
    ...headers,
    ...tagHeaders(stamp),
    'accept-ranges': 'bytes',
    'content-length': String(to - from),
    ...(range === undefined ? {} : { 'content-range': `bytes ${from}-${to - 1}/${sizeBytes}` }),
  };
  if (!reply.begin(range === undefined ? 200 : 206, all)) return;
  await reply.writeAll(read(from, to));
  reply.end();
}
