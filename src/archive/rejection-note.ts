// Rejection notes (IOCM): key object selections whose title says that what they name is not to be used.
//
// Invariant: only the four titles of the profile reject; a note of any other title is a key object selection like others.

import { type DataSet, tags } from '../dicom/index.ts';
import type { Rejection } from '../format/index.ts';

export const keyObjectSelection = '1.2.840.10008.5.1.4.1.1.88.59';

/** DCM codes: quality, patient safety, incorrect worklist entry, retention expired. */
const rejectingTitles = new Set(['113001', '113037', '113038', '113039']);
/** The note itself is hidden, too, where the reason is not the quality of images, which people may still want to see why. */
const hidesNote = new Set(['113037', '113038', '113039']);
/** What one entry can hold. */
const instancesMax = 10_000;

/** undefined: it rejects nothing. */
export function rejectionOf(header: DataSet, instanceUid: string): Rejection | undefined {
  const title = header.items(tags.ConceptNameCodeSequence)[0];
  const code = title?.string(tags.CodeValue);
  if (code === undefined || !rejectingTitles.has(code) || title?.string(tags.CodingSchemeDesignator) !== 'DCM')
    return undefined;
  const instances = new Set<string>();
  for (const study of header.items(tags.CurrentRequestedProcedureEvidenceSequence)) {
    for (const series of study.items(tags.ReferencedSeriesSequence)) {
      for (const item of series.items(tags.ReferencedSOPSequence)) {
        const uid = item.string(tags.ReferencedSOPInstanceUID);
        if (uid !== undefined && instances.size < instancesMax) instances.add(uid);
      }
    }
  }
  if (hidesNote.has(code)) instances.add(instanceUid);
  return { code, instances: [...instances] };
}
