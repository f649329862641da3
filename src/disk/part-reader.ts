// Many parts read as one run of bytes, copied out buffer by buffer.
//
// Invariant: every byte of every part comes out once, in order; nothing is kept of a part that is used up.

export class PartReader {
  readonly #parts: readonly Uint8Array[];
  #index = 0;
  #used = 0;

  constructor(parts: readonly Uint8Array[]) {
    this.#parts = parts;
  }

  /** Copies as much as fits or is left; how much that was, 0 at the end. */
  fill(into: Uint8Array): number {
    let filled = 0;
    for (;;) {
      const part = this.#parts[this.#index];
      if (part === undefined || filled === into.byteLength) return filled;
      const count = Math.min(part.byteLength - this.#used, into.byteLength - filled);
      into.set(count === part.byteLength ? part : part.subarray(this.#used, this.#used + count), filled);
      filled += count;
      this.#used += count;
      if (this.#used === part.byteLength) {
        this.#index += 1;
        this.#used = 0;
      }
    }
  }
}
