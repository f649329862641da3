// Series made by rule, for the pixel bench: what other scanners, plates and screens send, as far as a codec can tell. Owns: shapes, grain and
// depth of each kind. Nothing here is anybody's picture. The same seed gives the same bytes on one machine; no golden file depends on them.
//
// Grain is drawn as noise that a reconstruction or a lens has smoothed: white noise under a small kernel, scaled. Its share decides how far
// any codec can go, so each kind says its own.

import { SeededRandom } from '../../src/base/index.ts';
import type { NativeFrame, NativeSeries } from './native-pixels.ts';

type Field = Float32Array;
type Size = { readonly rows: number; readonly columns: number };
type Ellipse = { y: number; x: number; ry: number; rx: number; angle: number; value: number };

/** Values of about unit spread, smoothed over `reach` pixels each way. */
function grain({ rows, columns }: Size, reach: number, random: SeededRandom): Field {
  const bytes = random.bytes(rows * columns * 3);
  const field = new Float32Array(rows * columns);
  for (let k = 0; k < field.length; k++) {
    field[k] = ((bytes[3 * k] ?? 0) + (bytes[3 * k + 1] ?? 0) + (bytes[3 * k + 2] ?? 0) - 382.5) / 128;
  }
  if (reach === 0) return field;
  const weights = Array.from({ length: 2 * reach + 1 }, (_, k) => 1 / (1 + Math.abs(k - reach)) ** 2);
  const norm = Math.sqrt(weights.reduce((sum, w) => sum + w * w, 0));
  const across = (from: Field, step: number, length: number, at: (k: number) => number): Field => {
    const to = new Float32Array(from.length);
    for (let k = 0; k < from.length; k++) {
      let sum = 0;
      for (let d = -reach; d <= reach; d++) {
        const place = at(k) + d;
        if (place >= 0 && place < length) sum += (weights[d + reach] ?? 0) * (from[k + d * step] ?? 0);
      }
      to[k] = sum / norm;
    }
    return to;
  };
  return across(
    across(field, 1, columns, (k) => k % columns),
    columns,
    rows,
    (k) => Math.floor(k / columns),
  );
}

function ellipses(count: number, random: SeededRandom, values: () => number): Ellipse[] {
  const part = (): number => random.below(10_000) / 10_000;
  return Array.from({ length: count }, () => ({
    y: 0.25 + part() * 0.5,
    x: 0.25 + part() * 0.5,
    ry: 0.01 + part() * 0.12,
    rx: 0.01 + part() * 0.12,
    angle: part() * 3,
    value: values(),
  }));
}

/** Adds ellipses with edges a few pixels soft. */
function draw(field: Field, { rows, columns }: Size, shapes: readonly Ellipse[], soft: number): void {
  for (const { y, x, ry, rx, angle, value } of shapes) {
    const reach = Math.max(ry, rx) * 1.3;
    const sin = Math.sin(angle);
    const cos = Math.cos(angle);
    for (let r = Math.max(0, Math.floor((y - reach) * rows)); r < Math.min(rows, (y + reach) * rows); r++) {
      for (let c = Math.max(0, Math.floor((x - reach) * columns)); c < Math.min(columns, (x + reach) * columns); c++) {
        const dy = r / rows - y;
        const dx = c / columns - x;
        const far = Math.hypot((dx * cos + dy * sin) / rx, (dy * cos - dx * sin) / ry);
        const inside = Math.max(0, Math.min(1, ((1 - far) * Math.min(rx, ry) * columns) / soft + 0.5));
        field[r * columns + c] = (field[r * columns + c] ?? 0) + value * inside;
      }
    }
  }
}

type Grey = Size & { readonly bits: 8 | 16; readonly signed?: boolean };

function greyFrame(kind: Grey, valueAt: (k: number) => number, low: number, high: number): NativeFrame {
  const { rows, columns, bits, signed = false } = kind;
  const bytes = new Uint8Array((rows * columns * bits) / 8);
  const view = new DataView(bytes.buffer);
  for (let k = 0; k < rows * columns; k++) {
    const value = Math.max(low, Math.min(high, Math.round(valueAt(k))));
    if (bits === 8) view.setUint8(k, value);
    else view.setInt16(2 * k, value, true);
  }
  return {
    bytes,
    rows,
    columns,
    samplesPerPixel: 1,
    bitsAllocated: bits,
    bitsStored: bits === 8 ? 8 : 32 - Math.clz32(Math.max(high, -low)) + (signed ? 1 : 0),
    planar: false,
    signed,
    bigEndian: false,
  };
}

