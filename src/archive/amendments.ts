// Amendments: patients merged, studies moved, attributes corrected, texts read in another character set, and all of that taken back.
//
// Invariants: what is stored is never changed; an amendment is durable and in force for whoever asks when it resolves; each says who, when and why, and can be
// withdrawn; a merge that contradicts what is in force is refused (AMENDMENT_CONFLICT), and of two at once the second is decided on after the first.
// Left out on purpose: what amendments do to rows (the catalog) and to data sets (correct-header.ts), and where they come from.

import {
  ArchiveError,
  type Clock,
  controlGroup,
  isHex128,
  type KeyGroup,
  type Random,
  type TenantId,
} from '../base/index.ts';
import {
  type AmendmentRow,
  type Catalog,
  type FoundInstance,
  type KnownPatient,
  patientText,
} from '../catalog/index.ts';
import { type DataSet, parseCharacterSet, tags } from '../dicom/index.ts';
import { type AmendmentFact, type Attributes, encodeEvent, type PatientName, recordKind } from '../format/index.ts';
import type { Vault } from '../vault/index.ts';
import { checkAttributes, checkPatient } from './amendable.ts';
import { describeInstance } from './describe-instance.ts';
import { studyFamily } from './instance-names.ts';
import { KeyTurns } from './key-turns.ts';
import { newObjectId } from './objects.ts';

/** Who amends, and why. `dryRun`: everything is decided and nothing is done. */
export type Amending = {
  readonly tenant: TenantId;
  readonly by: string;
  readonly why: string;
  /** Which system said so, where it was not a person here. */
  readonly system?: string | undefined;
  readonly dryRun?: boolean | undefined;
};

export type AmendedValue = { readonly keyword: string; readonly from: string; readonly to: string };

export type Amended = {
  /** Of the amendment; undefined after a dry run. */
  readonly id: string | undefined;
  /** Whose it is or becomes. */
  readonly patient: PatientName;
  readonly studies: number;
  readonly changes: readonly AmendedValue[];
};

export type MergePatients = Amending & {
  readonly from: PatientName;
  readonly into: PatientName;
  /** What is known of `into`, where headers do not tell. */
  readonly attributes?: Attributes | undefined;
};
export type MoveStudy = Amending & {
  readonly study: string;
  readonly to: PatientName;
  readonly attributes?: Attributes | undefined;
};
export type CorrectStudy = Amending & { readonly study: string; readonly attributes: Attributes };
export type CorrectPatient = Amending & { readonly patient: PatientName; readonly attributes: Attributes };
export type DecodeStudy = Amending & {
  readonly study: string;
  /** Values of Specific Character Set. */
  readonly terms: readonly string[];
  /** Only data sets that declare these. */
  readonly declared?: readonly string[] | undefined;
  readonly series?: readonly string[] | undefined;
};

const reasonCharsMax = 1024;
const uidForm = /^[\x21-\x2e\x30-\x7e]{1,64}$/;

type Parts = {
  readonly vault: Vault;
  readonly catalog: Catalog;
  readonly clock: Clock;
  readonly random: Random;
  /** As stored, without amendments. */
  readonly readHeader: (instance: FoundInstance) => Promise<DataSet>;
  /** Told of each amendment when it is in force, with whose studies it changed. */
  readonly onAmended: (tenant: TenantId, patient: PatientName) => Promise<void>;
};

