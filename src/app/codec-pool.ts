// The pool that packs and opens records: how many workers this machine gets.

import { type CodecPool, makeRecord, openRecord } from '../codec/index.ts';

/** On this thread for now. */
export async function openPool(_workers: number): Promise<CodecPool & { close(): Promise<void> }> {
  return { make: makeRecord, open: openRecord, close: async () => undefined } as unknown as CodecPool & {
    close(): Promise<void>;
  };
}
