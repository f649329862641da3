// C-MOVE and C-GET: what an identifier names is sent, to the destination or back over the same association, and the asker is told how it goes.
//
// Invariants: a destination that is not in the table is A801 and nothing is sent; an answer with the counts goes out at least every few seconds; what could
// not be sent is named in the final answer; a cancelled retrieval stops between two instances.
// Left out on purpose: how instances are sent (send-instances.ts).

import type { Answer, SentInstance } from '../../archive/index.ts';
import { ArchiveError } from '../../base/index.ts';
import {
  DataSet,
  dimseStatus,
  encodeDataSet,
  gatheredBytesMax,
  type IncomingMessage,
  tags,
  transferSyntaxOf,
} from '../../dicom/index.ts';
import { queryFailure } from './dimse-statuses.ts';
import { type Identifier, queryOf, readIdentifier } from './identifiers.ts';
import { RetrieveProgress } from './retrieve-progress.ts';
import { type Sending, sendOver, sendToEntity } from './send-instances.ts';
import type { Served } from './served.ts';
import { queryClass } from './sop-classes.ts';

/** Instances of one retrieval; their names are held in memory. */
const instancesMax = 100_000;
/** What is asked of a found instance: nothing but its names, which every row has. */
const nothingMore: readonly number[] = [];

export async function answerMove(
  message: IncomingMessage,
  served: Served,
  onFault: (error: unknown) => void,
): Promise<void> {
  await retrieve(message, served, onFault, async (instances, progress) => {
    const { archive, association, title, tlsClient, clock } = served;
    const entity = await archive.entities.get(message.command.moveDestination?.trim() ?? '');
    if (entity?.host === undefined || entity.port === undefined) return 'destination-unknown';
    const moveOriginator = { title: association.facts.calling.trim(), messageId: message.messageId };
    const sending = { ...sendingOf(message, served, instances, progress), moveOriginator };
    await sendToEntity(sending, { entity, title, tlsClient, clock, signal: message.signal });
    return 'done';
  });
}

export async function answerGet(
  message: IncomingMessage,
  served: Served,
  onFault: (error: unknown) => void,
): Promise<void> {
  await retrieve(message, served, onFault, async (instances, progress) => {
    await sendOver(served.association, sendingOf(message, served, instances, progress));
    return 'done';
  });
}

function sendingOf(
  message: IncomingMessage,
  { archive }: Served,
  instances: readonly SentInstance[],
  progress: RetrieveProgress,
): Sending {
  return {
    archive,
    instances,
    isStopped: () => message.cancelled !== undefined,
    beforeEach: () => progress.tellNowAndThen(),
    onSent: (instance, status) => progress.sent(instance.instanceUid, status),
  };
}

async function retrieve(
  message: IncomingMessage,
  served: Served,
  onFault: (error: unknown) => void,
  send: (instances: readonly SentInstance[], progress: RetrieveProgress) => Promise<'done' | 'destination-unknown'>,
): Promise<void> {
  const { association, clock } = served;
  let progress: RetrieveProgress | undefined;
  try {
    const identifier = await identifierOf(message);
    const instances = await instancesOf(identifier, served);
    progress = new RetrieveProgress(message, instances.length, clock);
    const outcome = await send(instances, progress);
    progress.stop();
    if (outcome === 'destination-unknown')
      return await message.respond({
        status: dimseStatus.moveDestinationUnknown,
        errorComment: 'NOT_FOUND the destination is not in the table',
      });
    await answerFinally(message, progress);
  } catch (error) {
    progress?.stop();
    if (association.endError !== undefined && error === association.endError) throw error;
    if (!(error instanceof ArchiveError) || error.code === 'INTERNAL') onFault(error);
    if (!message.isAnswered) await message.respond(queryFailure(error));
  }
}

async function answerFinally(message: IncomingMessage, progress: RetrieveProgress): Promise<void> {
  const { counts, failedUids } = progress;
  const cancelled = message.cancelled !== undefined;
  const failed = counts.failed > 0;
  const status = cancelled
    ? dimseStatus.cancel
    : !failed
      ? dimseStatus.success
      : counts.completed + counts.warning === 0
        ? dimseStatus.subOperationsImpossible
        : dimseStatus.subOperationsFailed;
  if (!failed) return message.respond({ status, counts });
  const dataSet = new DataSet();
  dataSet.setString(tags.FailedSOPInstanceUIDList, failedUids);
  return message.respond({ status, counts }, encodeDataSet(dataSet, transferSyntaxOf(message.context.transferSyntax)));
}

async function identifierOf({ context, data }: IncomingMessage): Promise<Identifier> {
  if (data === undefined) throw new ArchiveError('ARGUMENT_INVALID', 'a retrieval has an identifier');
  const root = queryClass(context.abstractSyntax)?.root ?? 'study';
  return readIdentifier(await data.gather(gatheredBytesMax), context.transferSyntax, root);
}

/** The instances below what is named. Only unique keys count, and the one of the level must be there. */
async function instancesOf(identifier: Identifier, { archive, tenant }: Served): Promise<SentInstance[]> {
  const uniqueKeys = {
    patient: [tags.PatientID],
    study: [tags.PatientID, tags.StudyInstanceUID],
    series: [tags.PatientID, tags.StudyInstanceUID, tags.SeriesInstanceUID],
    instance: [tags.PatientID, tags.StudyInstanceUID, tags.SeriesInstanceUID, tags.SOPInstanceUID],
  } as const;
  const unique: readonly number[] = uniqueKeys[identifier.level];
  const own = unique.at(-1);
  const keys = identifier.keys.filter((key) => unique.includes(key.tag));
  if (own === undefined || !keys.some((key) => key.tag === own))
    throw new ArchiveError('ARGUMENT_INVALID', 'the identifier does not name what to retrieve');
  const query = { ...queryOf(identifier, tenant), level: 'instance' as const, keys, wanted: nothingMore };
  const instances: SentInstance[] = [];
  for await (const { instance } of archive.studies.answers(query) as AsyncIterable<Answer>) {
    if (instance !== undefined) instances.push(instance);
    if (instances.length > instancesMax)
      throw new ArchiveError('LIMIT_EXCEEDED', `a retrieval names at most ${instancesMax} instances`);
  }
  return instances;
}
