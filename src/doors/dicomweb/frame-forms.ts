// In what frames may leave: media types of transfer syntaxes (PS3.18 8.7.3.3), and what an Accept takes of them.
//
// Invariants: `*` is what is stored; where no syntax is named, a media type of coded frames means the stored one if it is of that type, else the one that the standard
// gives the type; bytes, and whatever is taken without a name, mean little endian as long as that can be decoded; nothing is ever made that has lost more than
// what is stored.

import { isDecodable, isEncodable } from '../../archive/index.ts';
import type { TransferSyntax } from '../../dicom/index.ts';
import { HttpProblem } from './http-problem.ts';
import { type MediaRange, partTypeOf, takesType } from './media-type.ts';

const bytesType = 'application/octet-stream';
const root = '1.2.840.10008.1.2';
const explicitLittleEndian = `${root}.1`;
/** Frames are the same bytes in both. */
const plainSyntaxes: ReadonlySet<string> = new Set([explicitLittleEndian, root]);

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

/** Names of older editions, and of clients that keep to them. */
const aliases: ReadonlyMap<string, string> = new Map([
  ['image/x-jls', 'image/jls'],
  ['image/x-dicom-rle', 'image/dicom-rle'],
  ['image/dicom+rle', 'image/dicom-rle'],
  ['image/dicom+jpeg', 'image/jpeg'],
  ['image/dicom+jp2', 'image/jp2'],
  ['image/dicom+jpx', 'image/jpx'],
  ['image/jpg', 'image/jpeg'],
]);

/** What a type of coded frames means where no syntax is named: the lossless one. */
const madeFor: readonly (readonly [string, string])[] = [
  ['image/jpeg', `${root}.4.70`],
  ['image/jls', `${root}.4.80`],
  ['image/jp2', `${root}.4.90`],
  ['image/jphc', `${root}.4.201`],
  ['image/dicom-rle', `${root}.5`],
];
/** The same of types that nobody makes here. */
const onlyStored: typeof madeFor = [
  ['image/jpx', `${root}.4.92`],
  ['video/mpeg', `${root}.4.100`],
  ['video/mp4', `${root}.4.102`],
];

/** What coded pixels of a type are in where nothing is said. */
export function syntaxOfMediaType(type: string): string | undefined {
  const known = aliases.get(type) ?? type;
  return [...madeFor, ...onlyStored].find(([each]) => each === known)?.[1];
}

export function mediaTypeOf(syntax: Pick<TransferSyntax, 'uid' | 'encapsulated'>): string {
  return syntax.encapsulated ? mediaTypeOfUid(syntax.uid) : bytesType;
}

function mediaTypeOfUid(uid: string): string {
  if (!uid.startsWith(root)) return bytesType;
  const end = uid.slice(root.length);
  return mediaTypes.find(([form]) => form.test(end))?.[1] ?? bytesType;
}

export type FrameForm = {
  readonly multipart: boolean;
  readonly type: string;
  readonly contentType: string;
  readonly syntax: string;
  /** Whether the frames leave as the bytes that are stored. */
  readonly asStored: boolean;
  /** Nobody named it: what is stored will do as well. */
  readonly isDefault: boolean;
};

type Target = Pick<FrameForm, 'syntax' | 'asStored'>;

/** 406 when frames can be given in nothing that is taken. `storedFirst`: what is stored where nothing is named. */
export function frameFormFor(
  accepts: readonly MediaRange[],
  stored: TransferSyntax,
  how: { readonly mayBeSingle: boolean; readonly storedFirst: boolean },
): FrameForm {
  for (const range of accepts) {
    const { multipart, type } = partTypeOf(range);
    const isAny = !multipart && type === '*/*';
    if (!multipart && !isAny && !how.mayBeSingle) continue;
    const asked = range.params.get('transfer-syntax');
    const target = targetOf(aliases.get(type) ?? type, asked, stored, how.storedFirst);
    if (target === undefined) continue;
    const isDefault = type === '*/*' && asked === undefined;
    return formOf(target, { type, multipart: multipart || isAny, isDefault });
  }
  const given = storedTarget(stored).syntax;
  throw new HttpProblem(406, `these frames are given as ${mediaTypeOf(stored)}; transfer-syntax=${given}`);
}

/** The same form with the bytes that are stored. */
export function storedForm({ multipart }: FrameForm, stored: TransferSyntax): FrameForm {
  return formOf(storedTarget(stored), { type: '*/*', multipart, isDefault: false });
}

function formOf(
  target: Target,
  { type, multipart, isDefault }: { readonly type: string; readonly multipart: boolean; readonly isDefault: boolean },
): FrameForm {
  const natural = plainSyntaxes.has(target.syntax) ? bytesType : mediaTypeOfUid(target.syntax);
  // Who asks by another name looks for it in the answer.
  const told = type === bytesType || aliases.has(type) ? type : natural;
  return { ...target, multipart, isDefault, type: told, contentType: `${told}; transfer-syntax=${target.syntax}` };
}

function storedTarget(stored: TransferSyntax): Target {
  return { syntax: stored.encapsulated ? stored.uid : explicitLittleEndian, asStored: true };
}

function targetOf(
  type: string,
  asked: string | undefined,
  stored: TransferSyntax,
  storedFirst: boolean,
): Target | undefined {
  const asIs = storedTarget(stored);
  const plain = plainTarget(stored, explicitLittleEndian);
  if (asked === '*') return takes(type, asIs.syntax) ? asIs : undefined;
  if (asked !== undefined) {
    const named =
      asked === asIs.syntax ? asIs : plainSyntaxes.has(asked) ? plainTarget(stored, asked) : made(stored, asked);
    return named !== undefined && takes(type, asked) ? named : undefined;
  }
  if (type === '*/*') return storedFirst ? asIs : (plain ?? asIs);
  if (takesType(type, bytesType)) return plain ?? (mediaTypeOf(stored) === bytesType ? asIs : undefined);
  if (stored.encapsulated && takesType(type, mediaTypeOf(stored))) return asIs;
  const [, syntax] = madeFor.find(([each]) => takesType(type, each)) ?? [];
  return syntax === undefined ? undefined : made(stored, syntax);
}

/** Bytes are bytes, whatever they say. */
function takes(type: string, syntax: string): boolean {
  return takesType(type, bytesType) || takesType(type, plainSyntaxes.has(syntax) ? bytesType : mediaTypeOfUid(syntax));
}

function plainTarget(stored: TransferSyntax, syntax: string): Target | undefined {
  if (!stored.encapsulated) return { syntax, asStored: true };
  return isDecodable(stored.uid) ? { syntax, asStored: false } : undefined;
}

function made(stored: TransferSyntax, syntax: string): Target | undefined {
  const source = stored.encapsulated ? stored.uid : explicitLittleEndian;
  return isEncodable(source, syntax) ? { syntax, asStored: false } : undefined;
}
