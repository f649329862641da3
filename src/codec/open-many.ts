// Many small records that lie in one buffer, opened together: what a rebuild asks, which opens every fact of an archive.
//
// Invariants: each record is checked as `openRecord` checks it, and one that fails fails alone; nothing of a record is given before its check; what comes
// back are the plain bytes of all, one behind the other in one buffer, so that one message carries them.
// Left out on purpose: finding the records in the buffer, and their keys; who asks has done both.

import { ArchiveError, type ErrorCode } from '../base/index.ts';
import { decodeHead } from '../format/index.ts';
import { type CipherKeys, cipherKeys } from './cipher.ts';
import { type KeyWalks, keysOfWalks } from './key-walk.ts';
import { openRecord } from './record-job.ts';

/** In `keyOf`: this record is passed over, its key cannot be had. */
export const withoutKey = 0xffff_ffff;

export type OpenManyJob = {
  /** Given up when it fills its buffer: it may be moved to a worker. */
  readonly bytes: Uint8Array;
  /** Offset and length of each record, head and body, in pairs. */
  readonly places: Uint32Array;
  /** For each record, which of `keys`, and behind them of `walks`, is its group's for the cipher that its head names. */
  readonly keyOf: Uint32Array;
  readonly keys: readonly CipherKeys[];
  /** Given up, as `bytes` are: the keys of groups that nobody asked for lately are found where the records are opened. */
  readonly walks: KeyWalks;
};

export type OpenedMany = {
  readonly plain: Uint8Array;
  /** Where the plain bytes of each record end; they begin where those before end. Of no bytes for one that was passed over or failed. */
  readonly ends: Uint32Array;
  readonly failures: readonly { readonly index: number; readonly code: ErrorCode; readonly message: string }[];
};

export function openMany({ bytes, places, keyOf, keys, walks }: OpenManyJob): OpenedMany {
  const all = [...keys, ...walkedKeys(walks)];
  const ends = new Uint32Array(keyOf.length);
  const failures: OpenedMany['failures'][number][] = [];
  let plain = new Uint8Array(bytes.byteLength);
  let end = 0;
  for (let index = 0; index < keyOf.length; index += 1) {
    const key = all[keyOf[index] as number];
    if (key !== undefined) {
      try {
        const one = openOne(bytes, places[index * 2] as number, places[index * 2 + 1] as number, key);
        if (end + one.byteLength > plain.byteLength) {
          const grown = new Uint8Array(Math.max(plain.byteLength * 2, end + one.byteLength));
          grown.set(plain);
          plain = grown;
        }
        plain.set(one, end);
        end += one.byteLength;
      } catch (error) {
        if (!(error instanceof ArchiveError)) throw error;
        failures.push({ index, code: error.code, message: error.message });
      }
    }
    ends[index] = end;
  }
  return { plain: plain.subarray(0, end), ends, failures };
}

function walkedKeys(walks: KeyWalks): CipherKeys[] {
  return keysOfWalks(walks).map((groupKey, index) => {
    const keys = cipherKeys(groupKey, walks.ciphers[index] as number);
    groupKey.fill(0);
    return keys;
  });
}

function openOne(bytes: Uint8Array, offset: number, sizeBytes: number, keys: CipherKeys): Uint8Array {
  const head = decodeHead(bytes, offset);
  if (head === undefined || head === 'short' || head.bytes.byteLength + head.bodySizeBytes !== sizeBytes) {
    throw new ArchiveError('RECORD_CORRUPT', 'the head of a record is damaged');
  }
  const body = bytes.subarray(offset + head.bytes.byteLength, offset + sizeBytes);
  if (head.cipher !== keys.cipher) throw new ArchiveError('RECORD_CORRUPT', 'a record names another cipher');
  return openRecord({ head, body, keys });
}
