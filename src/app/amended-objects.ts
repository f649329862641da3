// What `get` brings back of a DICOM instance: as everything leaves the archive, with what amends its study applied, or as it was received.
//
// Invariants: what nothing amends comes byte for byte; an original of what is amended comes only to who said why, and that was noted before its first byte.

import type { Archive } from '../archive/index.ts';
import { ArchiveError, defaultTenant, utf8Text } from '../base/index.ts';
import { type FoundInstance, instanceBucket, type ObjectRow } from '../catalog/index.ts';

/** Who asks for originals, and why; undefined: as everything leaves. */
export type OriginalsAsked = { readonly by: string; readonly why: string } | undefined;

const studiesKeptMax = 1000;

export class AmendedObjects {
  readonly #archive: Archive;
  readonly #originals: OriginalsAsked;
  /** Whether anything amends a study; of one whose originals are asked for, that this was noted. */
  readonly #studies = new Map<string, Promise<boolean>>();

  constructor(archive: Archive, originals: OriginalsAsked) {
    this.#archive = archive;
    this.#originals = originals;
  }

  /** The object's bytes when they are not the stored ones; undefined: read those. ARGUMENT_INVALID for what cannot be amended. */
  async corrected(bucket: string, row: ObjectRow): Promise<AsyncIterable<Uint8Array> | undefined> {
    if (bucket !== instanceBucket) return undefined;
    const [study = '', series = '', instanceUid = ''] = (utf8Text(row.key) ?? '').split('/');
    if (this.#studies.size >= studiesKeptMax) this.#studies.clear();
    const isAmended = this.#studies.get(study) ?? this.#look(study);
    this.#studies.set(study, isAmended);
    if (!(await isAmended) || this.#originals !== undefined) return undefined;
    const instance = await this.#find([
      ['studyUid', study],
      ['seriesUid', series],
      ['instanceUid', instanceUid],
    ]);
    if (instance?.id !== row.id)
      throw new ArchiveError('ARGUMENT_INVALID', 'this object is not the one that is shown under its UID', {
        hint: 'it can be had as it was received: --original --why TEXT',
      });
    const output = await this.#archive.instances.output(instance, [instance.syntaxUid]);
    return output.isCorrected ? output.pieces : undefined;
  }

  async #find(
    names: readonly (readonly ['studyUid' | 'seriesUid' | 'instanceUid', string])[],
  ): Promise<FoundInstance | undefined> {
    const conditions = names.map(([field, value]) => ({ field, match: { kind: 'equals' as const, values: [value] } }));
    for await (const found of this.#archive.studies.instances({ tenant: defaultTenant, conditions }, { limit: 1 }))
      return found;
    return undefined;
  }

  async #look(study: string): Promise<boolean> {
    const conditions = [{ field: 'studyUid' as const, match: { kind: 'equals' as const, values: [study] } }];
    for await (const found of this.#archive.studies.studies({ tenant: defaultTenant, conditions }, { limit: 1 })) {
      if (this.#originals !== undefined)
        await this.#archive.amendments.noteOriginals({
          tenant: defaultTenant,
          ...this.#originals,
          study,
          instances: found.instanceCount,
        });
      return found.amended !== undefined;
    }
    return false;
  }
}
