// Writes that are under way; the first that fails fails whoever waits next.

import { chunkSizeBytesMax } from '../format/index.ts';

/** Objects whose writes wait for the disk together: they share group commits. */
const writesAtOnceMax = 32;

export class PendingWrites {
  #writes: Promise<unknown>[] = [];

  /** Waits for the one begun first while there are too many. What lies in one piece on the medium is read in one: after a large one waits for all. */
  async add(write: Promise<unknown>, sizeBytes: number): Promise<void> {
    write.catch(() => undefined);
    this.#writes.push(write);
    while (this.#writes.length > writesAtOnceMax) await this.#writes.shift();
    if (sizeBytes > chunkSizeBytesMax) await this.all();
  }

  async all(): Promise<void> {
    for (let write = this.#writes.shift(); write !== undefined; write = this.#writes.shift()) await write;
  }

  /** When none is under way any more, however they ended. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#writes);
  }
}
