// Inflater: deflated bytes (RFC 1951) in pieces of any size to plain bytes, at once and without a thread; what Node's zlib offers so is only whole buffers.
//
// Invariants: memory is one buffer of 96 KB and the tables, whatever the input; at most `limit` bytes come out; what came out is handed over before push returns
// (what is handed over is a view that the next step overwrites). A step that lacks bits changes nothing and is tried again with the next piece.
// Bytes after the last block are ignored: padding. A zlib head before the first block, which some writers leave, is passed over.

import { HuffmanCode } from './huffman.ts';

const windowBytes = 32 * 1024;
const bufferBytes = 96 * 1024;
/** The longest match of deflate. */
const matchBytesMax = 258;

export type InflateFault = 'malformed' | 'limit';
export type InflateState = 'open' | 'ended' | InflateFault;

const lengthBases = Uint16Array.from(
  // biome-ignore format: a table
  [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258],
);
const lengthExtraBits = Uint8Array.from(
  // biome-ignore format: a table
  [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0],
);
/** 1 to 4, then two of each power of two and a half. */
const distanceExtraBits = Uint8Array.from({ length: 30 }, (_, symbol) => Math.max(0, (symbol >> 1) - 1));
const distanceBases = Uint16Array.from({ length: 30 }, (_, symbol) =>
  symbol < 4 ? symbol + 1 : ((2 + (symbol & 1)) << ((symbol >> 1) - 1)) + 1,
);
const codeLengthOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

type Step = 'block' | 'stored' | 'codes' | 'ended';

export class Inflater {
  readonly #emit: (bytes: Uint8Array) => boolean;
  readonly #limit: number;
  #state: InflateState = 'open';
  #step: Step = 'block';
  #lastBlock = false;
  #first = true;
  #storedLeft = 0;

  /** Input not yet used: what the last push left, then the piece of this push. */
  #input: Uint8Array = new Uint8Array(0);
  #at = 0;
  #bits = 0;
  #bitCount = 0;

  readonly #out = new Uint8Array(bufferBytes);
  #outAt = 0;
  #handedOver = 0;
  #totalBytes = 0;

  readonly #literals = new HuffmanCode(288);
  readonly #distances = new HuffmanCode(32);

  /** `emit` takes what came out, and says whether it wants more. */
  constructor(emit: (bytes: Uint8Array) => boolean, limit: number) {
    this.#emit = emit;
    this.#limit = limit;
  }

  get state(): InflateState {
    return this.#state;
  }

  push(piece: Uint8Array): void {
    if (this.#state !== 'open') return;
    this.#input = this.#at < this.#input.length ? joined(this.#input.subarray(this.#at), piece) : piece;
    this.#at = 0;
    while (this.#state === 'open' && this.#take());
    this.#handOver();
    // What is left is less than a block's head; the piece belongs to the caller, who may use it again.
    this.#input = this.#input.slice(this.#at);
    this.#at = 0;
  }

  /** One step; false when it lacks input. */
  #take(): boolean {
    switch (this.#step) {
      case 'block':
        return this.#takeBlockHead();
      case 'stored':
        return this.#takeStored();
      case 'codes':
        return this.#takeCodes();
      case 'ended':
        return false;
    }
  }

  #fail(fault: InflateFault): boolean {
    this.#state = fault;
    return false;
  }

  #endBlock(): void {
    this.#step = this.#lastBlock ? 'ended' : 'block';
    if (this.#lastBlock) this.#state = 'ended';
  }

  /** Tries a part of the stream that is read whole or not at all. */
  #tryWhole(read: (bits: BitReader) => boolean | undefined): boolean {
    const reader = new BitReader(this.#input, this.#at, this.#bits, this.#bitCount);
    const done = read(reader);
    if (done === undefined) return this.#fail('malformed');
    if (!done || reader.short) return false;
    this.#at = reader.at;
    this.#bits = reader.bits;
    this.#bitCount = reader.bitCount;
    return true;
  }