/** A body in air, in a round field of view; outside it the padding value. */
function ct(random: SeededRandom, size: number, noise: number, padding: number | undefined, reach = 1): NativeFrame {
  const kind = { rows: size, columns: size, bits: 16, signed: padding !== undefined } as const;
  const field = new Float32Array(size * size).fill(-1000);
  draw(field, kind, [{ y: 0.5, x: 0.5, ry: 0.34, rx: 0.42, angle: 0, value: 1040 }], 3);
  const organs = ellipses(24, random, () => random.below(300) - 120);
  const bones = ellipses(6, random, () => 300 + random.below(700)).map((e) => ({ ...e, ry: e.ry / 2, rx: e.rx / 2 }));
  draw(field, kind, [...organs, ...bones], 3);
  const specks = grain(kind, reach, random);
  const radius = size / 2 - 1;
  const at = (k: number): number => {
    const far = Math.hypot(Math.floor(k / size) - radius, (k % size) - radius);
    if (padding !== undefined && far > radius) return padding;
    const value = (field[k] ?? 0) + (specks[k] ?? 0) * noise * (far < size * 0.4 ? 1 : 0.6);
    return padding === undefined ? value + 1024 : value;
  };
  return greyFrame(kind, at, padding ?? 0, padding === undefined ? 4095 : 3071);
}

/** Tissue of slowly varying brightness under a coil, with the noise of magnitude images around it. */
function mr(random: SeededRandom, size: Size, noise: number, most: number): NativeFrame {
  const kind = { ...size, bits: 16, signed: false } as const;
  const field = new Float32Array(size.rows * size.columns);
  draw(field, kind, [{ y: 0.5, x: 0.5, ry: 0.42, rx: 0.36, angle: 0.1, value: most * 0.3 }], 2);
  draw(
    field,
    kind,
    ellipses(30, random, () => (random.below(200) - 80) * most * 0.002),
    2,
  );
  const a = grain(kind, 0, random);
  const b = grain(kind, 0, random);
  return greyFrame(
    kind,
    (k) => {
      const coil = 1 + 0.5 * Math.sin(k / size.columns / size.rows) * Math.cos(((k % size.columns) / size.columns) * 2);
      return Math.hypot((field[k] ?? 0) * coil + (a[k] ?? 0) * noise, (b[k] ?? 0) * noise);
    },
    0,
    most,
  );
}

/** A projection: large soft shapes, quantum noise that grows with the dose, and a collimated border of one value. */
function projection(random: SeededRandom, size: Size, bits: number, noise: number, border: number): NativeFrame {
  const kind = { ...size, bits: 16, signed: false } as const;
  const most = 2 ** bits - 1;
  const field = new Float32Array(size.rows * size.columns).fill(most * 0.15);
  draw(field, kind, [{ y: 0.5, x: 0.45, ry: 0.45, rx: 0.35, angle: 0.2, value: most * 0.5 }], 120);
  draw(
    field,
    kind,
    ellipses(40, random, () => (random.below(100) - 50) * most * 0.002),
    20,
  );
  const specks = grain(kind, 1, random);
  const { rows, columns } = size;
  return greyFrame(
    kind,
    (k) => {
      const r = Math.floor(k / columns);
      const c = k % columns;
      if (r < border || c < border || r >= rows - border || c >= columns - border) return most;
      const value = Math.max(0, field[k] ?? 0);
      return value + (specks[k] ?? 0) * noise * Math.sqrt(value / most) * 2;
    },
    0,
    most,
  );
}

/** A breast against the wall: half of the field is air at one value. */
function mammogram(random: SeededRandom, size: Size, bits: number): NativeFrame {
  const kind = { ...size, bits: 16, signed: false } as const;
  const most = 2 ** bits - 1;
  const field = new Float32Array(size.rows * size.columns);
  draw(field, kind, [{ y: 0.5, x: 0, ry: 0.42, rx: 0.55, angle: 0, value: most * 0.4 }], 60);
  const tissue = ellipses(60, random, () => random.below(100) * most * 0.0015).map((e) => ({ ...e, x: e.x * 0.6 }));
  draw(field, kind, tissue, 30);
  const specks = grain(kind, 1, random);
  return greyFrame(
    kind,
    (k) => ((field[k] ?? 0) > most * 0.02 ? (field[k] ?? 0) + (specks[k] ?? 0) * most * 0.004 : 0),
    0,
    most,
  );
}

