// Modality Performed Procedure Step: N-CREATE and N-SET of what a modality does, noted before they are answered.
//
// Invariants: a step is created in progress, once; one that has ended is not changed, and its modality is told so as PS3.4 F.7.2.2 says.
// Left out on purpose: N-GET and notifications, and everything of the data set that is not told below.

import { type PerformedSeries, type StepState, stepSeriesMax, stepStates } from '../../archive/index.ts';
import { ArchiveError } from '../../base/index.ts';
import {
  DataSet,
  DataSetReader,
  dimseStatus,
  gatheredBytesMax,
  type IncomingMessage,
  isUid,
  tags,
  transferSyntaxOf,
} from '../../dicom/index.ts';
import { storeFailure } from './dimse-statuses.ts';
import type { Served } from './served.ts';

type Answer = Parameters<IncomingMessage['respond']>[0];

/** Performed Procedure Step Object may no longer be updated. */
const endedErrorId = 0xa506;

export async function answerStep(
  message: IncomingMessage,
  served: Served,
  onFault: (error: unknown) => void,
): Promise<void> {
  const { association } = served;
  let answer: Answer;
  try {
    const dataSet = await readDataSet(message);
    answer = message.kind === 'N-CREATE' ? await create(message, served, dataSet) : await set(message, served, dataSet);
  } catch (error) {
    if (association.endError !== undefined && error === association.endError) throw error;
    if (!(error instanceof ArchiveError) || error.code === 'INTERNAL') onFault(error);
    answer = storeFailure(error);
  }
  return message.respond(answer);
}

async function create({ command }: IncomingMessage, served: Served, dataSet: DataSet): Promise<Answer> {
  const instanceUid = command.affectedSopInstance ?? '';
  if (!isUid(instanceUid)) return { status: dimseStatus.invalidSopInstance };
  const state = dataSet.string(tags.PerformedProcedureStepStatus);
  if (state === undefined) return missing(tags.PerformedProcedureStepStatus);
  if (state !== 'IN PROGRESS') return invalid(tags.PerformedProcedureStepStatus);
  const scheduled = dataSet.items(tags.ScheduledStepAttributesSequence);
  const studies = scheduled.map((item) => item.string(tags.StudyInstanceUID)).filter((uid) => uid !== undefined);
  if (studies.length === 0) return missing(tags.ScheduledStepAttributesSequence);
  const nowMs = Math.floor(served.clock.nowMs());
  const outcome = await served.archive.steps.create({
    instanceUid,
    tenant: served.tenant,
    state,
    station: dataSet.string(tags.PerformedStationAETitle) ?? served.association.facts.calling.trim(),
    modality: dataSet.string(tags.Modality),
    studies: [...new Set(studies)].slice(0, stepSeriesMax),
    series: seriesOf(dataSet),
    createdMs: nowMs,
    changedMs: nowMs,
  });
  return { status: outcome === 'created' ? dimseStatus.success : dimseStatus.duplicateSopInstance };
}

async function set({ command }: IncomingMessage, served: Served, dataSet: DataSet): Promise<Answer> {
  const instanceUid = command.requestedSopInstance ?? '';
  const said = dataSet.string(tags.PerformedProcedureStepStatus);
  const state: StepState | undefined = stepStates.find((each) => each === said);
  if (said !== undefined && state === undefined) return invalid(tags.PerformedProcedureStepStatus);
  const isSaid = dataSet.has(tags.PerformedSeriesSequence);
  const news = { state, series: isSaid ? seriesOf(dataSet) : undefined };
  const { tenant, archive, clock } = served;
  switch (await archive.steps.change({ tenant, instanceUid }, news, Math.floor(clock.nowMs()))) {
    case 'changed':
      return { status: dimseStatus.success };
    case 'unknown':
      return { status: dimseStatus.noSuchSopInstance };
    case 'ended':
      return {
        status: dimseStatus.processingFailure,
        errorId: endedErrorId,
        errorComment: 'Performed Procedure Step Object may no longer be updated',
      };
  }
}

function missing(tag: number): Answer {
  return { status: dimseStatus.missingAttribute, offendingElements: [tag] };
}

function invalid(tag: number): Answer {
  return { status: dimseStatus.invalidAttributeValue, offendingElements: [tag] };
}

/** LIMIT_EXCEEDED when it names more than is kept. */
function seriesOf(dataSet: DataSet): PerformedSeries[] {
  const items = dataSet.items(tags.PerformedSeriesSequence);
  if (items.length > stepSeriesMax)
    throw new ArchiveError('LIMIT_EXCEEDED', `a procedure step names at most ${stepSeriesMax} series`);
  return items.flatMap((item) => {
    const seriesUid = item.string(tags.SeriesInstanceUID);
    const images = item.items(tags.ReferencedImageSequence).length;
    const others = item.items(tags.ReferencedNonImageCompositeSOPInstanceSequence).length;
    return seriesUid === undefined ? [] : [{ seriesUid, instances: images + others }];
  });
}

async function readDataSet({ context, data }: IncomingMessage): Promise<DataSet> {
  if (data === undefined) return new DataSet();
  const reader = new DataSetReader({ syntax: transferSyntaxOf(context.transferSyntax) });
  reader.push(await data.gather(gatheredBytesMax));
  return reader.finish();
}
