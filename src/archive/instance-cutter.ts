// Hands a data set to a content writer in pieces that can be read alone: header, frames, and what follows them.
//
// Invariant: every byte goes through once, in order; only where the cuts fall depends on what the header says. Where the pixels begin may become known
// while bytes go through, before the byte itself does.

import { type InstancePixels, type PixelCuts, planPixelCuts } from '../policy/index.ts';
import type { Vault } from '../vault/index.ts';

type ContentWriter = ReturnType<Vault['contentWriter']>;

export class InstanceCutter {
  readonly #writer: ContentWriter;
  readonly #pixels: InstancePixels;
  readonly #cuts: PixelCuts | undefined;
  #offset = 0;

  constructor(writer: ContentWriter, pixels: InstancePixels) {
    this.#writer = writer;
    this.#pixels = pixels;
    this.#cuts = planPixelCuts(pixels);
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let from = 0; from < bytes.byteLength; ) {
      const count = Math.min(bytes.byteLength - from, this.#untilCut());
      await this.#writer.write(bytes.subarray(from, from + count));
      from += count;
      this.#offset += count;
      if (this.#isCut()) await this.#writer.cut();
    }
  }

  #untilCut(): number {
    if (this.#offset < this.#pixels.headBytes) return this.#pixels.headBytes - this.#offset;
    if (this.#cuts === undefined) return Number.POSITIVE_INFINITY;
    const { pieceBytes, runBytes } = this.#cuts;
    const inRun = (this.#offset - this.#pixels.headBytes) % runBytes;
    return Math.min(pieceBytes - (inRun % pieceBytes), runBytes - inRun);
  }

  #isCut(): boolean {
    if (this.#offset === this.#pixels.headBytes) return true;
    if (this.#cuts === undefined || this.#offset < this.#pixels.headBytes) return false;
    const { pieceBytes, runBytes } = this.#cuts;
    const inRun = (this.#offset - this.#pixels.headBytes) % runBytes;
    return inRun === 0 || inRun % pieceBytes === 0;
  }
}
