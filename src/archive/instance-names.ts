// What instances are called in the archive: a bucket of their own, a name made of the three UIDs, one key group a study.

import { concatBytes, utf8Bytes } from '../base/index.ts';
import { instanceBucket } from '../catalog/index.ts';
import type { InstanceFacts } from '../format/index.ts';

type Named = Pick<InstanceFacts, 'study' | 'series' | 'instance'>;

/** What lies beside the first object of a UID has its own id behind the name. */
export function instanceKey({ study, series, instance }: Named, rank: number, id: string): Uint8Array {
  const name = `${study}/${series}/${instance}`;
  return utf8Bytes(rank === 0 ? name : `${name}/${id}`);
}

/** What a study's key group is found by. */
export function studyFamily(study: string): Uint8Array {
  return concatBytes([utf8Bytes(instanceBucket), Uint8Array.of(0), utf8Bytes(study)]);
}
