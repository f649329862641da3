// JSON that goes out in pieces: packed where the client takes that and it pays.
//
// Invariants: what was found first is on its way while the rest is being found; pieces that go out are neither tiny nor large.

import type { IncomingMessage } from 'node:http';
import { createGzip, gzip } from 'node:zlib';
import type { Reply } from './reply.ts';

export function takesGzip(request: IncomingMessage): boolean {
  const header = request.headers['accept-encoding'];
  return (
    typeof header === 'string' &&
    /(?:^|,)\s*(?:gzip|\*)\s*(?:;\s*q=(?!0(?:\.0*)?\s*(?:,|$))[\d.]+\s*)?(?:,|$)/i.test(header)
  );
}

/** Below this a packed answer takes as many packets as a plain one. */
export const gzipBytesMin = 8 * 1024;
/** The quickest: lines within a hospital are wide. */
const gzipLevel = 1;
const pieceBytes = 64 * 1024;

/** Text to bytes, a good piece at a time. */
export async function* inPieces(texts: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  let held = '';
  for await (const text of texts) {
    held += text;
    if (held.length < pieceBytes) continue;
    yield Buffer.from(held, 'utf8');
    held = '';
  }
  if (held !== '') yield Buffer.from(held, 'utf8');
}

export function gzipped(bytes: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    gzip(bytes, { level: gzipLevel }, (error, packed) => (error === null ? resolve(packed) : reject(error)));
  });
}

/** Pieces as one gzip stream, with what backs up in it bounded by its own buffers. */
export async function* gzipPieces(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const packer = createGzip({ level: gzipLevel });
  let failure: unknown;
  const feeding = (async () => {
    try {
      for await (const piece of pieces) {
        if (packer.destroyed) return;
        if (!packer.write(piece))
          await new Promise<void>((resolve) => packer.once('drain', resolve).once('close', resolve));
      }
      packer.end();
    } catch (error) {
      failure = error;
      packer.destroy();
    }
  })();
  try {
    for await (const packed of packer as AsyncIterable<Uint8Array>) yield packed;
  } catch (error) {
    throw failure ?? error;
  } finally {
    packer.destroy();
    await feeding;
  }
  if (failure !== undefined) throw failure;
}

/** An answer in JSON, its head sent when the first piece is there. */
export async function sendJson(
  parts: { readonly request: IncomingMessage; readonly reply: Reply },
  headers: Readonly<Record<string, string>>,
  texts: AsyncIterable<string>,
): Promise<void> {
  const { request, reply } = parts;
  const pieces = inPieces(texts);
  const first = await pieces.next();
  const second = first.done === true ? first : await pieces.next();
  if (first.done !== true && second.done === true) {
    const packs = first.value.byteLength >= gzipBytesMin && takesGzip(request);
    const body = packs ? await gzipped(first.value) : first.value;
    reply.send(200, { ...headers, ...(packs ? { 'content-encoding': 'gzip' } : {}) }, body);
    return;
  }
  const packs = takesGzip(request);
  if (!reply.begin(200, { ...headers, ...(packs ? { 'content-encoding': 'gzip' } : {}) })) {
    await pieces.return(undefined);
    return;
  }
  const all = again([first, second], pieces);
  await reply.writeAll(packs ? gzipPieces(all) : all);
  reply.end();
}

/** A stream of which the first pieces were taken already. */
export async function* again(
  known: readonly IteratorResult<Uint8Array, unknown>[],
  rest: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  for (const each of known) if (each.done !== true) yield each.value;
  yield* rest;
}
