// What is here of a study, for comparing with what a source says.

import type { Archive } from '../../archive/index.ts';
import { ArchiveError, hexOf, type TenantId } from '../../base/index.ts';

export type LocalInstance = {
  readonly id: string;
  readonly study: string;
  readonly series: string;
  readonly instanceUid: string;
};
type Found = {
  readonly id: string;
  readonly studyUid: string;
  readonly seriesUid: string;
  readonly instanceUid: string;
};

const namesAtOnce = 500;

/** The instances of a study that are shown, by UID. */
export async function localStudy(
  archive: Archive,
  tenant: TenantId,
  study: string,
): Promise<Map<string, LocalInstance>> {
  return gathered(archive.studies.instances({ tenant, conditions: [equals('studyUid', [study])] }));
}

/** Instances by UID, of whatever study. */
export async function localInstances(
  archive: Archive,
  tenant: TenantId,
  uids: readonly string[],
): Promise<Map<string, LocalInstance>> {
  const found = new Map<string, LocalInstance>();
  for (let at = 0; at < uids.length; at += namesAtOnce) {
    const some = uids.slice(at, at + namesAtOnce);
    const here = await gathered(archive.studies.instances({ tenant, conditions: [equals('instanceUid', some)] }));
    for (const [uid, instance] of here) found.set(uid, instance);
  }
  return found;
}

async function gathered(rows: AsyncIterable<Found>): Promise<Map<string, LocalInstance>> {
  const found = new Map<string, LocalInstance>();
  for await (const row of rows)
    found.set(row.instanceUid, {
      id: row.id,
      study: row.studyUid,
      series: row.seriesUid,
      instanceUid: row.instanceUid,
    });
  return found;
}

export function equals<Field extends string>(
  field: Field,
  values: readonly string[],
): {
  readonly field: Field;
  readonly match: { readonly kind: 'equals'; readonly values: readonly string[] };
} {
  return { field, match: { kind: 'equals', values } };
}

/** SHA-256 of the data set as it was received. */
export async function digestOf(
  archive: Archive,
  instance: { readonly id: string; readonly instanceUid: string },
): Promise<string | undefined> {
  try {
    const { digest } = await archive.instances.object(instance);
    return digest === undefined ? undefined : hexOf(digest);
  } catch (error) {
    // It was removed since.
    if (error instanceof ArchiveError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}
