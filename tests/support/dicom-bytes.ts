// DICOM streams put together by hand, element by element, so that a test of reading does not trust the writer it also tests.
//
// Says exactly what is asked, nonsense included. Values are invented.

import { concatBytes } from '../../src/base/index.ts';

export type StreamForm = { readonly explicit: boolean; readonly bigEndian: boolean };

export const forms = {
  implicit: { explicit: false, bigEndian: false },
  explicit: { explicit: true, bigEndian: false },
  big: { explicit: true, bigEndian: true },
} as const;

const longForm = new Set(['OB', 'OD', 'OF', 'OL', 'OV', 'OW', 'SQ', 'SV', 'UC', 'UN', 'UR', 'UT', 'UV']);
const undefinedLength = 0xffff_ffff;

export class DicomBytes {
  readonly #form: StreamForm;
  readonly #parts: Uint8Array[] = [];

  constructor(form: StreamForm = forms.explicit) {
    this.#form = form;
  }

  /** An element; a text is padded with a space, numbers are words of 16 bits. */
  element(tag: number, vr: string, value: string | Uint8Array | readonly number[] = ''): this {
    const bytes = typeof value === 'string' ? padded(value) : value instanceof Uint8Array ? value : this.words(value);
    return this.head(tag, vr, bytes.length).raw(bytes);
  }

  /** Tag, VR and length alone. Without a length it is an undefined one. */
  head(tag: number, vr: string, length = undefinedLength): this {
    this.tag(tag);
    if (!this.#form.explicit) return this.u32(length);
    this.raw(Buffer.from(vr, 'latin1'));
    return longForm.has(vr) ? this.u16(0).u32(length) : this.u16(length);
  }

  item(length = undefinedLength): this {
    return this.tag(0xfffe_e000).u32(length);
  }

  itemEnd(): this {
    return this.tag(0xfffe_e00d).u32(0);
  }

  sequenceEnd(): this {
    return this.tag(0xfffe_e0dd).u32(0);
  }

  tag(tag: number): this {
    return this.u16(tag >>> 16).u16(tag & 0xffff);
  }

  u16(value: number): this {
    const low = value & 0xff;
    const high = (value >>> 8) & 0xff;
    return this.raw(this.#form.bigEndian ? [high, low] : [low, high]);
  }

  u32(value: number): this {
    return this.#form.bigEndian
      ? this.u16(value >>> 16).u16(value & 0xffff)
      : this.u16(value & 0xffff).u16(value >>> 16);
  }

  raw(bytes: Uint8Array | readonly number[]): this {
    this.#parts.push(Uint8Array.from(bytes));
    return this;
  }

  words(values: readonly number[]): Uint8Array {
    return values.reduce((stream, value) => stream.u16(value), new DicomBytes(this.#form)).bytes;
  }

  get bytes(): Uint8Array {
    return concatBytes(this.#parts);
  }
}

function padded(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.length % 2 === 0 ? text : `${text} `, 'latin1'));
}

/** The preamble, DICM, and meta information with its length, for a data set to stand behind. */
export function fileHead(syntaxUid: string): Uint8Array {
  const uid = syntaxUid.length % 2 === 0 ? syntaxUid : `${syntaxUid}\0`;
  const rest = new DicomBytes()
    .element(0x0002_0001, 'OB', Uint8Array.of(0, 1))
    .element(0x0002_0002, 'UI', '1.2.840.10008.5.1.4.1.1.7\0')
    .element(0x0002_0003, 'UI', '2.25.1234\0')
    .element(0x0002_0010, 'UI', uid).bytes;
  const length = new DicomBytes().head(0x0002_0000, 'UL', 4).u32(rest.length).bytes;
  return concatBytes([new Uint8Array(128), new Uint8Array(Buffer.from('DICM')), length, rest]);
}
