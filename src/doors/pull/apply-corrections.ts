// Corrected demographics out of the old system's database, made amendments of this archive: events that can be listed and taken back.
//
// Invariants: nothing that is stored is changed; a row that says what is shown already makes no event, so doing it again does nothing twice; a row that fits
// several patients, or a study that is not here, is told by its line and changes nothing. No value of a row is told, only its line, its study and its columns.
// Left out on purpose: reading the list (lists.ts), and what amendments do (the archive).

import type { Archive } from '../../archive/index.ts';
import { ArchiveError, type TenantId } from '../../base/index.ts';
import type { PullJob } from './job.ts';
import { type CorrectionLine, readPart } from './ledger.ts';
import { type Correction, readCorrections } from './lists.ts';
import { equals } from './local-study.ts';

export type CorrectionParts = {
  readonly archive: Archive;
  readonly tenant: TenantId;
  readonly job: string;
  readonly signal: AbortSignal;
};

/** After everything came: the list that was given with a pull, if any; `told` gets each row's line. */
export async function correctAfter(
  { corrections }: Pick<PullJob, 'corrections'>,
  parts: CorrectionParts,
  told: (line: CorrectionLine) => Promise<void>,
): Promise<void> {
  if (corrections === undefined) return;
  const rows = readCorrections(await readPart(parts, 'corrections.csv'));
  for await (const line of applyCorrections(rows, parts)) await told(line);
}

type Outcome = Pick<CorrectionLine, 'state' | 'why' | 'amendments'>;
type Patient = { readonly patientId: string; readonly issuer: string };
type ShownPatient = Patient & {
  readonly name: string | undefined;
  readonly birthDate: string | undefined;
  readonly sex: string | undefined;
};
type FoundStudy = {
  readonly studyUid: string;
  readonly patient: ShownPatient;
  readonly accession: string | undefined;
  readonly description: string | undefined;
  readonly referrer: string | undefined;
};
type Amending = { readonly tenant: TenantId; readonly by: string; readonly why: string; readonly system: string };

/** Studies that one accession number may name. */
const studiesMax = 100;

/** Row by row; ends early when it is stopped. Errors of the archive that are no fault of a row pass through. */
async function* applyCorrections(rows: readonly Correction[], parts: CorrectionParts): AsyncGenerator<CorrectionLine> {
  for (const row of rows) {
    if (parts.signal.aborted) return;
    const { line, study } = row;
    yield { kind: 'correction', line, study, fields: row.fields, ...(await outcomeOf(row, parts)) };
  }
}

async function outcomeOf(row: Correction, parts: CorrectionParts): Promise<Outcome> {
  const amending: Amending = {
    tenant: parts.tenant,
    by: `pull ${parts.job}`,
    why: `line ${row.line} of the list of corrections`,
    system: 'database of the old system',
  };
  try {
    if (row.study !== undefined || row.accession !== undefined) return await ofStudies(row, parts, amending);
    return await ofPatient(row, parts, amending);
  } catch (error) {
    // What is wrong with the row is told; a database that is away is not.
    if (!(error instanceof ArchiveError) || error.retry !== 'never' || error.code === 'ACCESS_DENIED') throw error;
    return { state: 'refused', why: error.code };
  }
}

/** One study by its UID, or those that an accession number names: of one patient, or nothing is done. */
async function ofStudies(row: Correction, parts: CorrectionParts, amending: Amending): Promise<Outcome> {
  const { archive, tenant } = parts;
  const { study, accession } = row;
  const condition = study === undefined ? equals('accession', [accession ?? '']) : equals('studyUid', [study]);
  const options = { limit: studiesMax };
  const found = await Array.fromAsync(archive.studies.studies({ tenant, conditions: [condition] }, options));
  if (found.length === 0) return { state: 'not here' };
  const patients = new Set(found.map((each) => JSON.stringify([each.patient.patientId, each.patient.issuer])));
  if (patients.size > 1) return { state: 'ambiguous', why: 'the accession number is of several patients' };
  const made: string[] = [];
  for (const each of found) made.push(...(await amendStudy(row, each, archive, amending)));
  return outcome(made);
}

