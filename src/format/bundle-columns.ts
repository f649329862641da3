// Columns of a bundle: many values of one kind in few bytes of JSON (FORMAT.md 6.1).
//
//   {"is": v}                       every member has v
//   {"of": [v...], "at": [i...]}    member n has of[at[n]]
//   {"each": [v...]}                member n has each[n]
//   {"from": "i", "step": s}        integers: i, i + s, i + 2s ...; with an array of steps the sums of them
//   {"base64": text}                byte strings of one length, one behind the other
// A column of texts may have "prefix", which stands before each.
//
// Invariants: what is decoded has as many values as the bundle has members, or it is RECORD_CORRUPT; the writer takes the shortest form.

import { ArchiveError, base64Of, bytesOfBase64, concatBytes } from '../base/index.ts';

export type Column = { readonly [member: string]: unknown };

export function columnFault(name: string): ArchiveError {
  return new ArchiveError('RECORD_CORRUPT', `a bundle's column ${name} is not in its form`);
}

export function encodeValues(values: readonly unknown[]): Column {
  const numbers = new Map<string, number>();
  const of: unknown[] = [];
  const at: number[] = [];
  for (const value of values) {
    const text = JSON.stringify(value);
    let number = numbers.get(text);
    if (number === undefined) {
      number = of.length;
      numbers.set(text, number);
      of.push(value);
    }
    at.push(number);
  }
  if (of.length === 1) return { is: of[0] };
  return of.length * 2 <= values.length ? { of, at } : { each: values };
}

export function encodeTexts(values: readonly string[]): Column {
  const [first = ''] = values;
  let length = first.length;
  for (const value of values) while (!value.startsWith(first.slice(0, length))) length -= 1;
  const prefix = first.slice(0, length);
  const rest = values.map((value) => value.slice(length));
  // Numbers that follow one another cost nothing.
  const digits = rest.every((each) => /^(?:0|[1-9]\d{0,14})$/.test(each));
  return { prefix, ...(digits ? encodeIntegers(rest.map(BigInt)) : encodeValues(rest)) };
}

export function encodeIntegers(values: readonly bigint[]): Column {
  const [from = 0n] = values;
  const step: (number | string)[] = [];
  for (let index = 1; index < values.length; index += 1) {
    const difference = (values[index] as bigint) - (values[index - 1] as bigint);
    step.push(Number.isSafeInteger(Number(difference)) ? Number(difference) : String(difference));
  }
  const same = step.every((each) => each === step[0]);
  return { from: String(from), step: same ? (step[0] ?? 0) : step };
}

export function encodeBlobs(values: readonly Uint8Array[]): Column {
  return { base64: base64Of(concatBytes(values)) };
}

/** Values of any form; integers of a `from` come as bigint. */
export function decodeColumn(name: string, column: unknown, count: number): unknown[] {
  if (typeof column !== 'object' || column === null) throw columnFault(name);
  const { is, of, at, each, from, step } = column as Column;
  if (from !== undefined) return integersOf(name, from, step, count);
  if (each !== undefined) {
    if (!Array.isArray(each) || each.length !== count) throw columnFault(name);
    return each;
  }
  if (of === undefined) {
    if (is === undefined) throw columnFault(name);
    return new Array<unknown>(count).fill(is);
  }
  if (!Array.isArray(of) || !Array.isArray(at) || at.length !== count) throw columnFault(name);
  return at.map((number: unknown) => {
    if (typeof number !== 'number' || !Number.isInteger(number) || number < 0 || number >= of.length)
      throw columnFault(name);
    return of[number] as unknown;
  });
}

const integerForm = /^-?\d{1,20}$/;

function integersOf(name: string, from: unknown, step: unknown, count: number): bigint[] {
  if (typeof from !== 'string' || !integerForm.test(from)) throw columnFault(name);
  const steps: unknown[] | undefined = Array.isArray(step) ? step : undefined;
  if (steps !== undefined && steps.length !== count - 1) throw columnFault(name);
  const values: bigint[] = [];
  let value = BigInt(from);
  for (let index = 0; index < count; index += 1) {
    if (index > 0) value += integerOf(name, steps === undefined ? step : steps[index - 1]);
    values.push(value);
  }
  return values;
}

function integerOf(name: string, value: unknown): bigint {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
  if (typeof value === 'string' && integerForm.test(value)) return BigInt(value);
  throw columnFault(name);
}

export function decodeTexts(name: string, column: unknown, count: number): string[] {
  const values = decodeColumn(name, column, count);
  const { prefix = '' } = column as { readonly prefix?: unknown };
  if (typeof prefix !== 'string') throw columnFault(name);
  return values.map((value) => {
    if (typeof value !== 'string' && typeof value !== 'bigint') throw columnFault(name);
    return `${prefix}${value}`;
  });
}

/** Integers that a count, a size or a time in milliseconds may be. */
export function decodeCounts(name: string, column: unknown, count: number): number[] {
  return decodeBigCounts(name, column, count).map((value) => {
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw columnFault(name);
    return Number(value);
  });
}

export function decodeBigCounts(name: string, column: unknown, count: number): bigint[] {
  return decodeColumn(name, column, count).map((value) => {
    const integer = typeof value === 'bigint' ? value : integerOf(name, value);
    if (integer < 0n || integer >= 1n << 64n) throw columnFault(name);
    return integer;
  });
}

export function decodeBlobs(name: string, column: unknown, count: number, sizeBytes: number): Uint8Array[] {
  const text = typeof column === 'object' && column !== null ? (column as Column).base64 : undefined;
  if (typeof text !== 'string') throw columnFault(name);
  const bytes = bytesOfBase64(text);
  if (bytes.byteLength !== count * sizeBytes) throw columnFault(name);
  return Array.from({ length: count }, (_, index) => bytes.slice(index * sizeBytes, (index + 1) * sizeBytes));
}
