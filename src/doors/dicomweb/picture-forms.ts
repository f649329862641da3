// In what form pictures are given (PS3.18 8.7.4): kinds that anything can show, alone or in a multipart.
//
// Invariants: several pictures are parts of a multipart; a kind that is taken alone is one picture, whatever there is to show; videos are not made, only passed on.

import type { PictureFormat, TransferSyntax } from '../../dicom/index.ts';
import { mediaTypeOf } from './frame-forms.ts';
import { HttpProblem } from './http-problem.ts';
import { type MediaRange, partTypeOf, takesType } from './media-type.ts';

const pictureTypes = ['image/jpeg', 'image/png', 'image/gif'] as const;

export type PictureForm = { readonly format: PictureFormat; readonly contentType: string; readonly multipart: boolean };

/** 406 when no kind of picture is taken. `many`: more than one is asked for; `mayStand`: one may stand for them all. */
export function pictureFormFor(
  accepts: readonly MediaRange[],
  how: { readonly quality: number; readonly many: boolean; readonly mayStand: boolean },
): PictureForm {
  for (const range of accepts) {
    const { multipart, type: written } = partTypeOf(range);
    const type = written === 'image/jpg' ? 'image/jpeg' : written;
    const contentType = pictureTypes.find((each) => takesType(type, each));
    const isAny = !multipart && type === '*/*';
    if (contentType === undefined || (how.many && !multipart && !isAny && !how.mayStand)) continue;
    return { format: formatOf(contentType, how.quality), contentType, multipart: multipart || (how.many && isAny) };
  }
  throw new HttpProblem(406, `pictures are given as ${pictureTypes.join(' or ')}`);
}

function formatOf(contentType: (typeof pictureTypes)[number], quality: number): PictureFormat {
  switch (contentType) {
    case 'image/jpeg':
      return { kind: 'jpeg', quality };
    case 'image/png':
      return { kind: 'png' };
    case 'image/gif':
      return { kind: 'gif' };
  }
}

/** The media type of a stored video, where that is taken. */
export function videoTypeFor(accepts: readonly MediaRange[], stored: TransferSyntax): string | undefined {
  if (!stored.video) return undefined;
  const type = mediaTypeOf(stored);
  return accepts.some((range) => !partTypeOf(range).multipart && takesType(range.type, type)) ? type : undefined;
}
