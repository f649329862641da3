// Which device made a data set, and the texts that tell in which character set it writes.
//
// Invariants: pure. A device is named by who sends for it, maker, model and station name, or, where it has none, serial number: a relay sends for many devices, and each of them has
// its own habit. Names of devices are compared as ASCII, for their bytes may themselves be in a set that nobody knows.
// Left out on purpose: the software version, which changes without the device changing, and everything of the patient.

import { type DataSet, dictionaryEntry, type TextKind, type TextSample, tagOfKeyword } from '../dicom/index.ts';
import { textKeywords } from './describe-instance.ts';

export type DeviceWords = { readonly maker: string; readonly model: string; readonly station: string };

const nameCharsMax = 64;

export function deviceOf(header: DataSet): DeviceWords {
  const word = (keyword: string): string => asciiOf(header.bytes(tagOfKeyword(keyword) ?? 0));
  const station = word('StationName');
  return {
    maker: word('Manufacturer'),
    model: word('ManufacturerModelName'),
    station: station === '' ? word('DeviceSerialNumber') : station,
  };
}

/** Case and runs of blanks do not tell devices apart; whatever is no ASCII is a question mark. */
function asciiOf(bytes: Uint8Array | undefined): string {
  if (bytes === undefined) return '';
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  return text
    .replace(/[^\x20-\x7e]+/g, (run) => (/^\0+$/.test(run) ? '' : '?'))
    .replaceAll('\\', '/')
    .replace(/ +/g, ' ')
    .trim()
    .toUpperCase()
    .slice(0, nameCharsMax);
}

type TextTag = { readonly tag: number; readonly kind: TextKind };

const textTags: readonly TextTag[] = textKeywords.flatMap((keyword) => {
  const tag = tagOfKeyword(keyword);
  const facts = tag === undefined ? undefined : dictionaryEntry(tag)?.facts;
  if (tag === undefined || facts?.kind !== 'text') return [];
  return [{ tag, kind: facts.vr === 'PN' ? 'name' : facts.multiple ? 'single' : 'text' } as const];
});

/** Texts with anything beyond ASCII; none for most data sets. */
export function textsBeyondAscii(header: DataSet): TextSample[] {
  const samples: TextSample[] = [];
  for (const { tag, kind } of textTags) {
    const bytes = header.bytes(tag);
    if (bytes !== undefined && isBeyondAscii(bytes)) samples.push({ bytes, kind });
  }
  return samples;
}

function isBeyondAscii(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.byteLength; at += 1) {
    const byte = bytes[at] as number;
    if (byte >= 0x80 || byte === 0x1b) return true;
  }
  return false;
}
