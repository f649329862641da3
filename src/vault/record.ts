// A record that was made: its head and body as they will lie in packs, and the fields the vault needs of them.

import { concatBytes, emptyBytes, type HybridTime, type KeyGroup, type RecordId } from '../base/index.ts';
import { type HeadFields, leafOf, recordSpanBytes } from '../format/index.ts';

export type MadeRecord = {
  readonly id: RecordId;
  readonly kind: number;
  readonly group: KeyGroup;
  readonly hybrid: HybridTime;
  readonly plainSizeBytes: number;
  readonly codec: number;
  readonly cipher: number;
  readonly head: Uint8Array;
  readonly body: Uint8Array;
  readonly leaf: Uint8Array;
};

export function madeRecord(fields: HeadFields, head: Uint8Array, body: Uint8Array): MadeRecord {
  return {
    id: fields.id,
    kind: fields.kind,
    group: fields.group,
    hybrid: fields.hybrid,
    plainSizeBytes: fields.plainSizeBytes,
    codec: fields.codec,
    cipher: fields.cipher,
    head,
    body,
    leaf: leafOf(head),
  };
}

export function spanOf(record: { head: Uint8Array; body: Uint8Array }): number {
  return recordSpanBytes({ bytes: record.head, bodySizeBytes: record.body.byteLength });
}

const zeros = new Uint8Array(8192);

/** `count` zeros, shared: not to be written into. */
export function zeroBytes(count: number): Uint8Array {
  return count === 0 ? emptyBytes : count <= zeros.byteLength ? zeros.subarray(0, count) : new Uint8Array(count);
}

/** What lies on the medium for these records, part by part, without copying bodies. */
export function recordParts(records: readonly { head: Uint8Array; body: Uint8Array }[]): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (const record of records) {
    const padding = spanOf(record) - record.head.byteLength - record.body.byteLength;
    parts.push(record.head, record.body);
    if (padding > 0) parts.push(zeroBytes(padding));
  }
  return parts;
}

export function leavesOf(records: readonly MadeRecord[]): Uint8Array {
  return concatBytes(records.map((record) => record.leaf));
}
