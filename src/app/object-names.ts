// Names on the command line: `bucket/key`, and how a key that is no text is written down.
//
// Invariants: what `ls` shows names the object when it is given back; a key that is UTF-8 without anything that moves a terminal's cursor or turns
// the writing about is shown as it is; bytes that are not, a backslash before an x and a space at the end are shown as \xHH, and a name that is
// not found as it stands is looked for with these undone. A bucket that is not there is taken for the beginning of a key in the default bucket,
// where `put` stores what it is not told to put elsewhere, when something is looked for; never when something is to be hidden or destroyed.

import type { Archive, ObjectName } from '../archive/index.ts';
import { ArchiveError, concatBytes, defaultTenant, utf8Bytes, utf8Text } from '../base/index.ts';
import type { Catalog, ObjectRow } from '../catalog/index.ts';

export const defaultBucket = 'files';

const backslash = 0x5c;
const letterX = 0x78;
const space = 0x20;

/** Control characters of both sets, marks and overrides of direction, separators of lines. */
// biome-ignore lint: control characters are what is looked for
const unprintable = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/;

export function keyText(key: Uint8Array): string {
  const text = utf8Text(key);
  if (text !== undefined && !unprintable.test(text) && !text.includes('\\x') && !text.endsWith(' ')) return text;
  let shown = '';
  for (let from = 0; from < key.byteLength; ) {
    const sizeBytes = sequenceBytes(key, from);
    const piece = utf8Text(key.subarray(from, from + sizeBytes));
    const isEscape = key[from] === backslash && key[from + 1] === letterX;
    const isLastSpace = key[from] === space && from + 1 === key.byteLength;
    if (piece !== undefined && !unprintable.test(piece) && !isEscape && !isLastSpace) shown += piece;
    else for (const byte of key.subarray(from, from + sizeBytes)) shown += `\\x${byte.toString(16).padStart(2, '0')}`;
    from += sizeBytes;
  }
  return shown;
}

/** Bytes of the character here if it is whole, else one. */
function sequenceBytes(bytes: Uint8Array, from: number): number {
  const first = bytes[from] as number;
  const wanted = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
  return utf8Text(bytes.subarray(from, from + wanted)) !== undefined && from + wanted <= bytes.byteLength ? wanted : 1;
}

function unescaped(text: string): Uint8Array {
  const parts = text.split(/(\\x[0-9a-fA-F]{2})/).filter((part) => part !== '');
  return concatBytes(
    parts.map((part) =>
      /^\\x[0-9a-fA-F]{2}$/.test(part) ? Uint8Array.of(Number.parseInt(part.slice(2), 16)) : utf8Bytes(part),
    ),
  );
}

/** Bucket and the rest, which may be empty. */
export function splitName(text: string): { bucket: string; rest: string } {
  const cut = text.indexOf('/');
  return cut < 0 ? { bucket: text, rest: '' } : { bucket: text.slice(0, cut), rest: text.slice(cut + 1) };
}

/** The names that a text may stand for: as it is, and with its escapes undone. */
export function namesOf(text: string): ObjectName[] {
  const { bucket, rest } = splitName(text);
  if (rest === '') throw new ArchiveError('ARGUMENT_INVALID', 'a name is BUCKET/KEY', { hint: 'see: stele ls' });
  const name = (key: Uint8Array): ObjectName => ({ tenant: defaultTenant, bucket, key });
  const names = [name(utf8Bytes(rest))];
  if (rest.includes('\\x')) names.push(name(unescaped(rest)));
  return names;
}

/** The object that a text names, exactly. NOT_FOUND. */
export async function findObject(
  archive: Archive,
  text: string,
  versionId?: string,
): Promise<{ name: ObjectName; row: ObjectRow }> {
  if (versionId !== undefined && !/^[0-9a-f]{32}$/.test(versionId)) {
    throw new ArchiveError('ARGUMENT_INVALID', 'a version is 32 hex digits', { hint: 'see: stele ls --versions' });
  }
  let failure: unknown;
  for (const name of namesOf(text)) {
    try {
      return { name, row: await archive.objects.find(name, versionId) };
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

/** The text as it stands, or below the default bucket when it begins with no bucket that is there. */
export async function withBucket(catalog: Catalog, text: string): Promise<string> {
  const { bucket } = splitName(text);
  if ((await catalog.site.bucket(defaultTenant, bucket)) !== undefined) return text;
  const below = (await catalog.site.bucket(defaultTenant, defaultBucket)) !== undefined;
  return below ? `${defaultBucket}/${text}` : text;
}
