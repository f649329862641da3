// What a record of audited events says (FORMAT.md 6): the event `audited`, texts that each carry the hash of the one before.
//
// Layout of the JSON: v (1), type (`audited`), chain (32 hex digits), events (texts, each a JSON object of its own that begins with `n` and `before`).
// Invariants: the hash of an event is the SHA-256 of the UTF-8 of its text, exactly as it stands; so nobody needs to know how we write JSON.
// Left out on purpose: what an event says beyond its place in the chain, and hashing; the archive does both.

import { ArchiveError, isHex128, utf8Bytes, utf8Text } from '../base/index.ts';

export type AuditRecord = { readonly chain: string; readonly events: readonly string[] };

const recordVersion = 1;
/** Events of one record, so that it stays far below a chunk. */
export const auditEventsMax = 256;

export function encodeAuditRecord({ chain, events }: AuditRecord): Uint8Array {
  return utf8Bytes(JSON.stringify({ v: recordVersion, type: 'audited', chain, events }));
}

/** RECORD_CORRUPT, PACK_NEWER. */
export function decodeAuditRecord(bytes: Uint8Array): AuditRecord {
  const json = parsed(bytes);
  const { v, type, chain, events } = json ?? {};
  if (typeof v === 'number' && v > recordVersion)
    throw new ArchiveError('PACK_NEWER', `a record of audited events has version ${v}`);
  const isWhole =
    type === 'audited' &&
    typeof chain === 'string' &&
    isHex128(chain) &&
    Array.isArray(events) &&
    events.length <= auditEventsMax &&
    events.every((each) => typeof each === 'string');
  if (!isWhole) throw new ArchiveError('RECORD_CORRUPT', 'a record of audited events is not in its form');
  return { chain, events };
}

function parsed(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const json: unknown = JSON.parse(utf8Text(bytes) ?? '');
    return typeof json === 'object' && json !== null ? (json as Record<string, unknown>) : undefined;
  } catch {
    // The one error above says it: a parser's message would quote the text.
    return undefined;
  }
}