/** Ids of what was said. */
async function amendStudy(row: Correction, found: FoundStudy, archive: Archive, amending: Amending): Promise<string[]> {
  const { amendments } = archive;
  const { studyUid: study } = found;
  const made: (string | undefined)[] = [];
  const to = movedTo(row, found.patient);
  const ofPatient = Object.entries(row.values).filter(([keyword]) => keyword.startsWith('Patient'));
  if (to !== undefined) {
    const attributes = await attributesOf(
      archive,
      amending.tenant,
      { to, from: found.patient },
      Object.fromEntries(ofPatient),
    );
    made.push((await amendments.move({ ...amending, study, to, ...attributes })).id);
  }
  const left = Object.entries(row.values).filter(([keyword]) => to === undefined || !keyword.startsWith('Patient'));
  if (left.length > 0) {
    const attributes = Object.fromEntries(left);
    if (!saysAlready(shownOf(found), attributes))
      made.push((await amendments.correctStudy({ ...amending, study, attributes })).id);
  }
  return made.filter((id) => id !== undefined);
}

/** Everything of a patient. */
async function ofPatient(row: Correction, { archive, tenant }: CorrectionParts, amending: Amending): Promise<Outcome> {
  const known = await archive.amendments.patientsWithId(tenant, row.patientId ?? '');
  const patients = known.filter(({ issuer }) => row.issuer === undefined || issuer === row.issuer);
  const [patient] = patients;
  if (patient === undefined) return { state: 'not here' };
  if (patients.length > 1) return { state: 'ambiguous', why: 'several patients have this id: name the issuer' };
  const to = movedTo(row, patient);
  const made: string[] = [];
  if (to !== undefined && !(await isMergedInto(archive, tenant, patient, to))) {
    const attributes = await attributesOf(archive, tenant, { to, from: patient }, row.values);
    const { id } = await archive.amendments.merge({ ...amending, from: patient, into: to, ...attributes });
    if (id !== undefined) made.push(id);
  } else if (Object.keys(row.values).length > 0) {
    const linked = await archive.amendments.patients(tenant, patient);
    const root = linked.find((each) => isSame(each.patient, patient))?.root ?? patient;
    const shown = linked.find((each) => isSame(each.patient, root))?.shown ?? {};
    if (saysAlready(shown, row.values)) return outcome(made);
    const { id } = await archive.amendments.correctPatient({ ...amending, patient, attributes: row.values });
    if (id !== undefined) made.push(id);
  }
  return outcome(made);
}

/** Whom the row makes of a patient; undefined: the same. */
function movedTo({ correctedId, correctedIssuer }: Correction, patient: Patient): Patient | undefined {
  const to = { patientId: correctedId ?? patient.patientId, issuer: correctedIssuer ?? patient.issuer };
  return to.patientId === patient.patientId && to.issuer === patient.issuer ? undefined : to;
}

async function isMergedInto(archive: Archive, tenant: TenantId, patient: Patient, into: Patient): Promise<boolean> {
  const linked = await archive.amendments.patients(tenant, patient);
  const known = linked.find((each) => isSame(each.patient, patient));
  return known !== undefined && isSame(known.root, into);
}

/** Looked at here, for most rows of a whole database say nothing new, and each amendment that is asked for is audited. */
function saysAlready(shown: Readonly<Record<string, string>>, said: Readonly<Record<string, string>>): boolean {
  return Object.entries(said).every(([keyword, text]) => (shown[keyword] ?? '') === text);
}

function shownOf({ patient, accession, description, referrer }: FoundStudy): Record<string, string> {
  return {
    PatientName: patient.name ?? '',
    PatientBirthDate: patient.birthDate ?? '',
    PatientSex: patient.sex ?? '',
    AccessionNumber: accession ?? '',
    StudyDescription: description ?? '',
    ReferringPhysicianName: referrer ?? '',
  };
}

function isSame(one: Patient, other: Patient): boolean {
  return one.patientId === other.patientId && one.issuer === other.issuer;
}

/** What is said of the patient that one becomes: of one whom nothing is known of, what was known so far, and what the row says. */
async function attributesOf(
  { amendments }: Archive,
  tenant: TenantId,
  { to, from }: { readonly to: Patient; readonly from: Patient },
  said: Readonly<Record<string, string>>,
): Promise<{ readonly attributes?: Readonly<Record<string, string>> }> {
  const find = async (patient: Patient): Promise<Readonly<Record<string, string>> | undefined> =>
    (await amendments.patients(tenant, patient)).find((each) => isSame(each.patient, patient))?.shown;
  const known = await find(to);
  const attributes = { ...(known === undefined ? await find(from) : {}), ...said };
  return Object.keys(attributes).length === 0 ? {} : { attributes };
}

function outcome(made: readonly string[]): Outcome {
  return made.length === 0 ? { state: 'already so' } : { state: 'applied', amendments: made };
}
