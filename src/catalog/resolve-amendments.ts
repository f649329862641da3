// What amendments in force come to: who a patient is in the end, and what is said otherwise of a data set, step by step (FORMAT.md 6).
//
// Invariants: pure; the answer follows from the set of amendments and their order, never from when they came here; a circle of merges, which two sites
// could make between them, leaves out the one said last. Left out on purpose: which are in force (their withdrawals are sorted out before), and bytes.

import type { AmendmentEvent, DecodedEvent, MergedEvent, PatientName } from '../format/index.ts';

/** One that is in force, and what it says of a data set's attributes, by keyword. */
export type AmendmentStep = {
  readonly event: AmendmentEvent;
  readonly attributes: Readonly<Record<string, string>>;
};

export function patientText({ patientId, issuer }: PatientName): string {
  return `${patientId}\0${issuer}`;
}

const samePatient = (one: PatientName, other: PatientName): boolean =>
  one.patientId === other.patientId && one.issuer === other.issuer;

/** The merges that count, by the patient that was merged away. `list` in the order of versions. */
function mergesOf(list: readonly AmendmentEvent[]): ReadonlyMap<string, MergedEvent> {
  const last = new Map<string, MergedEvent>();
  for (const event of list) {
    if (event.type !== 'merged') continue;
    // Its place in the order is that of the last one.
    last.delete(patientText(event.from));
    last.set(patientText(event.from), event);
  }
  const counted = new Map<string, MergedEvent>();
  for (const [from, event] of last) if (patientText(endOf(event.into, counted)) !== from) counted.set(from, event);
  return counted;
}

function endOf(patient: PatientName, merges: ReadonlyMap<string, MergedEvent>): PatientName {
  let at = patient;
  for (let next = merges.get(patientText(at)); next !== undefined; next = merges.get(patientText(at))) at = next.into;
  return at;
}

/** Who each patient is in the end. */
export function rootsOf(list: readonly AmendmentEvent[]): (patient: PatientName) => PatientName {
  const merges = mergesOf(list);
  return (patient) => endOf(patient, merges);
}

const named = ({ patientId, issuer }: PatientName): Readonly<Record<string, string>> => ({
  PatientID: patientId,
  IssuerOfPatientID: issuer,
});

/** What is said otherwise of a data set of this study that names this patient, in order, without how its texts are read; and whose it is. */
export function stepsFor(
  list: readonly AmendmentEvent[],
  about: { readonly study: string; readonly patient: PatientName },
): { readonly steps: readonly AmendmentStep[]; readonly patient: PatientName } {
  const merges = mergesOf(list);
  const steps: AmendmentStep[] = [];
  let { patient } = about;
  const moved = list.findLast((event) => event.type === 'moved' && event.study === about.study);
  if (moved?.type === 'moved') {
    patient = moved.to;
    steps.push({ event: moved, attributes: { ...moved.attributes, ...named(patient) } });
  }
  for (;;) {
    const here = patient;
    for (const event of list) {
      if (event.type === 'corrected' && event.patient !== undefined && samePatient(event.patient, here))
        steps.push({ event, attributes: event.attributes });
    }
    const merge = merges.get(patientText(here));
    if (merge === undefined) break;
    patient = merge.into;
    steps.push({ event: merge, attributes: { ...merge.attributes, ...named(patient) } });
  }
  for (const event of list)
    if (event.type === 'corrected' && event.study === about.study) steps.push({ event, attributes: event.attributes });
  return { steps, patient };
}

/** How the texts of a data set are read that declares these terms; undefined: as it says itself. */
export function decodingFor(
  list: readonly AmendmentEvent[],
  about: { readonly study: string; readonly series: string | undefined; readonly declared: readonly string[] },
): DecodedEvent | undefined {
  const declared = about.declared.join('\\');
  const fits = (event: AmendmentEvent): boolean =>
    event.type === 'decoded' &&
    event.study === about.study &&
    (event.series === undefined || about.series === undefined || event.series.includes(about.series)) &&
    (event.declared === undefined || event.declared.join('\\') === declared);
  return list.findLast(fits) as DecodedEvent | undefined;
}