export class Amendments {
  readonly #parts: Parts;
  readonly #turns = new KeyTurns();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** From now on the first patient is the second. ARGUMENT_INVALID, AMENDMENT_CONFLICT. */
  async merge(options: MergePatients): Promise<Amended> {
    const { tenant, from, into } = options;
    this.#check(options);
    for (const each of [from, into]) checkPatient(each);
    if (options.attributes !== undefined) checkAttributes(options.attributes, 'patient');
    return this.#inTurn(tenant, async () => {
      const known = await this.#known(tenant, from);
      const target = await this.#known(tenant, into);
      if (patientText(target.root) === patientText(from))
        throw conflict('a patient would be merged into itself, perhaps over others');
      if (patientText(known.root) !== patientText(from)) throw conflict('the patient was merged already');
      const attributes = options.attributes ?? filled(target.said);
      const id = await this.#say(options, controlGroup(tenant), { type: 'merged', from, into, attributes });
      const shown = target.root === target.patient ? target : await this.#known(tenant, target.root);
      const changes = [...changesBetween(named(from), named(target.root)), ...changesBetween(known.shown, shown.shown)];
      return { id, patient: target.root, studies: known.studies, changes };
    });
  }

  /** Takes back that a patient was merged. NOT_FOUND when nothing of the kind is in force. */
  async unmerge({ from, ...options }: Amending & { readonly from: PatientName }): Promise<Amended> {
    const history = await this.#parts.catalog.amendments.historyOfPatient({ tenant: options.tenant, ...from });
    const merged = history.findLast(
      ({ said, withdrawn }) =>
        said.type === 'merged' && patientText(said.from) === patientText(from) && withdrawn === undefined,
    );
    if (merged === undefined) throw new ArchiveError('NOT_FOUND', 'the patient is not merged into another');
    return this.withdraw({ ...options, id: merged.said.id });
  }

  /** From now on the study is that patient's. NOT_FOUND, ARGUMENT_INVALID, AMENDMENT_CONFLICT. */
  async move(options: MoveStudy): Promise<Amended> {
    const { tenant, study, to } = options;
    this.#check(options);
    checkPatient(to);
    if (options.attributes !== undefined) checkAttributes(options.attributes, 'patient');
    return this.#inTurn(tenant, async () => {
      const { group, values, patient } = await this.#study(tenant, study);
      const target = await this.#known(tenant, to);
      if (patientText(target.root) === patientText(patient)) throw conflict('the study is that patient’s already');
      const attributes = options.attributes ?? filled(target.said);
      const id = await this.#say(options, group, { type: 'moved', study, to, attributes });
      const changes = changesBetween(values, { ...target.shown, ...attributes, ...named(target.root) }, true);
      return { id, patient: target.root, studies: 1, changes };
    });
  }

  /** Attributes of one study, of its patient among them. NOT_FOUND, ARGUMENT_INVALID. */
  async correctStudy(options: CorrectStudy): Promise<Amended> {
    const { tenant, study, attributes } = options;
    this.#check(options);
    checkAttributes(attributes, 'study');
    return this.#inTurn(tenant, async () => {
      const { group, values, patient } = await this.#study(tenant, study);
      const id = await this.#say(options, group, { type: 'corrected', study, attributes });
      return { id, patient, studies: 1, changes: changesBetween(values, attributes, true) };
    });
  }

  /** Attributes of a patient in all their studies; of who they are in the end, where they were merged. NOT_FOUND, ARGUMENT_INVALID. */
  async correctPatient(options: CorrectPatient): Promise<Amended> {
    const { tenant, attributes } = options;
    this.#check(options);
    checkPatient(options.patient);
    checkAttributes(attributes, 'patient');
    return this.#inTurn(tenant, async () => {
      const asked = await this.#known(tenant, options.patient);
      const { patient, shown, studies } = await this.#known(tenant, asked.root);
      if (!asked.described && studies === 0) throw new ArchiveError('NOT_FOUND', 'no such patient is known');
      const id = await this.#say(options, controlGroup(tenant), { type: 'corrected', patient, attributes });
      return { id, patient, studies, changes: changesBetween(shown, attributes, true) };
    });
  }

  /** The texts of a study are in another character set than its data sets say; their bytes stay. NOT_FOUND, ARGUMENT_INVALID. */
  async decode(options: DecodeStudy): Promise<Amended> {
    const { tenant, study, declared, series } = options;
    this.#check(options);
    const set = parseCharacterSet(options.terms);
    if (set.unknown.length > 0 || set.terms.length === 0)
      throw new ArchiveError('ARGUMENT_INVALID', 'no such character set is known', {
        hint: 'values of Specific Character Set, such as GB18030, ISO_IR 192 or \\ISO 2022 IR 58',
      });
    return this.#inTurn(tenant, async () => {
      const found = await this.#study(tenant, study);
      const { attributes, patient } = await this.#readAgain(options, set);
      const id = await this.#say(options, found.group, {
        type: 'decoded',
        study,
        terms: set.terms,
        declared,
        series,
        patient,
        attributes,
      });
      return { id, patient: found.patient, studies: 1, changes: changesBetween(found.values, attributes, true) };
    });
  }

  /** What a header of the study says of patient and study when it is read so, where that differs. */
  async #readAgain(
    { tenant, study, series, declared }: DecodeStudy,
    set: ReturnType<typeof parseCharacterSet>,
  ): Promise<{ attributes: Attributes; patient: PatientName | undefined }> {
    const conditions = [
      { field: 'studyUid' as const, match: { kind: 'equals' as const, values: [study] } },
      ...(series === undefined
        ? []
        : [{ field: 'seriesUid' as const, match: { kind: 'equals' as const, values: series } }]),
    ];
    const { rows } = await this.#parts.catalog.search.instances({ tenant, conditions }, { limit: 20 });
    for (const instance of rows) {
      const header = await this.#parts.readHeader(instance);
      const says = header.strings(tags.SpecificCharacterSet).join('\\');
      if (declared !== undefined && says !== declared.join('\\')) continue;
      const [was, is] = [describeInstance(header), describeInstance(header, { characterSet: set })];
      const attributes: Record<string, string> = {};
      for (const level of ['patientAttributes', 'studyAttributes'] as const)
        for (const [keyword, text] of Object.entries(is[level]))
          if (text !== was[level][keyword] && keyword !== 'PatientID' && keyword !== 'IssuerOfPatientID')
            attributes[keyword] = text;
      const known = await this.#parts.catalog.amendments.ofStudy(tenant, study);
      const patientId = was.patientAttributes['PatientID'] ?? '';
      return { attributes, patient: known?.patient.patientId === patientId ? known.patient : undefined };
    }
    return { attributes: {}, patient: undefined };
  }

  /** An amendment has no effect any more. NOT_FOUND, AMENDMENT_CONFLICT when it has none already. */
  async withdraw(options: Amending & { readonly id: string }): Promise<Amended> {
    const { tenant, id } = options;
    this.#check(options);
    const { amendments } = this.#parts.catalog;
    return this.#inTurn(tenant, async () => {
      const row = isHex128(id) ? await amendments.one(tenant, id) : undefined;
      if (row === undefined || row.said.type === 'withdrawn' || row.said.type === 'originals')
        throw new ArchiveError('NOT_FOUND', 'there is no such amendment', { hint: 'see: stele study history STUDY' });
      if (row.withdrawn !== undefined) throw conflict('that was undone already');
      const { said } = row;
      const subject = said.type === 'merged' ? said.from : said.type === 'moved' ? said.to : (said.patient ?? nobody);
      const known = subject === nobody ? undefined : await this.#known(tenant, subject);
      const withdrawal = await this.#say(options, row.group, { type: 'withdrawn', amendment: id });
      const patient =
        said.type === 'merged'
          ? said.from
          : said.study === undefined
            ? (known?.root ?? nobody)
            : await this.#patientOf(tenant, said.study);
      return { id: withdrawal, patient, studies: known?.studies ?? 1, changes: [] };
    });
  }

  /** Whose a study is now; nobody's when it is not shown any more. */
  async #patientOf(tenant: TenantId, study: string): Promise<PatientName> {
    try {
      return (await this.#study(tenant, study)).patient;
    } catch (error) {
      if (error instanceof ArchiveError && error.code === 'NOT_FOUND') return nobody;
      throw error;
    }
  }

  /** Everything that was said of a study and of its patient, the oldest first. NOT_FOUND. */
  async historyOfStudy(tenant: TenantId, study: string): Promise<AmendmentRow[]> {
    const { amendments } = this.#parts.catalog;
    const { patient } = await this.#study(tenant, study);
    const own = await amendments.historyOfStudy(tenant, study);
    const theirs = await amendments.historyOfPatient({ tenant, ...patient });
    const rows = new Map([...own, ...theirs].map((row) => [row.said.id, row]));
    return [...rows.values()].sort((one, other) => one.said.createdMs - other.said.createdMs);
  }

  /** The patient, and everybody whom merges link with them; nobody when there is none. */
  async patients(tenant: TenantId, patient: PatientName): Promise<KnownPatient[]> {
    return this.#parts.catalog.amendments.patients({ tenant, ...patient });
  }

  async historyOfPatient(tenant: TenantId, patient: PatientName): Promise<AmendmentRow[]> {
    return this.#parts.catalog.amendments.historyOfPatient({ tenant, ...patient });
  }

  /** Who has this id, of whatever issuer. */
  async patientsWithId(tenant: TenantId, patientId: string): Promise<PatientName[]> {
    return this.#parts.catalog.amendments.withId(tenant, patientId);
  }

  /** Notes that data sets of a study are given out as they are stored. Durable when it resolves: before their first byte. NOT_FOUND. */
  async noteOriginals(options: Amending & { readonly study: string; readonly instances: number }): Promise<string> {
    const { tenant, study, instances } = options;
    this.#check(options);
    const { group } = await this.#study(tenant, study);
    return (await this.#say(options, group, { type: 'originals', study, instances })) ?? '';
  }

  #check({ by, why }: Amending): void {
    for (const [name, text] of [
      ['who', by],
      ['why', why],
    ] as const)
      if (text.trim() === '' || text.length > reasonCharsMax)
        throw new ArchiveError('ARGUMENT_INVALID', `an amendment says ${name}, in up to ${reasonCharsMax} characters`);
  }

  async #inTurn(tenant: TenantId, work: () => Promise<Amended>): Promise<Amended> {
    const amended = await this.#turns.inTurn(String(tenant), work);
    if (amended.id !== undefined) await this.#parts.onAmended(tenant, amended.patient);
    return amended;
  }

  async #known(tenant: TenantId, patient: PatientName): Promise<KnownPatient> {
    const known = await this.#parts.catalog.amendments.patients({ tenant, ...patient });
    return (
      known.find((each) => patientText(each.patient) === patientText(patient)) ?? {
        patient,
        root: patient,
        said: {},
        shown: {},
        described: false,
        studies: 0,
      }
    );
  }

  async #study(
    tenant: TenantId,
    study: string,
  ): Promise<{ group: KeyGroup; patient: PatientName; values: Readonly<Record<string, string>> }> {
    const { catalog } = this.#parts;
    const conditions = [{ field: 'studyUid' as const, match: { kind: 'equals' as const, values: [study] } }];
    const { rows } = uidForm.test(study)
      ? await catalog.search.studies({ tenant, conditions }, { limit: 1 })
      : { rows: [] };
    const [found] = rows;
    const group = await catalog.groups.ofFamily(tenant, studyFamily(study));
    if (found === undefined || group === undefined) throw new ArchiveError('NOT_FOUND', 'there is no such study here');
    const { patient, more } = found;
    const texts = Object.entries(more).filter((each): each is [string, string] => typeof each[1] === 'string');
    const values = {
      ...Object.fromEntries(texts),
      ...named(patient),
      ...given({
        PatientName: patient.name,
        PatientBirthDate: patient.birthDate,
        PatientSex: patient.sex,
        StudyDate: found.studyDate,
        StudyTime: found.studyTime,
        AccessionNumber: found.accession,
        StudyID: found.studyId,
        StudyDescription: found.description,
        ReferringPhysicianName: found.referrer,
      }),
    };
    return { group, patient: { patientId: patient.patientId, issuer: patient.issuer }, values };
  }

  async #say(
    { by, why, system, dryRun }: Amending,
    group: KeyGroup,
    said: Drafted<AmendmentFact>,
  ): Promise<string | undefined> {
    if (dryRun === true) return undefined;
    const { vault, clock, random } = this.#parts;
    const id = newObjectId(clock, random);
    const fact = { ...said, id, createdMs: Math.floor(clock.nowMs()), by, why, system } as AmendmentFact;
    // What is said of a study goes where its entries go; of a patient, where what is said of the tenant does.
    const stream = group.year === 0 ? 'control' : 'ingest';
    await vault.say(stream, [{ kind: recordKind.event, group, plain: encodeEvent(fact) }]);
    return id;
  }
}

/** Of each of the forms what it has of its own. */
type Drafted<Fact> = Fact extends unknown ? Omit<Fact, 'id' | 'createdMs' | 'by' | 'why' | 'system'> : never;

const nobody: PatientName = { patientId: '', issuer: '' };

const named = ({ patientId, issuer }: PatientName): Record<string, string> => ({
  PatientID: patientId,
  IssuerOfPatientID: issuer,
});

function conflict(says: string): ArchiveError {
  return new ArchiveError('AMENDMENT_CONFLICT', says);
}

/** What is known, without what is known to be empty. */
function filled(attributes: Attributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([, text]) => text !== ''));
}

function given(values: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).filter((each): each is [string, string] => each[1] !== undefined));
}

function changesBetween(
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
  onlyNamed = false,
): AmendedValue[] {
  const keywords = onlyNamed ? Object.keys(after) : [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return keywords
    .map((keyword) => ({ keyword, from: before[keyword] ?? '', to: after[keyword] ?? '' }))
    .filter(({ from, to }) => from !== to);
}
