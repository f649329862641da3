// patient, study: merging, moving and correcting what is said of them, and undoing that.

import os from 'node:os';
import type { Amended, Archive } from '../../archive/index.ts';
import { ArchiveError, defaultTenant } from '../../base/index.ts';
import type { AmendmentRow } from '../../catalog/index.ts';
import type { Attributes, PatientName } from '../../format/index.ts';
import { type Command, type CommandRun, defineCommand, type FlagSpec, type Flags, textFlag } from '../command.ts';
import { tableText, timeText } from '../say-sizes.ts';

const tenant = defaultTenant;

export const reasonFlags: Readonly<Record<string, FlagSpec>> = {
  why: { type: 'string', value: 'TEXT', says: 'the reason, which is kept (needed)' },
  by: { type: 'string', value: 'NAME', says: 'on whose behalf (default: the user of this machine)' },
};

const dryRunFlag: Readonly<Record<string, FlagSpec>> = {
  'dry-run': { type: 'boolean', says: 'show what would change and change nothing' },
};

export function reasonOf(flags: Flags): { by: string; why: string } {
  const why = textFlag(flags, 'why');
  if (why === undefined) throw new ArchiveError('ARGUMENT_INVALID', 'say why: --why TEXT');
  return { by: textFlag(flags, 'by') ?? userHere(), why };
}

/** A container may run as a user whom nothing names. */
function userHere(): string {
  try {
    return os.userInfo().username;
  } catch {
    return `user ${process.getuid?.() ?? 'unknown'}`;
  }
}

const patientForm = 'A patient is ID, or ID^^^ISSUER where several issuers gave the same id.';

/** ID or ID^^^ISSUER; without an issuer the one there is. NOT_FOUND, ARGUMENT_INVALID. */
async function patientOf(archive: Archive, text: string, mayBeUnknown: boolean): Promise<PatientName> {
  const [patientId = '', issuer] = text.split('^^^');
  const known = await archive.amendments.patientsWithId(tenant, patientId);
  if (issuer !== undefined) {
    const isKnown = known.some((each) => each.issuer === issuer);
    if (!isKnown && !mayBeUnknown) throw unknownPatient();
    return { patientId, issuer };
  }
  const [only, another] = known;
  if (another !== undefined)
    throw new ArchiveError('ARGUMENT_INVALID', 'several issuers gave this id: name one as ID^^^ISSUER', {
      hint: 'see: stele patient show ID',
    });
  if (only === undefined && !mayBeUnknown) throw unknownPatient();
  return only ?? { patientId, issuer: '' };
}

function unknownPatient(): ArchiveError {
  return new ArchiveError('NOT_FOUND', 'no such patient is known', {
    hint: 'check the id; --ahead takes one of whom nothing came yet',
  });
}

const patientText = ({ patientId, issuer }: PatientName): string =>
  issuer === '' ? patientId : `${patientId}^^^${issuer}`;

/** KEYWORD=VALUE ...; `KEYWORD=` empties. */
function attributesOf(words: readonly string[]): Attributes {
  return Object.fromEntries(
    words.map((word) => {
      const cut = word.indexOf('=');
      if (cut <= 0) throw new ArchiveError('ARGUMENT_INVALID', 'what is corrected is KEYWORD=VALUE');
      return [word.slice(0, cut), word.slice(cut + 1)];
    }),
  );
}

function sayAmended({ terminal, json, flags }: CommandRun, amended: Amended, done: string): number {
  const { id, patient, studies, changes } = amended;
  const isDry = flags['dry-run'] === true;
  if (json) {
    terminal.out(JSON.stringify({ id, patient, studies, changes, dryRun: isDry }));
    return 0;
  }
  for (const line of tableText(changes.map(({ keyword, from, to }) => [keyword, from || '-', '->', to || '-'])))
    terminal.out(line);
  terminal.out(isDry ? `would be ${done}; nothing was changed` : `${done}; undo with: stele study undo ${id ?? ''}`);
  return 0;
}

const studiesText = (count: number): string => (count === 1 ? '1 study' : `${count} studies`);

type Given = { tenant: typeof tenant; by: string; why: string; dryRun: boolean };

function givenBy({ flags }: CommandRun): Given {
  return { tenant, ...reasonOf(flags), dryRun: flags['dry-run'] === true };
}

const aheadFlag: Readonly<Record<string, FlagSpec>> = {
  ahead: { type: 'boolean', says: 'also for a patient of whom nothing came yet' },
};

