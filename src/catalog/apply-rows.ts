// Rows that come one at a time: buckets, site rows, exports, shreds, releases, documents. (Patients, studies and series: apply-studies.ts.)
//
// Invariants: latest wins by the natural key; what a row refers to is made as a stub when it is not there yet, also by a change
// that then loses, so that the order of arrival leaves no trace.

import { bytesOfId, concatBytes } from '../base/index.ts';
import type { SqlTx } from '../sql/index.ts';
import { patientNumber, studyNumber } from './apply-studies.ts';
import type { ChangeOf } from './changes.ts';
import { applyLatest } from './latest-rows.ts';
import type { NumbersTx } from './numbers.ts';
import { countValue, jsonValue, optional, packValue, sequenceValue, textValue, timeValue } from './storable.ts';

export async function applyBucket(tx: SqlTx, numbers: NumbersTx, change: ChangeOf<'bucket'>): Promise<void> {
  await applyLatest(tx, numbers, {
    table: 'buckets',
    key: { bucket_no: numbers.bucket(change.tenant, change.name) },
    cells: {
      state: change.state === 'live' ? 0 : 2,
      created_ms: timeValue(change.createdMs),
      meta: optional(change.meta, jsonValue),
    },
    version: change.version,
  });
}

export async function applySite(tx: SqlTx, numbers: NumbersTx, change: ChangeOf<'site'>): Promise<void> {
  await applyLatest(tx, numbers, {
    table: 'site_rows',
    key: { name: textValue(change.table), key: textValue(change.key) },
    cells: { body: change.row === null ? null : jsonValue(change.row) },
    version: change.version,
  });
}

export async function applyExport(tx: SqlTx, numbers: NumbersTx, change: ChangeOf<'export'>): Promise<void> {
  await applyLatest(tx, numbers, {
    table: 'exports',
    key: { number: sequenceValue(change.number) },
    cells: { generation: sequenceValue(change.generation), created_ms: timeValue(change.createdMs) },
    version: change.version,
  });
}

export async function applyShred(tx: SqlTx, numbers: NumbersTx, change: ChangeOf<'shred'>): Promise<void> {
  await applyLatest(tx, numbers, {
    table: 'shreds',
    key: { group_no: numbers.group(change.group) },
    cells: { generation: sequenceValue(change.generation) },
    version: change.version,
  });
}

export async function applyRelease(tx: SqlTx, numbers: NumbersTx, change: ChangeOf<'release'>): Promise<void> {
  await applyLatest(tx, numbers, {
    table: 'releases',
    key: { pack_id: packValue(change.pack) },
    cells: { into_packs: concatBytes(change.into.map(packValue)) },
    version: change.version,
  });
}

export async function applyDocument(tx: SqlTx, numbers: NumbersTx, change: ChangeOf<'document'>): Promise<void> {
  const { tenant, patient, studyUid } = change;
  await applyLatest(tx, numbers, {
    table: 'documents',
    key: { tenant, family: change.family, number: countValue(change.number) },
    cells: {
      entry_id: bytesOfId(change.entryId),
      title: optional(change.title, textValue),
      document_type: optional(change.documentType, textValue),
      patient_no: patient === undefined ? null : await patientNumber(tx, { tenant, ...patient }),
      study_no: studyUid === undefined ? null : await studyNumber(tx, tenant, studyUid),
      created_ms: timeValue(change.createdMs),
      state: change.state === 'live' ? 0 : 2,
    },
    version: change.version,
  });
}
