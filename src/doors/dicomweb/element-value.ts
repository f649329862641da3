// The value of one element of an instance, read where it lies.

import { ArchiveError } from '../../base/index.ts';
import type { LittleEndianSource } from './little-endian-source.ts';

export type ElementValue = {
  readonly sizeBytes: number;
  readonly read: (from: number, to: number) => AsyncIterable<Uint8Array>;
};

/** Under a way through items: tag, number of the item from 0, tag, ... NOT_FOUND. */
export function elementValueOf({ header, read }: LittleEndianSource, path: readonly number[]): ElementValue {
  const element = header.elementAt(path);
  switch (element?.kind) {
    case 'bytes': {
      const { bytes } = element;
      return {
        sizeBytes: bytes.byteLength,
        read: async function* (from, to) {
          yield bytes.subarray(from, to);
        },
      };
    }
    case 'bulk': {
      const { offset, sizeBytes } = element.reference;
      return { sizeBytes, read: (from, to) => read(offset + from, offset + to) };
    }
    default:
      throw noValue();
  }
}

export function noValue(): ArchiveError {
  return new ArchiveError('NOT_FOUND', 'the instance has no such value');
}