const patientMerge = defineCommand({
  name: 'patient merge',
  usage: 'FROM INTO --why TEXT [--dry-run]',
  says: 'from now on the first patient is the second',
  details: `${patientForm} What is stored stays as it is; whatever leaves, what comes late too, says the second patient; both ids find it.`,
  args: { least: 2, most: 2 },
  flags: { ...reasonFlags, ...dryRunFlag, ...aheadFlag },
  where: 'archive',
  run: async (run) => {
    const given = givenBy(run);
    const { archive } = await run.running();
    const isAhead = run.flags['ahead'] === true;
    const from = await patientOf(archive, run.args[0] ?? '', isAhead);
    const into = await patientOf(archive, run.args[1] ?? '', isAhead);
    const amended = await archive.amendments.merge({ ...given, from, into });
    return sayAmended(run, amended, `merged, with ${studiesText(amended.studies)}`);
  },
});

const patientUnmerge = defineCommand({
  name: 'patient unmerge',
  usage: 'ID --why TEXT',
  says: 'take back that a patient was merged into another',
  details: patientForm,
  args: { least: 1, most: 1 },
  flags: { ...reasonFlags, ...dryRunFlag },
  where: 'archive',
  run: async (run) => {
    const given = givenBy(run);
    const { archive } = await run.running();
    const from = await patientOf(archive, run.args[0] ?? '', true);
    const { id } = await archive.amendments.unmerge({ ...given, from });
    if (run.json) run.terminal.out(JSON.stringify({ id, patient: from, dryRun: given.dryRun }));
    else run.terminal.out(given.dryRun ? 'would be on their own again; nothing was changed' : 'on their own again');
    return 0;
  },
});

const patientCorrect = defineCommand({
  name: 'patient correct',
  usage: 'ID KEYWORD=VALUE ... --why TEXT [--dry-run]',
  says: 'correct what is said of a patient, in all their studies',
  details: `${patientForm} KEYWORD is PatientName, PatientBirthDate, PatientSex and the like; KEYWORD= empties.`,
  args: { least: 2, most: 32 },
  flags: { ...reasonFlags, ...dryRunFlag },
  where: 'archive',
  run: async (run) => {
    const given = givenBy(run);
    const [id = '', ...words] = run.args;
    const attributes = attributesOf(words);
    const { archive } = await run.running();
    const patient = await patientOf(archive, id, false);
    const amended = await archive.amendments.correctPatient({ ...given, patient, attributes });
    return sayAmended(run, amended, `corrected, in ${studiesText(amended.studies)}`);
  },
});

const patientShow = defineCommand({
  name: 'patient show',
  usage: 'ID',
  says: 'show who a patient is: ids that are merged, studies, what was amended',
  details: patientForm,
  args: { least: 1, most: 1 },
  flags: {},
  where: 'archive',
  run: async ({ running, args, terminal, json }) => {
    const [text = ''] = args;
    const { archive } = await running();
    const [patientId = '', issuer] = text.split('^^^');
    const named = (await archive.amendments.patientsWithId(tenant, patientId)).filter(
      (each) => issuer === undefined || each.issuer === issuer,
    );
    if (named.length === 0) throw new ArchiveError('NOT_FOUND', 'no such patient is known');
    for (const patient of named) {
      const known = await archive.amendments.patients(tenant, patient);
      const history = await archive.amendments.historyOfPatient(tenant, patient);
      if (json) {
        terminal.out(JSON.stringify({ patient, known, history: history.map(plainRow) }));
        continue;
      }
      const own = known.find((each) => patientText(each.patient) === patientText(patient));
      const root = own?.root ?? patient;
      for (const line of tableText(
        known
          .filter((each) => patientText(each.root) === patientText(root))
          .map((each) => [
            patientText(each.patient),
            patientText(each.patient) === patientText(root) ? 'is shown' : 'is merged',
            each.shown['PatientName'] ?? '-',
            each.shown['PatientBirthDate'] ?? '-',
            each.shown['PatientSex'] ?? '-',
            studiesText(each.studies),
          ]),
      ))
        terminal.out(line);
      for (const line of historyLines(history)) terminal.out(line);
    }
    return 0;
  },
});

const studyMove = defineCommand({
  name: 'study move',
  usage: 'STUDY PATIENT --why TEXT [--dry-run]',
  says: 'give a study to another patient',
  details: patientForm,
  args: { least: 2, most: 2 },
  flags: { ...reasonFlags, ...dryRunFlag, ...aheadFlag },
  where: 'archive',
  run: async (run) => {
    const given = givenBy(run);
    const [study = '', patient = ''] = run.args;
    const { archive } = await run.running();
    const to = await patientOf(archive, patient, run.flags['ahead'] === true);
    return sayAmended(run, await archive.amendments.move({ ...given, study, to }), 'moved');
  },
});

