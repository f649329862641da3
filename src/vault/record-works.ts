// RecordWorks: makes records of drafts and opens records again, with the codec pool and the keys.
//
// Invariants: every record gets a nonce of its own; a record is checked every time it is opened. The plain bytes handed to `make` may be taken
// away by a worker, so the caller gives them up.

import type { HybridTime, Random } from '../base/index.ts';
import { type CodecPool, checkedCipher, nonceSizeBytes, type RecordRoom } from '../codec/index.ts';
import type { Head } from '../format/index.ts';
import type { KeySource } from '../keys/index.ts';
import type { Draft } from './draft.ts';
import { type MadeRecord, madeRecord } from './record.ts';

export interface RecordWorks {
  /** `room`: asked for a place when a worker is about to make the record. */
  make(draft: Draft, hybrid: HybridTime, room: RecordRoom): MadeRecord | Promise<MadeRecord>;
  open(head: Head, body: Uint8Array): Uint8Array | Promise<Uint8Array>;
  /** SHA-256 of bytes that stay as they are until the answer. `patient`: nobody waits for it. */
  digest(bytes: Uint8Array, options: { readonly patient: boolean }): Uint8Array | Promise<Uint8Array>;
}

export function poolWorks(parts: { pool: CodecPool; keys: KeySource; cipher: number; random: Random }): RecordWorks {
  const { pool, keys, random } = parts;
  const cipher = checkedCipher(parts.cipher);
  const nonceBytes = nonceSizeBytes(cipher);
  return {
    make(draft, hybrid, room) {
      const { id, kind, group, plain, hint } = draft;
      const made = pool.make({
        fields: { id, kind, group, hybrid },
        plain,
        hint,
        keys: keys.groupKeys(group, cipher),
        nonce: random.bytes(nonceBytes),
        room,
      });
      return made instanceof Promise
        ? made.then((bytes) => madeRecord(bytes.fields, bytes.head, bytes.body))
        : madeRecord(made.fields, made.head, made.body);
    },
    open(head, body) {
      return pool.open({ head, body, keys: keys.groupKeys(head.group, checkedCipher(head.cipher)) });
    },
    digest(bytes, options) {
      return pool.digest(bytes, options);
    },
  };
}
