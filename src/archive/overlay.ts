// The overlay: what amends the data sets of a study, looked up once for all that leave of it.
//
// Invariants: what is kept is kept under the study's stamp, which changes with every amendment, so nothing old is ever applied; bounded in studies. A study
// that nothing amends has no stamp, and costs nothing.
// Left out on purpose: what is done with it (correct-header.ts).

import type { TenantId } from '../base/index.ts';
import type { Catalog, FoundInstance, StudyAmendments } from '../catalog/index.ts';
import type { DataSet } from '../dicom/index.ts';
import { type CorrectedHeader, correctHeader } from './correct-header.ts';

const studiesMax = 2000;

/** Names of an instance, and the stamp of what amends its study. */
export type AmendedInstance = Pick<FoundInstance, 'studyUid' | 'seriesUid' | 'amended'>;

/** A header as stored to one as it leaves; undefined when they are the same. */
export type Correct = (header: DataSet) => CorrectedHeader;

export class Overlay {
  readonly #catalog: Pick<Catalog, 'amendments'>;
  readonly #kept = new Map<string, Promise<StudyAmendments | undefined>>();

  constructor(catalog: Pick<Catalog, 'amendments'>) {
    this.#catalog = catalog;
  }

  /** What is done to the headers of an instance; undefined: nothing. */
  async of(tenant: TenantId, instance: AmendedInstance): Promise<Correct | undefined> {
    const { studyUid, seriesUid, amended } = instance;
    if (amended === undefined) return undefined;
    const amendments = await this.#amendmentsOf(tenant, studyUid, amended);
    if (amendments === undefined || amendments.list.length === 0) return undefined;
    return (header) => correctHeader(header, amendments, { studyUid, seriesUid });
  }

  #amendmentsOf(tenant: TenantId, study: string, stamp: string): Promise<StudyAmendments | undefined> {
    const name = `${tenant}/${study}/${stamp}`;
    const known = this.#kept.get(name);
    if (known !== undefined) return known;
    if (this.#kept.size >= studiesMax) this.#kept.clear();
    const asked = this.#catalog.amendments.ofStudy(tenant, study);
    this.#kept.set(name, asked);
    asked.catch(() => this.#kept.delete(name));
    return asked;
  }
}
