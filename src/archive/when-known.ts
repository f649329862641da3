// Which object counts when one comes with other bytes under a known instance UID: the first, the last, or the last for some kinds of objects, such as
// presentation states and reports, whose makers correct them without a new UID.

import { type ObjectKind, objectKindOf } from '../dicom/index.ts';

/** Kinds: of these the last counts, of all others the first. */
export type WhenKnown = 'first' | 'last' | readonly ObjectKind[];

export function countsLast(rule: WhenKnown | undefined, classUid: string): boolean {
  if (rule === undefined || rule === 'first' || rule === 'last') return rule === 'last';
  return rule.includes(objectKindOf(classUid));
}
