// echo, find, send: asking other application entities, by their titles in the table.

import type { ApplicationEntity } from '../../archive/index.ts';
import { ArchiveError, defaultTenant, systemClock } from '../../base/index.ts';
import {
  type Association,
  cEcho,
  cFind,
  DataSet,
  DataSetReader,
  dictionaryEntry,
  encodeDataSet,
  keywordOf,
  openAssociation,
  parseCharacterSet,
  statusClass,
  statusText,
  tagOfKeyword,
  tags,
  transferSyntaxOf,
} from '../../dicom/index.ts';
import { sendToEntity } from '../../doors/dimse/index.ts';
import { type CommandRun, defineCommand, textFlag } from '../command.ts';
import { readDicomTls } from '../dicom-tls.ts';
import type { Running } from '../running.ts';
import { tableText } from '../say-sizes.ts';
import { reasonOf } from './amendments.ts';

const verification = '1.2.840.10008.1.1';
const studyRootFind = '1.2.840.10008.5.1.4.1.2.2.1';
const syntaxes = ['1.2.840.10008.1.2.1', '1.2.840.10008.1.2'];

async function entityOf(
  { archive }: Running,
  title: string,
): Promise<ApplicationEntity & { host: string; port: number }> {
  const entity = await archive.entities.get(title);
  if (entity?.host === undefined || entity.port === undefined)
    throw new ArchiveError('NOT_FOUND', 'the table does not say where this application entity listens', {
      hint: 'see: stele ae list; use: stele ae set TITLE HOST:PORT',
    });
  return { ...entity, host: entity.host, port: entity.port };
}

async function call(running: Running, title: string, sopClass: string): Promise<Association> {
  const { host, port, tls } = await entityOf(running, title);
  return openAssociation({
    host,
    port,
    ...(tls ? { tls: readDicomTls(running.settings).client } : {}),
    calling: running.settings.aet,
    called: title,
    contexts: [{ id: 1, abstractSyntax: sopClass, transferSyntaxes: syntaxes }],
  });
}

export const echo = defineCommand({
  name: 'echo',
  usage: 'TITLE',
  says: 'ask an application entity whether it is there (C-ECHO)',
  args: { least: 1, most: 1 },
  flags: {},
  where: 'archive',
  run: async (run) => {
    const [title = ''] = run.args;
    const startedMs = systemClock.monotonicMs();
    const association = await call(await run.running(), title, verification);
    const { status } = await cEcho(association);
    await association.release();
    const ms = Math.round(systemClock.monotonicMs() - startedMs);
    run.terminal.out(
      run.json ? JSON.stringify({ title, status, ms }) : `${title} answered ${statusText(status)} in ${ms} ms`,
    );
    return statusClass(status) === 'success' ? 0 : 1;
  },
});

const levels = ['STUDY', 'SERIES', 'IMAGE'] as const;
const namesOfLevel: Readonly<Record<(typeof levels)[number], readonly string[]>> = {
  STUDY: [
    'PatientName',
    'PatientID',
    'StudyDate',
    'ModalitiesInStudy',
    'StudyDescription',
    'AccessionNumber',
    'StudyInstanceUID',
  ],
  SERIES: ['Modality', 'SeriesNumber', 'SeriesDescription', 'NumberOfSeriesRelatedInstances', 'SeriesInstanceUID'],
  IMAGE: ['InstanceNumber', 'SOPClassUID', 'SOPInstanceUID'],
};

/** KEYWORD=VALUE, or a keyword alone to be answered. */
function identifierOf(level: string, words: readonly string[]): DataSet {
  const dataSet = new DataSet();
  const unicode = ['ISO_IR 192'];
  const set = parseCharacterSet(unicode);
  dataSet.setString(tags.SpecificCharacterSet, unicode);
  dataSet.setString(tags.QueryRetrieveLevel, level);
  for (const word of words) {
    const [name = '', ...rest] = word.split('=');
    const tag = tagOfKeyword(name);
    const vr = tag === undefined ? undefined : dictionaryEntry(tag)?.vr;
    if (tag === undefined || vr === undefined || vr === 'SQ')
      throw new ArchiveError('ARGUMENT_INVALID', `${name.slice(0, 64)} is no attribute to ask by`);
    dataSet.setText(tag, rest.join('='), set, vr);
  }
  return dataSet;
}

