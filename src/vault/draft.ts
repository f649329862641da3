// A draft: a record that is still to be made.
//
// Invariant: its id is taken from its stream before it is made, so ids follow the order in which records are appended.

import type { KeyGroup, RecordId } from '../base/index.ts';
import type { CodecHint } from '../codec/index.ts';

/** A record to be: what it holds and under whose key. */
export type Draft = {
  readonly id: RecordId;
  readonly kind: number;
  readonly group: KeyGroup;
  readonly plain: Uint8Array;
  readonly hint: CodecHint;
  /** Called once, when the plain bytes are needed no more. Without it they are the record's from now on. */
  readonly release?: (() => void) | undefined;
};

/** Up to here a fact or a list is stored as it is: a frame around so few bytes saves a third of them and costs more than all the rest of the record. */
const factPlainBytesMax = 1024;

/** From here on a fact is many in one, which stays on fast disks for ever: it is packed as well as it can be. */
const manyFactsBytesMin = 16 * 1024;

export function factHint(plain: Uint8Array): CodecHint {
  if (plain.byteLength <= factPlainBytesMax) return { kind: 'raw' };
  return { kind: 'bytes', effort: plain.byteLength < manyFactsBytesMin ? 'fast' : 'best' };
}
