// Storage commitment: the request (N-ACTION) is noted at once, the answer (N-EVENT-REPORT) follows when it can be given.
//
// Invariants: the request is durable before it is answered; an answer goes out on the association that asked while that is open, else on a new one to the
// place the table names, in the provider's role; who does not take it is asked again later, for days. An answer is one report, when nothing is
// pending any more, or when it has been pending for so long that what cannot be promised has failed.
// Left out on purpose: what is proved and how (the archive).

import type { Archive, Commitment, JudgedItem } from '../../archive/index.ts';
import { ArchiveError, type Clock } from '../../base/index.ts';
import {
  type Association,
  DataSet,
  DataSetReader,
  dimseStatus,
  encodeDataSet,
  gatheredBytesMax,
  type IncomingMessage,
  nEventReport,
  openAssociation,
  statusClass,
  type TlsClientOptions,
  tags,
  transferSyntaxOf,
} from '../../dicom/index.ts';
import { queryFailure } from './dimse-statuses.ts';
import type { Served } from './served.ts';
import { storageCommitment, storageCommitmentInstance } from './sop-classes.ts';

const requestAction = 1;
const allCommitted = 1;
const someFailed = 2;
/** Pending for longer, an instance has failed: the sender shall keep it. */
const pendingMsMax = 24 * 60 * 60_000;
const lookMsMax = 30_000;

const syntaxes = ['1.2.840.10008.1.2.1', '1.2.840.10008.1.2'];

const failureReasons = {
  'unknown-instance': dimseStatus.noSuchSopInstance,
  'other-class': dimseStatus.classInstanceConflict,
  pending: dimseStatus.processingFailure,
} as const;

/** What is kept beside the requests: associations that are still open, to answer on. */
export class CommitmentReports {
  readonly #archive: () => Archive;
  readonly #title: string;
  readonly #tlsClient: TlsClientOptions;
  readonly #clock: Clock;
  readonly #onFault: (error: unknown) => void;
  readonly #open = new Map<string, Association>();
  readonly #stopping = new AbortController();
  #wake = new AbortController();
  readonly #running: Promise<void>;

  constructor(parts: {
    archive: () => Archive;
    title: string;
    tlsClient: TlsClientOptions;
    clock: Clock;
    onFault: (error: unknown) => void;
  }) {
    this.#archive = parts.archive;
    this.#title = parts.title;
    this.#tlsClient = parts.tlsClient;
    this.#clock = parts.clock;
    this.#onFault = parts.onFault;
    this.#running = this.#run();
  }

