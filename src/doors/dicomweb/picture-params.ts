// What a query says of how a picture is to be shown (PS3.18 8.3.5).
//
// Invariants: what is not in its form is refused; what is in its form and not done here (annotations) is passed over and told in a Warning.

import { ArchiveError } from '../../base/index.ts';
import type { Viewport } from '../../dicom/index.ts';

export type HowShown = {
  readonly window: { readonly center: number; readonly width: number; readonly shape: string | undefined } | undefined;
  readonly viewport: Viewport | undefined;
};

const qualityDefault = 90;
const sideMax = 65_535;

export function howShown(params: URLSearchParams): HowShown {
  return { window: windowOf(params.get('window')), viewport: viewportOf(params.get('viewport')) };
}

/** A Warning of annotations that were asked for, and are not drawn. */
export function annotationWarning(params: URLSearchParams, base: string): Readonly<Record<string, string>> {
  const asked = (params.get('annotation') ?? '').split(',').filter((each) => each !== '');
  if (asked.length === 0) return {};
  if (!asked.every((each) => each === 'patient' || each === 'technique'))
    throw new ArchiveError('ARGUMENT_INVALID', 'annotation is patient, technique or both');
  return { warning: `299 ${new URL(base).host} "The following annotations are not supported: ${asked.join(',')}"` };
}

export function qualityOf(text: string | null): number {
  if (text === null) return qualityDefault;
  const quality = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (quality < 1 || quality > 100) throw new ArchiveError('ARGUMENT_INVALID', 'quality is from 1 to 100');
  return quality;
}

/** `center,width[,function]` */
function windowOf(text: string | null): HowShown['window'] {
  if (text === null) return undefined;
  const [center, width, shape = 'linear', ...more] = text.split(',');
  const known = new Map([
    ['linear', 'LINEAR'],
    ['linear-exact', 'LINEAR_EXACT'],
    ['sigmoid', 'SIGMOID'],
  ]).get(shape.toLowerCase());
  if (more.length > 0 || known === undefined)
    throw new ArchiveError('ARGUMENT_INVALID', 'window is center,width,function');
  return { center: decimalOf(center), width: decimalOf(width), shape: known };
}

/** `columns,rows[,x,y,columns,rows]`; sides of the area that are negative flip it, and what is left empty is the whole. */
function viewportOf(text: string | null): Viewport | undefined {
  if (text === null) return undefined;
  const [first, second, ...rest] = text.split(',');
  const [columns, rows] = [decimalOf(first), decimalOf(second)];
  if (!(columns >= 1) || !(rows >= 1) || ![0, 4].includes(rest.length))
    throw new ArchiveError('ARGUMENT_INVALID', 'viewport is columns,rows or columns,rows,x,y,columns,rows');
  const size = { columns: Math.floor(columns), rows: Math.floor(rows), mayEnlarge: true };
  if (rest.length === 0) return size;
  const [x, y, across, down] = rest.map((each, index) => (each === '' ? (index < 2 ? 0 : sideMax) : decimalOf(each)));
  return {
    ...size,
    area: {
      x: x ?? 0,
      y: y ?? 0,
      columns: Math.abs(across ?? sideMax),
      rows: Math.abs(down ?? sideMax),
      flippedAcross: (across ?? 0) < 0,
      flippedDown: (down ?? 0) < 0,
    },
  };
}

export function decimalOf(text: string | undefined | null): number {
  const number = /^[+-]?\d{1,12}(?:\.\d{1,12})?$/.test(text ?? '') ? Number(text) : Number.NaN;
  if (Number.isNaN(number)) throw new ArchiveError('ARGUMENT_INVALID', 'a number of the query is none');
  return number;
}
