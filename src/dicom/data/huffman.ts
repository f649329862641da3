// Huffman codes of deflate (RFC 1951 3.2.2): a table that answers most codes with one look, and the few long ones bit by bit.
//
// Invariants: a set of lengths that says more than it may (over-subscribed) is refused; an incomplete one is taken, and a code that it does not hold is a fault when
// it comes.

export const codeBitsMax = 15;
const lookBits = 10;
const lookMask = (1 << lookBits) - 1;

export class HuffmanCode {
  /** By the next ten bits: symbol * 16 + length; 0 when the code is longer or does not exist. */
  readonly look = new Uint16Array(1 << lookBits);
  readonly #counts = new Uint16Array(codeBitsMax + 1);
  readonly #symbols: Uint16Array;

  constructor(symbolsMax: number) {
    this.#symbols = new Uint16Array(symbolsMax);
  }

  /** Takes the lengths of the codes of symbols 0, 1, 2, ...; false when no code has these lengths. */
  build(lengths: Uint8Array, count: number): boolean {
    const counts = this.#counts.fill(0);
    for (let symbol = 0; symbol < count; symbol++) counts[lengths[symbol] as number]! += 1;
    let left = 1;
    for (let bits = 1; bits <= codeBitsMax; bits++) {
      left = left * 2 - (counts[bits] as number);
      if (left < 0) return false;
    }
    const starts = new Uint16Array(codeBitsMax + 2);
    const codes = new Uint16Array(codeBitsMax + 2);
    for (let bits = 1; bits <= codeBitsMax; bits++) {
      starts[bits + 1] = (starts[bits] as number) + (counts[bits] as number);
      codes[bits + 1] = ((codes[bits] as number) + (counts[bits] as number)) << 1;
    }
    this.look.fill(0);
    for (let symbol = 0; symbol < count; symbol++) {
      const bits = lengths[symbol] as number;
      if (bits === 0) continue;
      this.#symbols[starts[bits] as number] = symbol;
      starts[bits]! += 1;
      if (bits <= lookBits) this.#fillLook(codes[bits] as number, bits, symbol);
      codes[bits]! += 1;
    }
    counts[0] = 0;
    return true;
  }

  #fillLook(code: number, bits: number, symbol: number): void {
    let reversed = 0;
    for (let bit = 0; bit < bits; bit++) reversed |= ((code >>> bit) & 1) << (bits - 1 - bit);
    for (let at = reversed; at <= lookMask; at += 1 << bits) this.look[at] = symbol * 16 + bits;
  }

  /** Symbol * 16 + length of the code at the low end of `bits`; -1 when more bits are needed than `count`, -2 when there is no such code. */
  find(bits: number, count: number): number {
    const found = this.look[bits & lookMask] as number;
    if (found !== 0) return (found & 15) <= count ? found : -1;
    let code = 0;
    let first = 0;
    let index = 0;
    for (let length = 1; length <= codeBitsMax; length++) {
      if (length > count) return -1;
      code |= (bits >>> (length - 1)) & 1;
      const here = this.#counts[length] as number;
      if (code - first < here) return (this.#symbols[index + code - first] as number) * 16 + length;
      index += here;
      first = (first + here) << 1;
      code <<= 1;
    }
    return -2;
  }
}