  /** Takes a request of an association. */
  async take(message: IncomingMessage, served: Served): Promise<void> {
    const { association, archive, tenant } = served;
    try {
      if (message.command.actionType !== requestAction)
        return await message.respond({ status: dimseStatus.noSuchActionType });
      const { transaction, items } = await readRequest(message);
      const title = association.facts.calling.trim();
      const commitment = await archive.commitments.ask({ title, transaction, tenant, items });
      this.#open.set(commitment.key, association);
      void association.ended.then(() => this.#open.delete(commitment.key));
      await message.respond({ status: dimseStatus.success });
      this.#wake.abort();
    } catch (error) {
      if (association.endError !== undefined && error === association.endError) throw error;
      if (!(error instanceof ArchiveError)) this.#onFault(error);
      if (!message.isAnswered) await message.respond(queryFailure(error));
    }
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    this.#wake.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      this.#wake = new AbortController();
      let waitMs = lookMsMax;
      try {
        const { due, nextMs } = await this.#archive().commitments.due();
        for (const commitment of due) if (!signal.aborted) await this.#report(commitment);
        if (nextMs !== undefined) waitMs = Math.min(waitMs, Math.max(0, nextMs - this.#clock.nowMs()));
      } catch (error) {
        // The archive is being made again, or stops: later.
        if (!(error instanceof ArchiveError)) this.#onFault(error);
      }
      if (!signal.aborted) await this.#clock.wait(waitMs, this.#wake.signal);
    }
  }

  async #report(commitment: Commitment): Promise<void> {
    const { commitments } = this.#archive();
    const judged = await commitments.judge(commitment);
    const waits = judged.some((item) => item.verdict === 'pending');
    if (waits && this.#clock.nowMs() - commitment.askedMs < pendingMsMax) return commitments.later(commitment);
    try {
      await this.#send(commitment, judged);
      await commitments.done(commitment);
    } catch (error) {
      if (!(error instanceof ArchiveError)) this.#onFault(error);
      await commitments.later(commitment);
    }
  }

  async #send(commitment: Commitment, judged: readonly JudgedItem[]): Promise<void> {
    const open = this.#open.get(commitment.key);
    if (open?.isOpen === true && open.contextFor(storageCommitment) !== undefined) {
      try {
        return await report(open, commitment, judged);
      } catch (error) {
        // It went away meanwhile, or does not listen: it is called.
        if (!(error instanceof ArchiveError)) throw error;
      }
    }
    const entity = await this.#archive().entities.get(commitment.title);
    if (entity?.host === undefined || entity.port === undefined)
      throw new ArchiveError('NOT_FOUND', 'the table does not say where the asker listens');
    const association = await openAssociation({
      host: entity.host,
      port: entity.port,
      ...(entity.tls ? { tls: this.#tlsClient } : {}),
      calling: this.#title,
      called: entity.title,
      contexts: [{ id: 1, abstractSyntax: storageCommitment, transferSyntaxes: syntaxes }],
      roles: [{ sopClass: storageCommitment, scu: false, scp: true }],
      clock: this.#clock,
      signal: this.#stopping.signal,
    });
    try {
      await report(association, commitment, judged);
      await association.release();
    } catch (error) {
      association.abort();
      throw error;
    }
  }
}

async function report(association: Association, commitment: Commitment, judged: readonly JudgedItem[]): Promise<void> {
  const context = association.contextFor(storageCommitment);
  if (context === undefined)
    throw new ArchiveError('DICOM_CONTEXT_REFUSED', 'the peer takes no storage commitment reports');
  const failed = judged.filter((item) => item.verdict !== 'committed');
  const dataSet = new DataSet();
  dataSet.setString(tags.TransactionUID, commitment.transaction);
  if (failed.length > 0)
    dataSet.setItems(
      tags.FailedSOPSequence,
      failed.map((item) => {
        const reference = referenceOf(item);
        if (item.verdict !== 'committed') reference.setNumber(tags.FailureReason, failureReasons[item.verdict]);
        return reference;
      }),
    );
  const committed = judged.filter((item) => item.verdict === 'committed');
  if (committed.length > 0) dataSet.setItems(tags.ReferencedSOPSequence, committed.map(referenceOf));
  const { status } = await nEventReport(association, {
    sopClass: storageCommitment,
    sopInstance: storageCommitmentInstance,
    context,
    eventType: failed.length === 0 ? allCommitted : someFailed,
    data: encodeDataSet(dataSet, transferSyntaxOf(context.transferSyntax)),
  });
  if (statusClass(status) === 'failure')
    throw new ArchiveError('DICOM_REJECTED', 'the peer did not take the storage commitment report');
}

function referenceOf(item: JudgedItem): DataSet {
  const reference = new DataSet();
  reference.setString(tags.ReferencedSOPClassUID, item.classUid);
  reference.setString(tags.ReferencedSOPInstanceUID, item.instanceUid);
  return reference;
}

async function readRequest({
  context,
  data,
}: IncomingMessage): Promise<{ transaction: string; items: { classUid: string; instanceUid: string }[] }> {
  if (data === undefined) throw new ArchiveError('ARGUMENT_INVALID', 'a commitment names instances');
  const reader = new DataSetReader({ syntax: transferSyntaxOf(context.transferSyntax) });
  reader.push(await data.gather(gatheredBytesMax));
  const dataSet = reader.finish();
  const transaction = dataSet.string(tags.TransactionUID);
  const items = dataSet.items(tags.ReferencedSOPSequence).map((item) => ({
    classUid: item.string(tags.ReferencedSOPClassUID) ?? '',
    instanceUid: item.string(tags.ReferencedSOPInstanceUID) ?? '',
  }));
  if (transaction === undefined || items.length === 0)
    throw new ArchiveError('ARGUMENT_INVALID', 'a commitment has a transaction and instances');
  return { transaction, items };
}