const studyCorrect = defineCommand({
  name: 'study correct',
  usage: 'STUDY KEYWORD=VALUE ... --why TEXT [--dry-run]',
  says: 'correct what the data sets of a study say',
  details:
    'KEYWORD is AccessionNumber, StudyDate, StudyDescription and the like, or one of the patient for this study alone; KEYWORD= empties.',
  args: { least: 2, most: 32 },
  flags: { ...reasonFlags, ...dryRunFlag },
  where: 'archive',
  run: async (run) => {
    const given = givenBy(run);
    const [study = '', ...words] = run.args;
    const attributes = attributesOf(words);
    const { archive } = await run.running();
    return sayAmended(run, await archive.amendments.correctStudy({ ...given, study, attributes }), 'corrected');
  },
});

const studyCharset = defineCommand({
  name: 'study charset',
  usage: 'STUDY TERMS --why TEXT [--declared TERMS] [--series UID] [--dry-run]',
  says: 'read the texts of a study in another character set than its data sets say',
  details:
    'TERMS are values of Specific Character Set with backslashes between them: GB18030, ISO_IR 192, \\ISO 2022 IR 58.',
  args: { least: 2, most: 2 },
  flags: {
    ...reasonFlags,
    ...dryRunFlag,
    declared: { type: 'string', value: 'TERMS', says: 'only data sets that declare these' },
    series: { type: 'string', value: 'UID', says: 'only this series' },
  },
  where: 'archive',
  run: async (run) => {
    const given = givenBy(run);
    const [study = '', terms = ''] = run.args;
    const series = textFlag(run.flags, 'series');
    const { archive } = await run.running();
    const amended = await archive.amendments.decode({
      ...given,
      study,
      terms: terms.split('\\'),
      declared: textFlag(run.flags, 'declared')?.split('\\'),
      series: series === undefined ? undefined : [series],
    });
    return sayAmended(run, amended, `read as ${terms}`);
  },
});

const studyHistory = defineCommand({
  name: 'study history',
  usage: 'STUDY',
  says: 'list what was amended of a study and its patient, by whom and why',
  args: { least: 1, most: 1 },
  flags: {},
  where: 'archive',
  run: async ({ running, args, terminal, json }) => {
    const { archive } = await running();
    const rows = await archive.amendments.historyOfStudy(tenant, args[0] ?? '');
    if (json) for (const row of rows) terminal.out(JSON.stringify(plainRow(row)));
    else for (const line of historyLines(rows)) terminal.out(line);
    return 0;
  },
});

const studyUndo = defineCommand({
  name: 'study undo',
  usage: 'AMENDMENT --why TEXT',
  says: 'undo a merge, a move or a correction by its id',
  args: { least: 1, most: 1 },
  flags: { ...reasonFlags, ...dryRunFlag },
  where: 'archive',
  run: async (run) => {
    const given = givenBy(run);
    const [id = ''] = run.args;
    const { archive } = await run.running();
    await archive.amendments.withdraw({ ...given, id });
    if (run.json) run.terminal.out(JSON.stringify({ id, undone: !given.dryRun }));
    else run.terminal.out(given.dryRun ? 'would be undone; nothing was changed' : 'undone');
    return 0;
  },
});

/** Without the group, which is nobody's to know. */
function plainRow({ said, withdrawn }: AmendmentRow): object {
  return { ...said, withdrawn };
}

function historyLines(rows: readonly AmendmentRow[]): string[] {
  return tableText(
    rows.map(({ said, withdrawn }) => [
      said.id,
      timeText(said.createdMs),
      withdrawn === undefined ? 'in force' : `undone ${timeText(withdrawn.createdMs)} by ${withdrawn.by}`,
      whatText(said),
      `by ${said.by}: ${said.why}`,
    ]),
  );
}

function whatText(said: AmendmentRow['said']): string {
  const values = 'attributes' in said ? Object.entries(said.attributes).map(([name, text]) => `${name}=${text}`) : [];
  switch (said.type) {
    case 'merged':
      return `${patientText(said.from)} merged into ${patientText(said.into)}`;
    case 'moved':
      return `moved to ${patientText(said.to)}`;
    case 'corrected':
      return `${said.patient === undefined ? 'study' : patientText(said.patient)} corrected: ${values.join(' ')}`;
    case 'decoded':
      return `read as ${said.terms.join('\\')}`;
    case 'originals':
      return `${said.instances} originals given out`;
    case 'withdrawn':
      return 'undone';
  }
}

export const amendmentCommands: readonly Command[] = [
  patientShow,
  patientMerge,
  patientUnmerge,
  patientCorrect,
  studyMove,
  studyCorrect,
  studyCharset,
  studyHistory,
  studyUndo,
];
