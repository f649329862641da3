// Objects as the tests of the catalog make them: each newer than the one before, all of one tenant, group and writer unless said otherwise.

import { tenantId, utf8Bytes } from '../base/index.ts';
import type { CatalogChange, ObjectChange, Version } from './changes.ts';
import { trialGroup, trialWriters } from './trial-changes.ts';

export const tenant = tenantId(1);
export const group = trialGroup(1, 0);
export const [writer = 'none' as never, second = 'none' as never] = trialWriters;
export const digest = (value: number): Uint8Array => new Uint8Array(32).fill(value);

export function versionAt(time: number, sequence = time): Version {
  return { time: BigInt(time), record: { writer, sequence: BigInt(sequence) } };
}

let drawn = 0;

/** Later than every object that was made before. */
export function nextVersion(): Version {
  drawn += 1;
  return versionAt(drawn);
}

export function object(change: Partial<ObjectChange> & { name?: string } = {}): ObjectChange {
  const version = nextVersion();
  const { name = 'file', ...rest } = change;
  return {
    kind: 'object',
    version,
    id: drawn.toString(16).padStart(32, '0'),
    group,
    bucket: 'main',
    key: utf8Bytes(name),
    state: 'live',
    createdMs: drawn,
    sizeBytes: 10,
    digest: digest(1),
    ref: { writer: writer, sequence: BigInt(drawn) },
    ...rest,
  };
}

export const marker = (name: string): ObjectChange =>
  object({ name, state: 'marker', digest: undefined, ref: undefined, sizeBytes: 0 });

export function reencoded(version: Version, ...pairs: [number, number, number?][]): CatalogChange {
  const at = (sequence: number) => ({ writer, sequence: BigInt(sequence) });
  return {
    kind: 'reencoded',
    version,
    group,
    pairs: pairs.map(([from, to, first]) => ({
      from: at(from),
      to: at(to),
      toFirstSequence: first === undefined ? undefined : BigInt(first),
      digest: digest(1),
    })),
  };
}
