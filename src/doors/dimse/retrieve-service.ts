// C-MOVE and C-GET: what an identifier names is sent, to the destination or back over the same association, and the asker is told how it goes.
//
// Invariants: a destination that is not in the table is A801 and nothing is sent; an answer with the counts goes out at least every few seconds; what could
// not be sent is named in the final answer; a cancelled retrieval stops between two instances. Objects are read ahead of the one that is being
// sent, a few and small ones only.
// Left out on purpose: trying again. Whoever asked can, and forwarding has a queue of its own.

import type { Answer } from '../../archive/index.ts';
import { ArchiveError } from '../../base/index.ts';
import {
  type Association,
  cStore,
  DataSet,
  dimseStatus,
  encodeDataSet,
  gatheredBytesMax,
  type IncomingMessage,
  openAssociation,
  planContexts,
  statusClass,
  tags,
  transferSyntaxOf,
} from '../../dicom/index.ts';
import { queryFailure } from './dimse-statuses.ts';
import { type Identifier, queryOf, readIdentifier } from './identifiers.ts';
import { type Outgoing, readAhead, type SentInstance } from './read-ahead.ts';
import { RetrieveProgress } from './retrieve-progress.ts';
import type { Served } from './served.ts';
import { queryClass } from './sop-classes.ts';

/** Instances of one retrieval; their names are held in memory. */
const instancesMax = 100_000;
/** What is asked of a found instance: nothing but its names, which every row has. */
const nothingMore: readonly number[] = [];

type Sender = { readonly association: Association; readonly takes: (sopClass: string) => readonly string[] };

export async function answerMove(
  message: IncomingMessage,
  served: Served,
  onFault: (error: unknown) => void,
): Promise<void> {
  await retrieve(message, served, onFault, async (instances, progress) => {
    const title = message.command.moveDestination?.trim() ?? '';
    const destination = await served.archive.entities.get(title);
    if (destination?.host === undefined || destination.port === undefined) return 'destination-unknown';
    const plans = planContexts(
      instances.map((each) => ({ abstractSyntax: each.classUid, transferSyntax: each.syntaxUid })),
    );
    const { calling } = served.association.facts;
    const moveOriginator = { title: calling.trim(), messageId: message.messageId };
    for (const contexts of plans) {
      const classes = new Set(contexts.map((context) => context.abstractSyntax));
      const mine = instances.filter((each) => classes.has(each.classUid));
      if (message.cancelled !== undefined) return 'done';
      let association: Association;
      try {
        association = await openAssociation({
          host: destination.host,
          port: destination.port,
          ...(destination.tls ? { tls: {} } : {}),
          calling: served.title,
          called: destination.title,
          contexts,
          clock: served.clock,
          signal: message.signal,
        });
      } catch (error) {
        if (!(error instanceof ArchiveError)) throw error;
        for (const each of mine) progress.failed(each.instanceUid);
        continue;
      }
      try {
        await sendAll(mine, senderOn(association), { message, served, progress, moveOriginator });
        await association.release();
      } catch (error) {
        association.abort();
        if (!(error instanceof ArchiveError)) throw error;
      }
    }
    return 'done';
  });
}

export async function answerGet(
  message: IncomingMessage,
  served: Served,
  onFault: (error: unknown) => void,
): Promise<void> {
  await retrieve(message, served, onFault, async (instances, progress) => {
    await sendAll(instances, senderOn(served.association), { message, served, progress, moveOriginator: undefined });
    return 'done';
  });
}

/** The syntaxes in which a peer takes a class from us, in the order of the contexts. */
function senderOn(association: Association): Sender {
  const syntaxes = new Map<string, string[]>();
  for (const context of association.facts.contexts.values()) {
    if (!context.isUser) continue;
    const known = syntaxes.get(context.abstractSyntax) ?? [];
    syntaxes.set(context.abstractSyntax, known);
    known.push(context.transferSyntax);
  }
  return { association, takes: (sopClass) => syntaxes.get(sopClass) ?? [] };
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

async function sendAll(
  instances: readonly SentInstance[],
  sender: Sender,
  parts: {
    message: IncomingMessage;
    served: Served;
    progress: RetrieveProgress;
    moveOriginator: { title: string; messageId: number } | undefined;
  },
): Promise<void> {
  const { message, served, progress, moveOriginator } = parts;
  const { association } = sender;
  const outputs = readAhead(instances, served.archive, (each) => sender.takes(each.classUid));
  let sent = 0;
  try {
    for await (const outgoing of outputs) {
      if (message.cancelled !== undefined) return;
      const { instance } = outgoing;
      sent += 1;
      await progress.tellNowAndThen();
      const status = await sendOne(outgoing, association, moveOriginator);
      if (status === undefined || statusClass(status) === 'failure') progress.failed(instance.instanceUid);
      else if (statusClass(status) === 'warning') progress.warned();
      else progress.completed();
    }
  } catch (error) {
    // The peer has gone in the middle: what was not sent has failed.
    for (const each of instances.slice(Math.max(0, sent - 1))) progress.failed(each.instanceUid);
    throw error;
  }
}

/** The peer's status; undefined when the instance cannot be read, or in nothing that the peer takes. */
async function sendOne(
  { instance, output }: Outgoing,
  association: Association,
  moveOriginator: { title: string; messageId: number } | undefined,
): Promise<number | undefined> {
  if (output === undefined) return undefined;
  const context = association.contextFor(instance.classUid, output.syntax);
  if (context === undefined) return undefined;
  try {
    const { status } = await cStore(association, {
      sopClass: instance.classUid,
      sopInstance: instance.instanceUid,
      context,
      data: output.pieces,
      moveOriginator,
    });
    return status;
  } catch (error) {
    if (association.endError !== undefined || !(error instanceof ArchiveError)) throw error;
    return undefined;
  }
}
