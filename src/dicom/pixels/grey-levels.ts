// Stored values to what is shown: Modality LUT or rescale, VOI LUT or window, inversion (PS3.3, C.11.1 and C.11.2). Pure functions of single values.

import { never } from '../../base/index.ts';
import type { LookupTable } from './image-shape.ts';
import { malformedPixels } from './pixel-fault.ts';

/** Stored values to those of the modality. */
export type Modality = { readonly slope: number; readonly intercept: number } | { readonly table: LookupTable };

export type WindowShape = 'LINEAR' | 'LINEAR_EXACT' | 'SIGMOID';

export type Voi =
  | {
      readonly kind: 'window';
      readonly center: number;
      readonly width: number;
      readonly shape?: WindowShape | undefined;
    }
  | { readonly kind: 'table'; readonly table: LookupTable }
  /** From the least to the greatest of two values, as `automaticVoi` finds them. */
  | { readonly kind: 'range'; readonly least: number; readonly most: number };

/** A value between 0 and 1, or beyond where `clamped` is to bring it back. */
export type Level = (value: number) => number;

const asStored: Modality = { slope: 1, intercept: 0 };

export function modalityValue(modality: Modality | undefined): Level {
  const given = modality ?? asStored;
  if ('table' in given) {
    const look = lookup(given.table);
    return (value) => look(value);
  }
  const { slope, intercept } = given;
  // A slope of nothing says that nobody wrote one.
  if (!Number.isFinite(slope) || !Number.isFinite(intercept) || slope === 0) return (value) => value;
  return (value) => value * slope + intercept;
}

/** The entry for a value; values before the first or after the last get those (C.11.1.1.1). */
function lookup({ first, entries }: LookupTable): (value: number) => number {
  const last = entries.length - 1;
  if (last < 0) throw malformedPixels('a lookup table is empty');
  return (value) => entries[Math.min(last, Math.max(0, Math.trunc(value) - first))] as number;
}

export function voiLevel(voi: Voi): Level {
  switch (voi.kind) {
    case 'window':
      return windowLevel(voi.center, voi.width, voi.shape ?? 'LINEAR');
    case 'table': {
      const look = lookup(voi.table);
      const most = 2 ** voi.table.bits - 1;
      return (value) => look(value) / most;
    }
    case 'range': {
      const span = voi.most - voi.least;
      return span > 0 ? (value) => (value - voi.least) / span : () => 0;
    }
    default:
      return never(voi, 'a VOI has a kind');
  }
}

function windowLevel(center: number, width: number, shape: WindowShape): Level {
  if (!Number.isFinite(center) || !Number.isFinite(width))
    throw malformedPixels('a window without a center or a width');
  switch (shape) {
    case 'LINEAR': {
      const span = Math.max(1, width) - 1;
      // A width of one is a threshold.
      if (span === 0) return (value) => (value <= center - 0.5 ? 0 : 1);
      return (value) => (value - (center - 0.5)) / span + 0.5;
    }
    case 'LINEAR_EXACT':
      if (width <= 0) return (value) => (value <= center ? 0 : 1);
      return (value) => (value - center) / width + 0.5;
    case 'SIGMOID':
      if (width <= 0) return (value) => (value <= center ? 0 : 1);
      return (value) => 1 / (1 + Math.exp((-4 * (value - center)) / width));
    default:
      return never(shape, 'a window has a shape');
  }
}
