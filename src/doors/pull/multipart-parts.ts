// A multipart answer taken apart as it comes: head and content of one part after the other.
//
// Invariants: what is held is one piece and a delimiter; heads, what stands before the first part and the number of parts have limits; a part that nobody reads to
// its end is passed over before the next one; an answer that ends before its closing delimiter is DICOM_ABORTED and never taken for whole.

import { ArchiveError } from '../../base/index.ts';

export type AnswerPart = {
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** A piece stays as it is. */
  readonly pieces: AsyncGenerator<Uint8Array>;
};

const headBytesMax = 16 * 1024;
const preambleBytesMax = 64 * 1024;
const partsMax = 1_000_000;
const headEnd = Buffer.from('\r\n\r\n');

/** The delimiter that a Content-Type names; undefined when it is no multipart. DICOM_PROTOCOL. */
export function boundaryOf(contentType: string): string | undefined {
  if (!/^multipart\/related\b/i.test(contentType.trim())) return undefined;
  const match = /;\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(contentType);
  const boundary = match?.[1] ?? match?.[2];
  if (boundary === undefined) throw new ArchiveError('DICOM_PROTOCOL', 'a multipart answer names no boundary');
  return boundary;
}

/** DICOM_PROTOCOL, DICOM_ABORTED, LIMIT_EXCEEDED; errors of `source` pass through. */
export async function* partsOf(source: AsyncIterable<Uint8Array>, boundary: string): AsyncGenerator<AnswerPart> {
  const iterator = source[Symbol.asyncIterator]();
  try {
    const reader = new MultipartReader(iterator, boundary);
    await reader.skipPreamble();
    for (let count = 1; ; count += 1) {
      const headers = await reader.head();
      if (headers === undefined) return;
      if (count > partsMax) throw new ArchiveError('LIMIT_EXCEEDED', `an answer has at most ${partsMax} parts`);
      const pieces = reader.content();
      yield { headers, pieces };
      await reader.passRest();
    }
  } finally {
    await iterator.return?.();
  }
}

class MultipartReader {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #delimiter: Buffer;
  /** The first delimiter may stand at the very beginning, where no line ends before it. */
  #held: Buffer = Buffer.from('\r\n');
  #isInside = false;
  /** Nothing of a content was given out yet: the line end of its head is still there. */
  #isFresh = false;

  constructor(source: AsyncIterator<Uint8Array>, boundary: string) {
    this.#source = source;
    this.#delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
  }

  async #more(): Promise<void> {
    const next = await this.#source.next();
    if (next.done === true)
      throw new ArchiveError('DICOM_ABORTED', 'a multipart answer ended before its closing boundary');
    this.#held =
      this.#held.byteLength === 0
        ? Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength)
        : Buffer.concat([this.#held, next.value]);
  }

  async skipPreamble(): Promise<void> {
    let passed = 0;
    this.#isInside = true;
    for await (const piece of this.content()) {
      passed += piece.byteLength;
      if (passed > preambleBytesMax)
        throw new ArchiveError('DICOM_PROTOCOL', `the first part does not begin within ${preambleBytesMax} bytes`);
    }
  }

  /** undefined behind the last part. */
  async head(): Promise<ReadonlyMap<string, string> | undefined> {
    while (this.#held.byteLength < 2) await this.#more();
    if (this.#held[0] === 0x2d && this.#held[1] === 0x2d) return undefined;
    let end = this.#held.indexOf(headEnd);
    while (end < 0) {
      if (this.#held.byteLength > headBytesMax)
        throw new ArchiveError('LIMIT_EXCEEDED', `the head of a part has at most ${headBytesMax} bytes`);
      await this.#more();
      end = this.#held.indexOf(headEnd);
    }
    const headers = new Map<string, string>();
    for (const line of this.#held.toString('latin1', 0, Math.min(end, headBytesMax)).split('\r\n')) {
      const colon = line.indexOf(':');
      if (colon > 0) headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
    }
    // The line end before a delimiter belongs to it, and an empty content has no other: it is left to be found.
    this.#held = this.#held.subarray(end + 2);
    this.#isInside = true;
    this.#isFresh = true;
    return headers;
  }

  async *content(): AsyncGenerator<Uint8Array> {
    const { byteLength } = this.#delimiter;
    while (this.#isInside) {
      const at = this.#held.indexOf(this.#delimiter);
      // The end of the head is no content.
      const from = this.#isFresh ? 2 : 0;
      if (at >= 0) {
        const piece = this.#held.subarray(Math.min(from, at), at);
        this.#held = this.#held.subarray(at + byteLength);
        this.#isInside = false;
        this.#isFresh = false;
        if (piece.byteLength > 0) yield piece;
        return;
      }
      const sure = this.#held.byteLength - byteLength + 1;
      if (sure > from) {
        const piece = this.#held.subarray(from, sure);
        this.#held = this.#held.subarray(sure);
        this.#isFresh = false;
        yield piece;
      }
      await this.#more();
    }
  }

  async passRest(): Promise<void> {
    const rest = this.content();
    while ((await rest.next()).done !== true) continue;
  }
}
