// Finished metadata of series, kept in memory: who looks at a series asks for it again and again.
//
// Invariants: what is kept is what the series' instances were when it was made: it is found only under their stamp; the bytes of all of it are bounded, and
// the one unused longest goes first; a series that would take a large part of the room is not kept.

export const metadataBytesMax = 128 * 1024 * 1024;
const seriesBytesMax = metadataBytesMax / 4;

export type SeriesMetadata = {
  /** JSON objects with commas between them, without the brackets around. */
  readonly pieces: readonly Uint8Array[];
  readonly sizeBytes: number;
  /** The whole array of the series as gzip, once somebody has asked for it so. */
  packed: Uint8Array | undefined;
};

type Kept = { readonly stamp: string; readonly metadata: SeriesMetadata; readonly heldBytes: number };

export class MetadataCache {
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;

  get sizeBytes(): number {
    return this.#bytes;
  }

  get(name: string, stamp: string): SeriesMetadata | undefined {
    const found = this.#kept.get(name);
    if (found === undefined) return undefined;
    this.#kept.delete(name);
    if (found.stamp !== stamp) {
      this.#bytes -= found.heldBytes;
      return undefined;
    }
    // The end of the map is what was used last.
    this.#kept.set(name, found);
    return found.metadata;
  }

  /** In place of what is kept under the name. */
  put(name: string, stamp: string, metadata: SeriesMetadata): void {
    const before = this.#kept.get(name);
    if (before !== undefined) this.#drop(name, before);
    const heldBytes = metadata.sizeBytes + (metadata.packed?.byteLength ?? 0);
    if (heldBytes > seriesBytesMax) return;
    this.#kept.set(name, { stamp, metadata, heldBytes });
    this.#bytes += heldBytes;
    for (const [oldest, kept] of this.#kept) {
      if (this.#bytes <= metadataBytesMax) return;
      this.#drop(oldest, kept);
    }
  }

  #drop(name: string, kept: Kept): void {
    this.#kept.delete(name);
    this.#bytes -= kept.heldBytes;
  }

  static fits(sizeBytes: number): boolean {
    return sizeBytes <= seriesBytesMax;
  }
}
