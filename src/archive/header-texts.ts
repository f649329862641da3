// The texts of headers that bundles keep, read as they are asked for: many of a series one behind the other, or one.
//
// Invariants: every piece is checked when it is read from its pack; at most `piecesKeptMax` pieces are kept unpacked, the ones used last, whatever the archive
// holds; reading ahead is `piecesAheadMax` pieces.
// Left out on purpose: what a text means, and who may see it.

import { type RecordId, recordIdText } from '../base/index.ts';
import type { FoundInstance } from '../catalog/index.ts';
import { textPieceBytes } from '../flow/index.ts';
import type { Vault } from '../vault/index.ts';

export type TextPlace = NonNullable<FoundInstance['text']>;

/** 16 MiB. */
export const piecesKeptMax = 64;
const piecesAheadMax = 4;

export class HeaderTexts {
  readonly #vault: Vault;
  readonly #kept = new Map<string, Promise<Uint8Array>>();

  constructor(vault: Vault) {
    this.#vault = vault;
  }

  /** One text. RECORD_LOST, RECORD_CORRUPT, DISK_MISSING, KEY_SHREDDED. */
  async one({ ref, at, sizeBytes }: TextPlace): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for (let from = at; from < at + sizeBytes; ) {
      const number = Math.floor(from / textPieceBytes);
      const begin = number * textPieceBytes;
      const piece = await this.#piece(ref, number);
      const to = Math.min(at + sizeBytes, begin + piece.byteLength);
      if (to <= from) break;
      parts.push(piece.subarray(from - begin, to - begin));
      from = to;
    }
    const [only] = parts;
    return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts);
  }

  /** Texts of one content in the order of their places; the next are being read while one is looked at. */
  async *each(places: readonly TextPlace[]): AsyncGenerator<Uint8Array> {
    const last = Math.floor((places.at(-1)?.at ?? 0) / textPieceBytes);
    let asked = -1;
    for (const place of places) {
      const end = Math.min(last, Math.floor(place.at / textPieceBytes) + piecesAheadMax);
      for (asked = Math.max(asked, Math.floor(place.at / textPieceBytes) - 1); asked < end; asked += 1)
        this.#piece(place.ref, asked + 1).catch(() => undefined);
      yield await this.one(place);
    }
  }

  #piece(ref: RecordId, number: number): Promise<Uint8Array> {
    const name = `${recordIdText(ref)}/${number}`;
    const kept = this.#kept.get(name);
    if (kept !== undefined) {
      // The end of the map is what was used last.
      this.#kept.delete(name);
      this.#kept.set(name, kept);
      return kept;
    }
    const reading = this.#read(ref, number * textPieceBytes);
    this.#kept.set(name, reading);
    reading.catch(() => this.#kept.delete(name));
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= piecesKeptMax) break;
      this.#kept.delete(oldest);
    }
    return reading;
  }

  async #read(ref: RecordId, from: number): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    for await (const piece of this.#vault.contents.read(ref, from, from + textPieceBytes)) pieces.push(piece);
    const [only] = pieces;
    return pieces.length === 1 && only !== undefined ? only : Buffer.concat(pieces);
  }
}