export const find = defineCommand({
  name: 'find',
  usage: 'TITLE [KEYWORD=VALUE ...] [--level LEVEL]',
  says: 'ask an application entity for studies, series or instances (C-FIND)',
  args: { least: 1, most: 64 },
  flags: { level: { type: 'string', value: 'LEVEL', says: 'study, series or image (default study)' } },
  where: 'archive',
  run: async (run: CommandRun) => {
    const [title = '', ...words] = run.args;
    const level = levels.find((each) => each === (textFlag(run.flags, 'level') ?? 'study').toUpperCase());
    if (level === undefined) throw new ArchiveError('ARGUMENT_INVALID', '--level is study, series or image');
    const named = new Set(words.map((word) => word.split('=')[0]));
    const wanted = namesOfLevel[level].filter((name) => !named.has(name));
    const identifier = identifierOf(level, [...words, ...wanted]);
    const association = await call(await run.running(), title, studyRootFind);
    const context = association.contextFor(studyRootFind);
    const syntax = transferSyntaxOf(context?.transferSyntax ?? syntaxes[0] ?? '');
    const matches = cFind(association, { sopClass: studyRootFind, identifier: encodeDataSet(identifier, syntax) });
    const rows: string[][] = [];
    let next = await matches.next();
    for (; next.done !== true; next = await matches.next()) {
      const reader = new DataSetReader({ syntax });
      reader.push(next.value.identifier);
      const answer = textsOf(reader.finish());
      if (run.json) run.terminal.out(JSON.stringify(answer));
      else rows.push(namesOfLevel[level].map((name) => answer[name] ?? ''));
    }
    await association.release();
    for (const line of tableText(rows)) run.terminal.out(line);
    const { status } = next.value;
    if (statusClass(status) === 'success') return 0;
    run.terminal.note(`${title} ended with ${statusText(status)}`);
    return 1;
  },
});

function textsOf(dataSet: DataSet): Record<string, string> {
  const set = dataSet.characterSet();
  const texts: Record<string, string> = {};
  for (const element of dataSet.elements) texts[keywordOf(element.tag)] = dataSet.texts(element.tag, set).join('\\');
  return texts;
}

export const send = defineCommand({
  name: 'send',
  usage: 'TITLE STUDY [--series UID] [--original --why TEXT]',
  says: 'send a study, or one series of it, to an application entity (C-STORE)',
  args: { least: 2, most: 2 },
  flags: {
    series: { type: 'string', value: 'UID', says: 'only this series' },
    original: { type: 'boolean', says: 'as they were received, amendments left aside; needs --why' },
    why: { type: 'string', value: 'TEXT', says: 'with --original: the reason, which is kept' },
    by: { type: 'string', value: 'NAME', says: 'with --original: on whose behalf' },
  },
  where: 'archive',
  run: async (run) => {
    const asked = run.flags['original'] === true ? reasonOf(run.flags) : undefined;
    const [title = '', study = ''] = run.args;
    const running = await run.running();
    const entity = await entityOf(running, title);
    const series = textFlag(run.flags, 'series');
    const conditions = [
      { field: 'studyUid' as const, match: { kind: 'equals' as const, values: [study] } },
      ...(series === undefined
        ? []
        : [{ field: 'seriesUid' as const, match: { kind: 'equals' as const, values: [series] } }]),
    ];
    const { archive } = running;
    const found = await Array.fromAsync(archive.studies.instances({ tenant: defaultTenant, conditions }));
    if (found.length === 0) throw new ArchiveError('NOT_FOUND', 'there is no such study here');
    if (asked !== undefined)
      await archive.amendments.noteOriginals({ tenant: defaultTenant, ...asked, study, instances: found.length });
    const instances = asked === undefined ? found : found.map((each) => ({ ...each, amended: undefined }));
    let [sent, failed] = [0, 0];
    await sendToEntity(
      {
        archive: running.archive,
        instances,
        isStopped: () => run.terminal.signal.aborted,
        onSent: (_instance, status) => {
          if (status === undefined || statusClass(status) === 'failure') failed += 1;
          else sent += 1;
          run.terminal.progress(`${sent + failed} of ${instances.length}`);
        },
      },
      {
        entity,
        title: running.settings.aet,
        tlsClient: readDicomTls(running.settings).client,
        clock: systemClock,
        signal: run.terminal.signal,
      },
    );
    run.terminal.progressDone();
    run.terminal.out(run.json ? JSON.stringify({ title, sent, failed }) : `${sent} sent, ${failed} failed`);
    return failed === 0 && sent === instances.length ? 0 : 1;
  },
});
