// Made-up amendments for tests: merges with circles among them, moves, corrections and withdrawals over the patients and studies of trial-changes.ts.
//
// Invariants: what an id is about never changes, as with real writers, only what it says and when; withdrawals come of amendments that never come, too.

import type { KeyGroup, Random, TenantId } from '../base/index.ts';
import { hexOf } from '../base/index.ts';
import type { AmendmentEvent } from '../format/index.ts';
import type { CatalogChange, Version } from './changes.ts';

const idsMax = 24;

export function trialAmendment(
  random: Random,
  version: Version,
  tenant: TenantId,
  groupOf: (tenant: number, index: number) => KeyGroup,
): CatalogChange {
  const index = random.below(idsMax);
  const id = hexOf(new Uint8Array(16).fill(0x20 + index));
  const patient = (which: number): { patientId: string; issuer: string } => ({
    patientId: `P${which % 3}`,
    issuer: which % 4 < 2 ? '' : 'ward',
  });
  const said = { id, createdMs: 1000 + index, by: 'admin', why: 'wrong name' };
  if (random.below(4) === 0) {
    const withdrawn = { ...said, type: 'withdrawn' as const, id: hexOf(new Uint8Array(16).fill(0x60)), amendment: id };
    return { kind: 'withdrawal', version, tenant, group: groupOf(tenant, index % 2), said: withdrawn };
  }
  const attributes = { PatientName: `Name^${random.below(9)}`, PatientSex: 'O' };
  const study = `1.2.${index % 4}`;
  const event = ((): AmendmentEvent => {
    switch (index % 6) {
      case 0:
      case 1:
        return {
          ...said,
          type: 'merged',
          from: patient(index >> 1),
          into: patient((index >> 1) + 1 + (index % 3)),
          attributes,
        };
      case 2:
        return { ...said, type: 'moved', study, to: patient(index), attributes };
      case 3:
        return { ...said, type: 'corrected', patient: patient(index), attributes };
      case 4:
        return {
          ...said,
          type: 'corrected',
          study,
          attributes: {
            ...attributes,
            StudyDate: `2024020${random.below(3)}`,
            AccessionNumber: `A${random.below(3)}`,
            PatientAge: '031Y',
          },
        };
      default:
        return { ...said, type: 'decoded', study, terms: ['GB18030'], patient: patient(index), attributes };
    }
  })();
  const nameKeys = [`key${random.below(3)}`, attributes.PatientName.toLowerCase()];
  return {
    kind: 'amendment',
    version,
    tenant,
    group: groupOf(tenant, index % 2),
    said: event,
    nameKeys,
    search: undefined,
  };
}
