// Data sets made for tests: a small CT slice of an invented patient, in explicit or implicit little endian, byte by byte and not by our own writer.

type Value = string | number | Uint8Array;

const longForm = new Set(['OB', 'OW', 'SQ', 'UN', 'UT']);

function valueBytes(vr: string, value: Value): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (typeof value === 'number') {
    const bytes = new Uint8Array(vr === 'US' ? 2 : 4);
    const view = new DataView(bytes.buffer);
    if (vr === 'US') view.setUint16(0, value, true);
    else view.setUint32(0, value, true);
    return bytes;
  }
  const bytes = Buffer.from(value, 'utf8');
  if (bytes.byteLength % 2 === 0) return bytes;
  return Buffer.concat([bytes, Buffer.from(vr === 'UI' ? '\0' : ' ')]);
}

export function elementBytes(tag: number, vr: string, value: Value, explicit = true): Uint8Array {
  const bytes = valueBytes(vr, value);
  const head = Buffer.alloc(explicit && longForm.has(vr) ? 12 : 8);
  head.writeUInt16LE(tag >>> 16, 0);
  head.writeUInt16LE(tag & 0xffff, 2);
  if (!explicit) head.writeUInt32LE(bytes.byteLength, 4);
  else {
    head.write(vr, 4, 'latin1');
    if (longForm.has(vr)) head.writeUInt32LE(bytes.byteLength, 8);
    else head.writeUInt16LE(bytes.byteLength, 6);
  }
  return Buffer.concat([head, bytes]);
}

export const explicitLittleEndian = '1.2.840.10008.1.2.1';
export const implicitLittleEndian = '1.2.840.10008.1.2';
export const ctImageStorage = '1.2.840.10008.5.1.4.1.1.2';

export type MadeInstance = {
  readonly study?: string;
  readonly series?: string;
  readonly instance?: string;
  readonly number?: number;
  readonly patientId?: string;
  readonly patientName?: string;
  readonly studyDate?: string;
  readonly accession?: string;
  readonly modality?: string;
  readonly sopClass?: string;
  readonly description?: string;
  readonly rows?: number;
  readonly columns?: number;
  readonly frames?: number;
  readonly pixels?: Uint8Array | null;
  readonly explicit?: boolean;
  readonly more?: readonly (readonly [number, string, Value])[];
};

/** The bytes of a data set, without a file's meta information. */
export function makeInstance(made: MadeInstance = {}): Uint8Array {
  const { rows = 16, columns = 16, frames } = made;
  const study = made.study ?? '1.2.826.0.1.3680043.99.1';
  const series = made.series ?? `${study}.1`;
  const pixels =
    made.pixels === undefined
      ? Uint8Array.from({ length: rows * columns * 2 * (frames ?? 1) }, (_, index) => (index * 7 + (index >> 5)) & 0xff)
      : made.pixels;
  const elements: [number, string, Value][] = [
    [0x0008_0005, 'CS', 'ISO_IR 192'],
    [0x0008_0016, 'UI', made.sopClass ?? ctImageStorage],
    [0x0008_0018, 'UI', made.instance ?? `${series}.${made.number ?? 1}`],
    [0x0008_0020, 'DA', made.studyDate ?? '20240229'],
    [0x0008_0030, 'TM', '101112'],
    [0x0008_0050, 'SH', made.accession ?? 'A0001'],
    [0x0008_0060, 'CS', made.modality ?? 'CT'],
    [0x0008_0090, 'PN', 'Ref^Doc'],
    [0x0008_1030, 'LO', made.description ?? '胸部 CT'],
    [0x0008_103e, 'LO', 'axial 5 mm'],
    [0x0010_0010, 'PN', made.patientName ?? 'Zhang^San=张^三'],
    [0x0010_0020, 'LO', made.patientId ?? 'P0001'],
    [0x0010_0030, 'DA', '19700101'],
    [0x0010_0040, 'CS', 'M'],
    [0x0018_0015, 'CS', 'CHEST'],
    [0x0020_000d, 'UI', study],
    [0x0020_000e, 'UI', series],
    [0x0020_0010, 'SH', '1'],
    [0x0020_0011, 'IS', '2'],
    [0x0020_0013, 'IS', String(made.number ?? 1)],
    [0x0028_0002, 'US', 1],
    [0x0028_0004, 'CS', 'MONOCHROME2'],
    ...(frames === undefined ? [] : [[0x0028_0008, 'IS', String(frames)] as [number, string, Value]]),
    [0x0028_0010, 'US', rows],
    [0x0028_0011, 'US', columns],
    [0x0028_0100, 'US', 16],
    [0x0028_0101, 'US', 12],
    [0x0028_0102, 'US', 11],
    [0x0028_0103, 'US', 0],
    ...(made.more ?? []).map((each): [number, string, Value] => [...each]),
    ...(pixels === null ? [] : [[0x7fe0_0010, 'OW', pixels] as [number, string, Value]]),
  ];
  elements.sort(([one], [other]) => one - other);
  return Buffer.concat(elements.map(([tag, vr, value]) => elementBytes(tag, vr, value, made.explicit ?? true)));
}