/** Letters of a kind: blocks of strokes five by seven. */
function overlayText(random: SeededRandom, size: Size, put: (r: number, c: number) => void, lines: number): void {
  for (let line = 0; line < lines; line++) {
    const top = random.below(size.rows - 10);
    const left = random.below(Math.max(1, size.columns - 120));
    for (let letter = 0; letter < 14; letter++) {
      const shape = random.bytes(7);
      for (let r = 0; r < 7; r++)
        for (let c = 0; c < 5; c++) if (((shape[r] ?? 0) >> c) & 1) put(top + r, left + letter * 7 + c);
    }
  }
}

/** Ultrasound on a screen: a sector of speckle in grey, a coloured box in it, a scale and letters, black around. */
function ultrasound(random: SeededRandom, size: Size, planar: boolean): NativeFrame {
  const { rows, columns } = size;
  const field = new Float32Array(rows * columns).fill(70);
  draw(
    field,
    size,
    ellipses(30, random, () => random.below(120) - 70),
    8,
  );
  const specks = grain(size, 2, random);
  const flow = grain(size, 3, random);
  const rgb = new Uint8Array(rows * columns * 3);
  const put = (r: number, c: number, colour: readonly number[]): void => {
    if (r >= 0 && c >= 0 && r < rows && c < columns) rgb.set(colour, (r * columns + c) * 3);
  };
  const hold = (v: number): number => Math.max(0, Math.min(255, Math.round(v)));
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      const y = r - rows * 0.05;
      const x = c - columns / 2;
      const far = Math.hypot(y, x);
      if (far < rows * 0.1 || far > rows * 0.9 || Math.abs(x) > y * 0.9) continue;
      const k = r * columns + c;
      const value = hold((field[k] ?? 0) * Math.exp((specks[k] ?? 0) * 0.35) * (1.2 - far / rows));
      const inBox = Math.abs(x) < columns * 0.1 && y > rows * 0.4 && y < rows * 0.6;
      const speed = inBox ? (flow[k] ?? 0) * 60 : 0;
      if (Math.abs(speed) > 50) put(r, c, speed > 0 ? [hold(90 + speed), 20, 0] : [0, 30, hold(90 - speed)]);
      else put(r, c, [value, value, value]);
    }
  }
  overlayText(random, size, (r, c) => put(r, c, [255, 255, 200]), 12);
  for (let r = 40; r < rows - 40; r++) put(r, columns - 20, [255 - (r >> 1), r & 255, 128]);
  const bytes = planar ? new Uint8Array(rgb.length) : rgb;
  if (planar) for (let k = 0; k < rgb.length; k++) bytes[(k % 3) * rows * columns + Math.floor(k / 3)] = rgb[k] ?? 0;
  return {
    bytes,
    rows,
    columns,
    samplesPerPixel: 3,
    bitsAllocated: 8,
    bitsStored: 8,
    planar,
    signed: false,
    bigEndian: false,
  };
}

/** A screen of a workstation: boxes, lines, curves and letters in few colours. */
function screen(random: SeededRandom, size: Size, samples: 1 | 3): NativeFrame {
  const { rows, columns } = size;
  const bytes = new Uint8Array(rows * columns * samples).fill(samples === 1 ? 0 : 238);
  const put = (r: number, c: number, colour: readonly number[]): void => {
    if (r < 0 || c < 0 || r >= rows || c >= columns) return;
    for (let k = 0; k < samples; k++) bytes[(r * columns + c) * samples + k] = colour[k] ?? 0;
  };
  for (let box = 0; box < 12; box++) {
    const colour = [...random.bytes(3)];
    const top = random.below(rows);
    const left = random.below(columns);
    const high = random.below(rows >> 1);
    const wide = random.below(columns >> 1);
    for (let r = top; r < top + high; r++) for (let c = left; c < left + wide; c++) put(r, c, colour);
  }
  for (let curve = 0; curve < 6; curve++) {
    const colour = [...random.bytes(3)];
    const phase = random.below(100) / 10;
    for (let c = 0; c < columns; c++) {
      const r = Math.round(rows / 2 + (rows / 3) * Math.sin(c / 40 + phase));
      put(r, c, colour);
      put(r + 1, c, colour);
    }
  }
  overlayText(random, size, (r, c) => put(r, c, [20, 20, 20]), 40);
  return {
    bytes,
    rows,
    columns,
    samplesPerPixel: samples,
    bitsAllocated: 8,
    bitsStored: 8,
    planar: false,
    signed: false,
    bigEndian: false,
  };
}

