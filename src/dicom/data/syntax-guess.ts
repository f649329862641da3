// Which of the three plain transfer syntaxes a data set has of which nothing is said: told by its first eight bytes.
//
// Groups of a header are small numbers, so the byte order in which the first one is smaller is the right one; and a VR where explicit syntaxes have one is no
// accident. What begins with no tag that anybody knows is no data set.

import { dictionaryEntry } from './dictionary.ts';
import { tagAt, u32At } from './stream-numbers.ts';
import { isGroupLength, type Tag } from './tag.ts';
import { explicitBig, explicitLittle, implicitLittle, type TransferSyntax } from './transfer-syntax.ts';
import { vrOfLetters } from './vr.ts';

/** How many bytes are looked at. */
export const guessBytes = 8;

/** No header begins with an element as long as this. */
const firstValueBytesMax = 0x1_0000;

export function guessSyntax(bytes: Uint8Array): TransferSyntax | undefined {
  if (bytes.length < guessBytes) return undefined;
  const little = tagAt(bytes, 0, false);
  const big = tagAt(bytes, 0, true);
  if (vrOfLetters(bytes[4] as number, bytes[5] as number) !== undefined) {
    if (isKnown(little) && little <= big) return explicitLittle;
    return isKnown(big) ? explicitBig : undefined;
  }
  return isKnown(little) && u32At(bytes, 4, false) < firstValueBytesMax ? implicitLittle : undefined;
}

function isKnown(tag: Tag): boolean {
  return dictionaryEntry(tag) !== undefined || (isGroupLength(tag) && tag >>> 16 <= 0x20);
}
