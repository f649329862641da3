// GrowingBytes: bytes put together in one buffer that doubles as it fills.
//
// Invariant: what is kept is at most twice what was put in, and a small constant, in however many parts it came: a byte at a time costs no more.

const firstBytes = 1024;

export class GrowingBytes {
  #buffer = new Uint8Array(0);
  #filled = 0;

  get sizeBytes(): number {
    return this.#filled;
  }

  add(part: Uint8Array): void {
    const needed = this.#filled + part.byteLength;
    if (needed > this.#buffer.byteLength) {
      const larger = new Uint8Array(Math.max(needed, this.#buffer.byteLength * 2, firstBytes));
      larger.set(this.#buffer.subarray(0, this.#filled));
      this.#buffer = larger;
    }
    this.#buffer.set(part, this.#filled);
    this.#filled = needed;
  }

  /** All of it, and from now on nothing: the bytes are the caller's. */
  take(): Uint8Array {
    const bytes = this.#buffer.subarray(0, this.#filled);
    this.#buffer = new Uint8Array(0);
    this.#filled = 0;
    return bytes;
  }
}
