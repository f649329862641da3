// project(): what entries, events and site rows mean for the catalog. The one place, for ingest, recovery and rebuild alike.
//
// Invariants: pure; the same fact gives the same changes whenever and however often it is asked; a fact of a type that this version does not know
// changes nothing and stays in its pack for a version that does. `projectVersion` is raised when an old fact comes to mean something else, and
// then a catalog made by an older version is made again.

import {
  ArchiveError,
  assert,
  concatBytes,
  controlGroup,
  type HybridTime,
  type KeyGroup,
  type RecordId,
  sameGroup,
  systemTenant,
  utf8Bytes,
} from '../base/index.ts';
import type { AmendmentChange, BundledMember, CatalogChange, JsonObject, Version } from '../catalog/index.ts';
import { nameSearchKeys, searchText } from '../dicom/index.ts';
import {
  type Bundle,
  type BundleMember,
  decodeBundle,
  decodeFact,
  type FactEvent,
  type ObjectEntry,
} from '../format/index.ts';
import { studyFamily } from './instance-names.ts';
import { aboutChanges, instanceChanges } from './project-instance.ts';

export const projectVersion = 3;

export type Fact = {
  readonly id: RecordId;
  readonly group: KeyGroup;
  readonly hybrid: HybridTime;
  readonly plain: Uint8Array;
};

/** What all versions of one object share, and what a key group is found by: bucket, a zero byte, key. */
export function familyOf(bucket: string, key: Uint8Array): Uint8Array {
  return concatBytes([utf8Bytes(bucket), Uint8Array.of(0), key]);
}

/** RECORD_CORRUPT, PACK_NEWER: this fact cannot be read. */
export function project(fact: Fact): CatalogChange[] {
  const version: Version = { time: fact.hybrid, record: fact.id };
  const said = decodeFact(fact.plain);
  switch (said.type) {
    case 'object':
      return objectChanges(said, fact.group, version);
    case 'site':
      // Site rows of anyone but the archive itself would let a tenant write the archive's users.
      if (!sameGroup(fact.group, controlGroup(systemTenant))) return [];
      return [{ kind: 'site', version, table: said.table, key: said.key, row: said.row as JsonObject | null }];
    case 'bundle':
      return bundleChanges(decodeBundle(said.json), fact.group, version, fact.plain);
    case 'unknown':
      return [];
    default:
      return eventChanges(said, fact.group, version);
  }
}

/** The members of a bundle whose plain bytes the catalog kept. */
export function readBundle(plain: Uint8Array, group: KeyGroup): BundledMember[] {
  const said = decodeFact(plain);
  if (said.type !== 'bundle') throw new ArchiveError('RECORD_CORRUPT', 'a bundle that was kept is none');
  return decodeBundle(said.json).members.map((member) => bundledMember(member, group).member);
}

/** A member is its entry again, of the entry's own version; what that says beside object and instance comes apart. */
function bundledMember(
  { entry, said, textBytes }: BundleMember,
  group: KeyGroup,
): { member: BundledMember; beside: CatalogChange[] } {
  const changes = objectChanges(entry, group, { time: said.hybrid, record: said.record });
  const object = changes.find((change) => change.kind === 'object');
  const instance = changes.find((change) => change.kind === 'instance');
  assert(object !== undefined && instance !== undefined, 'the entry of an instance tells object and instance');
  return {
    member: { object, instance, textBytes },
    beside: changes.filter((change) => change !== object && change !== instance && change.kind !== 'group'),
  };
}

function bundleChanges(bundle: Bundle, group: KeyGroup, version: Version, plain: Uint8Array): CatalogChange[] {
  const { study, series, generation, headers, thumbnail } = bundle;
  const told = bundle.members.map((member) => bundledMember(member, group));
  return [
    { kind: 'group', group, family: studyFamily(study) },
    ...told.flatMap(({ beside }) => beside),
    {
      kind: 'bundle',
      version,
      tenant: group.tenant,
      group,
      studyUid: study,
      seriesUid: series,
      generation,
      headers,
      thumbnail,
      plain,
      members: told.map(({ member }) => member),
    },
  ];
}

