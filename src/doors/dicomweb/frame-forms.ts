// In what frames may leave: media types of transfer syntaxes (PS3.18 8.7.3.3), and what an Accept takes of them.
//
// Invariants: frames that are stored compressed leave as they are or not at all; native ones leave in little endian; `*` means what is stored.

import type { TransferSyntax } from '../../dicom/index.ts';
import { HttpProblem } from './http-problem.ts';
import { type MediaRange, partTypeOf, takesType } from './media-type.ts';

const bytesType = 'application/octet-stream';
const root = '1.2.840.10008.1.2';

const mediaTypes: readonly (readonly [RegExp, string])[] = [
  [/^\.4\.(?:5\d|6\d|70)$/, 'image/jpeg'],
  [/^\.4\.8[01]$/, 'image/jls'],
  [/^\.4\.9[01]$/, 'image/jp2'],
  [/^\.4\.9[23]$/, 'image/jpx'],
  [/^\.4\.20[123]$/, 'image/jphc'],
  [/^\.4\.11[012]$/, 'image/jxl'],
  [/^\.4\.10[01](?:\.1)?$/, 'video/mpeg'],
  [/^\.4\.10[2-8](?:\.1)?$/, 'video/mp4'],
  [/^\.5$/, 'image/dicom-rle'],
];

export function mediaTypeOf(syntax: TransferSyntax): string {
  if (!syntax.encapsulated || !syntax.uid.startsWith(root)) return bytesType;
  const end = syntax.uid.slice(root.length);
  return mediaTypes.find(([form]) => form.test(end))?.[1] ?? bytesType;
}

export type FrameForm = { readonly multipart: boolean; readonly type: string; readonly contentType: string };

/** 406 when what is stored is not taken. */
export function frameFormFor(accepts: readonly MediaRange[], syntax: TransferSyntax, mayBeSingle: boolean): FrameForm {
  const stored = mediaTypeOf(syntax);
  const given = syntax.encapsulated ? syntax.uid : `${root}.1`;
  for (const range of accepts) {
    const { multipart, type } = partTypeOf(range);
    const isAny = !multipart && type === '*/*';
    if (!multipart && !isAny && !mayBeSingle) continue;
    const asked = range.params.get('transfer-syntax');
    if (asked !== undefined && asked !== '*' && asked !== given) continue;
    const isBytes = type === bytesType && (asked !== undefined || !syntax.encapsulated);
    if (!isAny && !isBytes && !takesType(type, stored)) continue;
    if (stored !== bytesType && type === bytesType && !isBytes) continue;
    const told = isBytes ? bytesType : stored;
    return { multipart: multipart || isAny, type: told, contentType: `${told}; transfer-syntax=${given}` };
  }
  throw new HttpProblem(406, `these frames are given as ${stored}; transfer-syntax=${given}`);
}