/** Counts of a gamma camera: Poisson noise on little light. */
function scintigram(random: SeededRandom, size: number, most: number): NativeFrame {
  const kind = { rows: size, columns: size, bits: 16 } as const;
  const field = new Float32Array(size * size).fill(most * 0.01);
  draw(
    field,
    kind,
    ellipses(12, random, () => random.below(100) * most * 0.004),
    4,
  );
  const specks = grain(kind, 0, random);
  return greyFrame(kind, (k) => (field[k] ?? 0) + (specks[k] ?? 0) * Math.sqrt(Math.max(0, field[k] ?? 0)), 0, 65535);
}

/** Many small slices side by side, as functional imaging stores them. */
function mosaic(random: SeededRandom, across: number, size: number): NativeFrame {
  const tiles = Array.from({ length: across * across }, () => mr(random, { rows: size, columns: size }, 9, 1500));
  const side = across * size;
  const views = tiles.map(({ bytes }) => new Uint16Array(bytes.buffer));
  const at = (k: number): number => {
    const r = Math.floor(k / side);
    const c = k % side;
    const tile = views[Math.floor(r / size) * across + Math.floor(c / size)];
    return tile?.[(r % size) * size + (c % size)] ?? 0;
  };
  return greyFrame({ rows: side, columns: side, bits: 16 }, at, 0, 4095);
}

/** A frame as chunks of at most a mebibyte, as the archive cuts it. */
function chunks(frame: NativeFrame): NativeFrame[] {
  const rowBytes = (frame.columns * frame.samplesPerPixel * frame.bitsAllocated) / 8;
  const each = Math.floor(2 ** 20 / rowBytes);
  const out: NativeFrame[] = [];
  for (let row = 0; row < frame.rows; row += each) {
    const rows = Math.min(each, frame.rows - row);
    out.push({ ...frame, rows, bytes: frame.bytes.slice(row * rowBytes, (row + rows) * rowBytes) });
  }
  return out;
}

export function phantomSeries(): NativeSeries[] {
  const random = new SeededRandom(20_261_121);
  const times = (count: number, make: () => NativeFrame): NativeFrame[] => Array.from({ length: count }, make);
  return [
    { name: 'phantom CT, noisy, 12 bit', frames: times(4, () => ct(random, 512, 30, undefined)) },
    { name: 'phantom CT, smooth, padded', frames: times(4, () => ct(random, 512, 7, -2000, 2)) },
    { name: 'phantom CT, sharp, signed', frames: times(4, () => ct(random, 512, 60, -1024, 0)) },
    { name: 'phantom MR 256', frames: times(8, () => mr(random, { rows: 256, columns: 256 }, 12, 2000)) },
    { name: 'phantom MR 320x260', frames: times(8, () => mr(random, { rows: 320, columns: 260 }, 5, 900)) },
    { name: 'phantom MR mosaic 6x6 of 64', frames: times(3, () => mosaic(random, 6, 64)) },
    { name: 'phantom MR 128', frames: times(16, () => mr(random, { rows: 128, columns: 128 }, 10, 1200)) },
    { name: 'phantom NM 64', frames: times(32, () => scintigram(random, 64, 300)) },
    { name: 'phantom PT 168', frames: times(16, () => scintigram(random, 168, 30_000)) },
    { name: 'phantom CR 10 bit', frames: chunks(projection(random, { rows: 2500, columns: 2048 }, 10, 4, 0)) },
    { name: 'phantom DX 14 bit', frames: chunks(projection(random, { rows: 2000, columns: 2500 }, 14, 60, 90)) },
    { name: 'phantom MG 12 bit', frames: chunks(mammogram(random, { rows: 3328, columns: 2560 }, 12)) },
    { name: 'phantom XA 8 bit', frames: times(2, () => xa(random, 1024)) },
    {
      name: 'phantom US RGB',
      frames: times(2, () => ultrasound(random, { rows: 600, columns: 800 }, false)).flatMap(chunks),
    },
    { name: 'phantom US RGB planar', frames: times(2, () => ultrasound(random, { rows: 480, columns: 640 }, true)) },
    { name: 'phantom screen RGB', frames: times(2, () => screen(random, { rows: 600, columns: 560 }, 3)) },
    { name: 'phantom screen grey', frames: times(2, () => screen(random, { rows: 1024, columns: 1000 }, 1)) },
  ];
}

/** Angiography: dark vessels on a grey ground, eight bits. */
function xa(random: SeededRandom, size: number): NativeFrame {
  const kind = { rows: size, columns: size, bits: 8 } as const;
  const field = new Float32Array(size * size).fill(150);
  draw(
    field,
    kind,
    ellipses(40, random, () => random.below(40) - 30),
    10,
  );
  const specks = grain(kind, 1, random);
  return greyFrame(kind, (k) => (field[k] ?? 0) + (specks[k] ?? 0) * 4, 0, 255);
}
