// The instances that a path names.
//
// Invariants: a path that names nothing is NOT_FOUND; the names of one request's instances are held in memory, so there is a limit on them.

import { ArchiveError, sha256, utf8Bytes } from '../../base/index.ts';
import type { Exchange, Instance } from './exchange.ts';
import type { Place } from './routes.ts';

/** Instances of one retrieval. */
export const instancesMax = 100_000;

export async function findInstances({ archive, tenant }: Exchange, place: Place): Promise<readonly Instance[]> {
  const conditions = (
    [
      ['studyUid', place.study],
      ['seriesUid', place.series],
      ['instanceUid', place.instance],
    ] as const
  ).flatMap(([field, uid]) =>
    uid === undefined ? [] : [{ field, match: { kind: 'equals' as const, values: [uid] } }],
  );
  const found: Instance[] = [];
  for await (const instance of archive.studies.instances({ tenant, conditions }, { limit: instancesMax + 1 }))
    found.push(instance);
  if (found.length === 0) throw new ArchiveError('NOT_FOUND', 'nothing is stored under these UIDs');
  if (found.length > instancesMax)
    throw new ArchiveError('LIMIT_EXCEEDED', `instancesMax: one retrieval gives at most ${instancesMax} instances`);
  return found;
}

export async function findInstance(exchange: Exchange, place: Place): Promise<Instance> {
  const [found] = await findInstances(exchange, place);
  return found as Instance;
}

/** Changes when what is stored does, or the form in which it is given. */
export function stampOf(instances: readonly Instance[], form: string): string {
  // The stamp of a study changes when anything amends what its data sets say.
  const ids = instances.map((each) => `${each.id}${each.amended ?? ''}`).join(',');
  return Buffer.from(sha256(utf8Bytes(`${form}|${ids}`)).subarray(0, 16)).toString('base64url');
}
