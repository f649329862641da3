// JsonBytes: JSON in UTF-8, put together as bytes. Header values mostly are ASCII and are copied without ever becoming strings.
//
// Invariants: what is written is valid JSON text as far as single values go (commas and brackets are the caller's); control characters and what is not UTF-16
// are escaped or replaced, never passed on.

const capacityBytesMin = 16 * 1024;
const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const space = 0x20;
const lastPrintable = 0x7e;
const nullBytes = Uint8Array.of(0x6e, 0x75, 0x6c, 0x6c);
const encoder = new TextEncoder();

export class JsonBytes {
  bytes = new Uint8Array(capacityBytesMin);
  at = 0;

  /** Room for so many bytes more. */
  reserve(count: number): void {
    if (this.at + count <= this.bytes.length) return;
    const wider = new Uint8Array(Math.max(this.at + count, this.bytes.length * 2));
    wider.set(this.bytes.subarray(0, this.at));
    this.bytes = wider;
  }

  /** One ASCII character. */
  char(code: number): void {
    if (this.at === this.bytes.length) this.reserve(1);
    this.bytes[this.at++] = code;
  }

  /** Bytes that are JSON already. */
  copy(source: Uint8Array, start = 0, end = source.length): void {
    const sizeBytes = end - start;
    this.reserve(sizeBytes);
    const { bytes, at } = this;
    if (sizeBytes > 64) bytes.set(source.subarray(start, end), at);
    else for (let k = 0; k < sizeBytes; k++) bytes[at + k] = source[start + k] as number;
    this.at = at + sizeBytes;
  }

  /** ASCII text that is JSON already. */
  ascii(text: string): void {
    this.reserve(text.length);
    const { bytes, at } = this;
    for (let k = 0; k < text.length; k++) bytes[at + k] = text.charCodeAt(k);
    this.at = at + text.length;
  }

  /** Any text, as a JSON string. */
  string(text: string): void {
    const json = JSON.stringify(text);
    this.reserve(json.length * 3);
    this.at += encoder.encodeInto(json, this.bytes.subarray(this.at)).written;
  }

  /** Bytes of printable ASCII, as a JSON string. */
  plainString(source: Uint8Array, start: number, end: number): void {
    this.reserve(2 * (end - start) + 2);
    const { bytes } = this;
    let { at } = this;
    bytes[at++] = quote;
    for (let k = start; k < end; k++) {
      const byte = source[k] as number;
      if (byte === quote || byte === backslash) bytes[at++] = backslash;
      bytes[at++] = byte;
    }
    bytes[at++] = quote;
    this.at = at;
  }

  /**
   * Values of printable ASCII with backslashes between them, as JSON strings with commas between them; spaces around each are left out, and empty ones are
   * null. False, and nothing is written, when there is another character.
   */
  plainStrings(source: Uint8Array, start: number, end: number): boolean {
    this.reserve(5 * (end - start) + 8);
    const { bytes } = this;
    let { at } = this;
    let from = start;
    for (;;) {
      while (from < end && source[from] === space) from += 1;
      const begin = at;
      bytes[at++] = quote;
      let k = from;
      // Where the value ends without its spaces.
      let kept = at;
      for (; k < end; k++) {
        const byte = source[k] as number;
        if (byte === backslash) break;
        if (byte < space || byte > lastPrintable) return false;
        if (byte === quote) bytes[at++] = backslash;
        bytes[at++] = byte;
        if (byte !== space) kept = at;
      }
      at = kept;
      if (at === begin + 1) {
        at = begin;
        for (const byte of nullBytes) bytes[at++] = byte;
      } else bytes[at++] = quote;
      if (k === end) break;
      bytes[at++] = comma;
      from = k + 1;
    }
    this.at = at;
    return true;
  }

  base64(source: Uint8Array): void {
    const text = Buffer.from(source.buffer, source.byteOffset, source.length).toString('base64');
    this.reserve(text.length + 2);
    this.bytes[this.at++] = quote;
    this.at += encoder.encodeInto(text, this.bytes.subarray(this.at)).written;
    this.bytes[this.at++] = quote;
  }

  /** A number that JSON knows; NaN and the infinities, which it does not, as strings. */
  number(value: number): void {
    if (Number.isInteger(value) && Math.abs(value) < 1e9) {
      if (value < 0 || Object.is(value, -0)) this.char(0x2d);
      this.#integer(Math.abs(value));
    } else if (Number.isFinite(value)) this.ascii(String(value));
    else this.ascii(`"${value}"`);
  }

  #integer(value: number): void {
    let digits = 1;
    for (let bound = 10; bound <= value; bound *= 10) digits += 1;
    this.reserve(digits);
    let left = value;
    for (let at = this.at + digits - 1; at >= this.at; at--) {
      this.bytes[at] = 0x30 + (left % 10);
      left = Math.floor(left / 10);
    }
    this.at += digits;
  }

  /** What was written since the last time; the next text begins anew. */
  take(): Uint8Array {
    const taken = this.bytes.slice(0, this.at);
    this.at = 0;
    return taken;
  }
}