  #takeBlockHead(): boolean {
    return this.#tryWhole((reader) => {
      const atStart = this.#first;
      const last = reader.take(1) === 1;
      const type = reader.take(2);
      if (reader.short) return false;
      if (type === 3) return undefined;
      if (type === 0) {
        reader.align();
        const length = reader.take(16);
        const check = reader.take(16);
        if (reader.short) return false;
        if (length !== (check ^ 0xffff)) {
          if (!atStart || !isZlibHead(this.#input)) return undefined;
          this.#first = false;
          reader.restart(2);
          return true;
        }
        this.#storedLeft = length;
        this.#step = 'stored';
      } else {
        if (type === 1) this.#useFixedCodes();
        else {
          const built = this.#readCodes(reader);
          if (built !== true) return built;
        }
        this.#step = 'codes';
      }
      this.#first = false;
      this.#lastBlock = last;
      return true;
    });
  }

  #useFixedCodes(): void {
    const lengths = new Uint8Array(288).fill(8, 0, 144).fill(9, 144, 256).fill(7, 256, 280).fill(8, 280);
    this.#literals.build(lengths, 288);
    this.#distances.build(new Uint8Array(32).fill(5), 32);
  }

  /** True when built, false when bits are lacking, undefined when there can be no such codes. */
  #readCodes(reader: BitReader): boolean | undefined {
    const literalCount = reader.take(5) + 257;
    const distanceCount = reader.take(5) + 1;
    const lengthCount = reader.take(4) + 4;
    const codeLengths = new Uint8Array(19);
    for (let index = 0; index < lengthCount; index++) codeLengths[codeLengthOrder[index] as number] = reader.take(3);
    if (reader.short) return false;
    const code = new HuffmanCode(19);
    if (literalCount > 286 || !code.build(codeLengths, 19)) return undefined;
    const lengths = new Uint8Array(286 + 32);
    for (let index = 0; index < literalCount + distanceCount; ) {
      const symbol = reader.symbol(code);
      if (symbol === -1) return false;
      if (symbol === -2) return undefined;
      if (symbol < 16) {
        lengths[index++] = symbol;
        continue;
      }
      const repeats = symbol === 16 ? 3 + reader.take(2) : symbol === 17 ? 3 + reader.take(3) : 11 + reader.take(7);
      if (reader.short) return false;
      if ((symbol === 16 && index === 0) || index + repeats > literalCount + distanceCount) return undefined;
      const value = symbol === 16 ? (lengths[index - 1] as number) : 0;
      lengths.fill(value, index, index + repeats);
      index += repeats;
    }
    const distances = lengths.slice(literalCount, literalCount + distanceCount);
    const fits = this.#literals.build(lengths, literalCount) && this.#distances.build(distances, distanceCount);
    return fits ? true : undefined;
  }

  #takeStored(): boolean {
    const count = Math.min(this.#storedLeft, this.#input.length - this.#at, bufferBytes - windowBytes);
    if (this.#storedLeft > 0 && count === 0) return false;
    if (!this.#makeRoom(count)) return false;
    this.#out.set(this.#input.subarray(this.#at, this.#at + count), this.#outAt);
    this.#outAt += count;
    this.#totalBytes += count;
    this.#at += count;
    this.#storedLeft -= count;
    if (this.#storedLeft === 0) this.#endBlock();
    return true;
  }

  /** Codes until the block ends, the input lacks bits, or the buffer is full. */
  #takeCodes(): boolean {
    if (!this.#makeRoom(matchBytesMax)) return false;
    const input = this.#input;
    const out = this.#out;
    const literals = this.#literals;
    const distances = this.#distances;
    const outEnd = bufferBytes - matchBytesMax;
    const outStart = this.#outAt;
    let { at, bits, bitCount, outAt } = this.#locals();
    let good = true;
    let more = true;
    while (outAt <= outEnd) {
      // 15 + 5 + 15 + 13 bits are the most that one match takes; 32 are looked at in two goes.
      while (bitCount <= 24 && at < input.length) {
        bits |= (input[at++] as number) << bitCount;
        bitCount += 8;
      }
      let found = literals.look[bits & 1023] as number;
      if (found === 0 || (found & 15) > bitCount) found = literals.find(bits, bitCount);
      if (found < 0) {
        good = found === -1;
        more = false;
        break;
      }
      const symbol = found >>> 4;
      if (symbol < 256) {
        out[outAt++] = symbol;
        bits >>>= found & 15;
        bitCount -= found & 15;
        continue;
      }
      if (symbol === 256) {
        bits >>>= found & 15;
        bitCount -= found & 15;
        this.#endBlock();
        break;
      }
      // Anything lacking from here on: the state before the match is put back.
      const backAt = at;
      const backBits = bits;
      const backCount = bitCount;
      bits >>>= found & 15;
      bitCount -= found & 15;
      const lengthExtra = lengthExtraBits[symbol - 257] as number;
      let lacking = symbol > 285 ? -2 : bitCount < lengthExtra ? -1 : 0;
      if (lacking === 0) {
        const length = (lengthBases[symbol - 257] as number) + (bits & ((1 << lengthExtra) - 1));
        bits >>>= lengthExtra;
        bitCount -= lengthExtra;
        while (bitCount <= 24 && at < input.length) {
          bits |= (input[at++] as number) << bitCount;
          bitCount += 8;
        }
        const coded = distances.find(bits, bitCount);
        const distanceSymbol = coded >> 4;
        const distanceExtra = coded < 0 || distanceSymbol > 29 ? 0 : (distanceExtraBits[distanceSymbol] as number);
        if (coded < 0) lacking = coded;
        else if (distanceSymbol > 29) lacking = -2;
        else if (bitCount < (coded & 15) + distanceExtra) lacking = -1;
        else {
          bits >>>= coded & 15;
          const distance = (distanceBases[distanceSymbol] as number) + (bits & ((1 << distanceExtra) - 1));
          bits >>>= distanceExtra;
          bitCount -= (coded & 15) + distanceExtra;
          if (distance > Math.min(windowBytes, this.#totalBytes + outAt - outStart)) lacking = -2;
          else {
            const end = outAt + length;
            for (; outAt < end; outAt++) out[outAt] = out[outAt - distance] as number;
          }
        }
      }
      if (lacking !== 0) {
        at = backAt;
        bits = backBits;
        bitCount = backCount;
        good = lacking === -1;
        more = false;
        break;
      }
    }
    this.#totalBytes += outAt - outStart;
    this.#outAt = outAt;
    // Whole bytes go back to the input, all of which came from this piece: between steps less than a byte is kept.
    this.#at = at - (bitCount >>> 3);
    this.#bitCount = bitCount & 7;
    this.#bits = bits & ((1 << this.#bitCount) - 1);
    if (!good) return this.#fail('malformed');
    if (this.#totalBytes > this.#limit) return this.#fail('limit');
    return more;
  }

  #locals(): { at: number; bits: number; bitCount: number; outAt: number } {
    return { at: this.#at, bits: this.#bits, bitCount: this.#bitCount, outAt: this.#outAt };
  }

  /** Room for so many bytes behind a window of what came before. */
  #makeRoom(count: number): boolean {
    if (this.#totalBytes + (this.#step === 'stored' ? count : 0) > this.#limit) return this.#fail('limit');
    if (this.#outAt + count <= bufferBytes) return true;
    this.#handOver();
    const from = this.#outAt - windowBytes;
    this.#out.copyWithin(0, from, this.#outAt);
    this.#outAt = windowBytes;
    this.#handedOver = windowBytes;
    return true;
  }

  #handOver(): void {
    if (this.#outAt === this.#handedOver) return;
    const excess = Math.max(0, this.#totalBytes - this.#limit);
    const bytes = this.#out.subarray(this.#handedOver, Math.max(this.#handedOver, this.#outAt - excess));
    this.#handedOver = this.#outAt;
    if (bytes.length > 0 && !this.#emit(bytes) && this.#state === 'open') this.#state = 'ended';
  }
}

/** Bits of a part that may have to be read again: a copy of the position, put back by not taking it over. */
class BitReader {
  readonly #input: Uint8Array;
  at: number;
  bits: number;
  bitCount: number;
  short = false;

  constructor(input: Uint8Array, at: number, bits: number, bitCount: number) {
    this.#input = input;
    this.at = at;
    this.bits = bits;
    this.bitCount = bitCount;
  }

  /** Up to 16 bits. Zero, and `short`, when they are not there. */
  take(count: number): number {
    if (!this.#fill(count)) return 0;
    const value = this.bits & ((1 << count) - 1);
    this.bits >>>= count;
    this.bitCount -= count;
    return value;
  }

  #fill(count: number): boolean {
    while (this.bitCount < count) {
      if (this.at >= this.#input.length) {
        this.short = true;
        return false;
      }
      this.bits |= (this.#input[this.at++] as number) << this.bitCount;
      this.bitCount += 8;
    }
    return true;
  }

  /** A symbol; -1 when bits are lacking, -2 when there is no such code. */
  symbol(code: HuffmanCode): number {
    for (;;) {
      const found = code.find(this.bits, this.bitCount);
      if (found >= 0) {
        this.take(found & 15);
        return found >>> 4;
      }
      if (found === -2 || !this.#fill(this.bitCount + 1)) return found;
    }
  }

  /** To the next whole byte: what is kept between steps is less than one. */
  align(): void {
    this.bits = 0;
    this.bitCount = 0;
  }

  restart(at: number): void {
    this.at = at;
    this.bits = 0;
    this.bitCount = 0;
  }
}

function isZlibHead(input: Uint8Array): boolean {
  return input[0] === 0x78 && (0x7800 + (input[1] as number)) % 31 === 0;
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