function objectChanges(entry: ObjectEntry, group: KeyGroup, version: Version): CatalogChange[] {
  const { dicom } = entry;
  const first =
    entry.first !== undefined && entry.ref !== undefined && entry.first.writer === entry.ref.writer
      ? entry.first.sequence
      : undefined;
  return [
    {
      kind: 'group',
      group,
      family: dicom === undefined ? familyOf(entry.bucket, entry.key) : studyFamily(dicom.study),
    },
    {
      kind: 'object',
      version,
      id: entry.id,
      group,
      bucket: entry.bucket,
      key: entry.key,
      state: entry.state,
      createdMs: entry.createdMs,
      sizeBytes: entry.sizeBytes,
      digest: entry.state === 'live' ? entry.digest : undefined,
      ref: entry.ref,
      firstSequence: first,
      mode: entry.mode,
      mtimeMs: entry.mtimeMs,
      contentType: entry.contentType,
      meta: entry.meta,
    },
    ...(dicom === undefined ? [] : instanceChanges(entry, dicom, group, version)),
  ];
}

function amendment(
  said: AmendmentChange['said'],
  group: KeyGroup,
  version: Version,
): Omit<AmendmentChange, 'nameKeys'> {
  return { kind: 'amendment', version, tenant: group.tenant, group, said };
}

function eventChanges(event: FactEvent, group: KeyGroup, version: Version): CatalogChange[] {
  switch (event.type) {
    case 'reencoded':
      // Nothing is said of how far the group is settled: an entry may have come between the plan and this event.
      return [{ kind: 'reencoded', version, group, pairs: event.pairs }];
    case 'shredded':
      return [
        {
          kind: 'shred',
          version,
          group: { tenant: group.tenant, year: event.year, group: event.group },
          generation: event.generation,
        },
      ];
    case 'exported':
      return [
        {
          kind: 'export',
          version,
          number: BigInt(event.number),
          generation: event.generation,
          createdMs: event.createdMs,
        },
      ];
    case 'released':
      // Of anyone but the archive itself it would be a tenant's word on the archive's packs.
      if (!sameGroup(group, controlGroup(systemTenant))) return [];
      return [{ kind: 'release', version, pack: event.pack, into: event.into }];
    case 'rejected':
      return [
        {
          kind: 'rejection',
          version,
          tenant: group.tenant,
          noteUid: event.id,
          code: event.code,
          instanceUids: event.instances,
        },
      ];
    case 'imported':
      return [];
    case 'merged':
    case 'moved':
    case 'corrected':
    case 'decoded': {
      const description = event.attributes['StudyDescription'];
      const names = ['PatientName', 'OtherPatientNames'].flatMap((each) => event.attributes[each]?.split('\\') ?? []);
      const search = description === undefined ? undefined : searchText(description);
      return [{ ...amendment(event, group, version), nameKeys: nameSearchKeys(names), search }];
    }
    case 'originals':
      return [{ ...amendment(event, group, version), nameKeys: [] }];
    case 'withdrawn':
      return [{ kind: 'withdrawal', version, tenant: group.tenant, group, said: event }];
    case 'compared': {
      const { type: kind, study, series, instance, ...rest } = event;
      const names = { tenant: group.tenant, studyUid: study, seriesUid: series, instanceUid: instance };
      return [{ kind, version, ...names, ...rest }];
    }
    case 'quality': {
      const { type, kind: caseKind, study, series, ...rest } = event;
      return [{ kind: type, version, tenant: group.tenant, studyUid: study, seriesUid: series, caseKind, ...rest }];
    }
    case 'described':
      return aboutChanges({ tenant: group.tenant, ...event }, group, version);
  }
}
