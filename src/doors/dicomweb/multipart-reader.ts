// multipart/related on its way in (RFC 2046): parts one after another, each piece by piece.
//
// Invariants: no part is held, whatever its size: memory is the piece at hand and one head; pieces are views of what came, copied only where a delimiter may lie
// across two of them; a part that was left in the middle is passed over before the next begins; a body that is not in its form, or breaks off, is
// ARGUMENT_INVALID, and stays so.
// Left out on purpose: transfer encodings (HTTP has none in parts) and parts within parts.

import { ArchiveError } from '../../base/index.ts';

/** Head of one part. */
export const headBytesMax = 16 * 1024;
/** Spaces behind a delimiter. */
const paddingBytesMax = 1024;
export const boundaryForm = /^[\x21-\x7e](?:[\x20-\x7e]{0,198}[\x21-\x7e])?$/;

const carriageReturn = 0x0d;
const lineFeed = 0x0a;
const dash = 0x2d;
const lineEnd = Buffer.from('\r\n');
const headEnd = Buffer.from('\r\n\r\n');

export type NextPiece = () => Promise<Uint8Array | undefined>;

/** What comes in pieces: a part of a multipart, or a whole body. */
export type PieceSource = {
  readonly headers: ReadonlyMap<string, string>;
  /** The next bytes; undefined at the end. */
  readonly next: NextPiece;
  /** Resolves when its last byte was given, or nothing more can come. */
  readonly ended: Promise<void>;
};

export class MultipartReader {
  readonly #source: NextPiece;
  readonly #delimiter: Buffer;
  /** The first delimiter may stand at the very beginning, without the line end that belongs to all others. */
  #held: Buffer = lineEnd;
  #part: Part | undefined;
  #isLast = false;
  #failure: unknown;

  constructor(source: NextPiece, boundary: string) {
    this.#source = source;
    this.#delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
  }

  /** What ended the reading too early, if anything did. */
  get failure(): unknown {
    return this.#failure;
  }

  /** The next part; undefined after the last. */
  async nextPart(): Promise<PieceSource | undefined> {
    if (this.#isLast) return undefined;
    // What stands before the first delimiter is passed over like a part that nobody reads.
    this.#part ??= new Part(new Map(), () => this.#nextPiece());
    while (!this.#part.isEnded) await this.#part.next();
    try {
      if (await this.#readsLast()) {
        this.#isLast = true;
        return undefined;
      }
      this.#part = new Part(await this.#readHead(), () => this.#nextPiece());
      return this.#part;
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }

  async #nextPiece(): Promise<Uint8Array | undefined> {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      return await this.#untilDelimiter();
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }

  async #untilDelimiter(): Promise<Uint8Array | undefined> {
    for (;;) {
      const held = this.#held;
      const found = held.indexOf(this.#delimiter);
      if (found > 0) {
        this.#held = held.subarray(found);
        return held.subarray(0, found);
      }
      if (found === 0) {
        this.#held = held.subarray(this.#delimiter.byteLength);
        return undefined;
      }
      const open = this.#openFrom(held);
      if (open > 0) {
        this.#held = held.subarray(open);
        return held.subarray(0, open);
      }
      await this.#more();
    }
  }

  /** Where a delimiter may have begun that goes on in the next piece; the length where none has. */
  #openFrom(held: Buffer): number {
    const least = Math.max(0, held.byteLength - this.#delimiter.byteLength + 1);
    for (let at = held.indexOf(carriageReturn, least); at >= 0; at = held.indexOf(carriageReturn, at + 1)) {
      if (held.subarray(at).equals(this.#delimiter.subarray(0, held.byteLength - at))) return at;
    }
    return held.byteLength;
  }

  async #more(): Promise<void> {
    // The source's piece is good until the next one is asked for; what is still held of it is a part of a delimiter or of a head.
    this.#held = Buffer.from(this.#held);
    const piece = await this.#source();
    if (piece === undefined) throw new ArchiveError('ARGUMENT_INVALID', 'the multipart body breaks off');
    const next = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    this.#held = this.#held.byteLength === 0 ? next : Buffer.concat([this.#held, next]);
  }

  /** Behind a delimiter: whether it was the last, else the line is ended. */
  async #readsLast(): Promise<boolean> {
    while (this.#held.byteLength < 2) await this.#more();
    if (this.#held[0] === dash && this.#held[1] === dash) return true;
    let at = 0;
    for (;;) {
      while (this.#held.byteLength < at + 2) await this.#more();
      const byte = this.#held[at];
      if (byte === carriageReturn && this.#held[at + 1] === lineFeed) break;
      if ((byte !== 0x20 && byte !== 0x09) || at >= paddingBytesMax)
        throw new ArchiveError('ARGUMENT_INVALID', 'a delimiter of the multipart body does not end its line');
      at += 1;
    }
    // The line end stays: a part without a head has it as the end of its head.
    this.#held = this.#held.subarray(at);
    return false;
  }

  async #readHead(): Promise<ReadonlyMap<string, string>> {
    let end = this.#held.indexOf(headEnd);
    while (end < 0) {
      if (this.#held.byteLength > headBytesMax)
        throw new ArchiveError(
          'ARGUMENT_INVALID',
          `headBytesMax: the head of a part has at most ${headBytesMax} bytes`,
        );
      await this.#more();
      end = this.#held.indexOf(headEnd);
    }
    const headers = new Map<string, string>();
    for (const line of this.#held.toString('latin1', 0, Math.min(end, headBytesMax)).split('\r\n')) {
      const colon = line.indexOf(':');
      if (colon > 0) headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
    }
    this.#held = this.#held.subarray(end + headEnd.byteLength);
    return headers;
  }
}

class Part implements PieceSource {
  readonly headers: ReadonlyMap<string, string>;
  readonly ended: Promise<void>;
  readonly #source: NextPiece;
  #isEnded = false;
  #tellEnd: () => void = () => undefined;

  constructor(headers: ReadonlyMap<string, string>, source: NextPiece) {
    this.headers = headers;
    this.#source = source;
    this.ended = new Promise((resolve) => {
      this.#tellEnd = resolve;
    });
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  readonly next = async (): Promise<Uint8Array | undefined> => {
    if (this.#isEnded) return undefined;
    try {
      const piece = await this.#source();
      if (piece === undefined) this.#end();
      return piece;
    } catch (error) {
      this.#tellEnd();
      throw error;
    }
  };

  #end(): void {
    this.#isEnded = true;
    this.#tellEnd();
  }
}

/** A body that is no multipart, as one part. */
export function wholeBody(source: NextPiece, headers: ReadonlyMap<string, string>): PieceSource {
  return new Part(headers, source);
}
