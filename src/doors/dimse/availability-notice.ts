// Instance Availability Notification, as its user: tells an application entity which instances of a study can be had here (PS3.4 annex R).
//
// Invariants: a notice names instances that are here and that this archive gives out, by our own title; a long study is told in several notices, each whole
// in itself; the same notice has the same UID, so one that is told again is known for what it is. Nothing of the patient is said.
// Left out on purpose: when, to whom and how often (the archive's queue).

import type { ApplicationEntity, ProcedureStep } from '../../archive/index.ts';
import { ArchiveError, type Clock, hexOf, sha256, utf8Bytes } from '../../base/index.ts';
import {
  type Association,
  DataSet,
  dimseStatus,
  encodeDataSet,
  nCreate,
  openAssociation,
  statusClass,
  statusText,
  type TlsClientOptions,
  tags,
  transferSyntaxOf,
} from '../../dicom/index.ts';
import { instanceAvailability, performedStep } from './sop-classes.ts';

export type NoticeInstance = {
  readonly id: string;
  readonly seriesUid: string;
  readonly instanceUid: string;
  readonly classUid: string;
};

export type Notice = {
  readonly study: string;
  readonly instances: readonly NoticeInstance[];
  /** Steps that say that they made some of it. */
  readonly steps: readonly ProcedureStep[];
};

const syntaxes = ['1.2.840.10008.1.2.1', '1.2.840.10008.1.2'];
/** Of one notice: about 200 bytes each. */
const instancesMax = 5000;

/** The ids of what the peer was told and took. DICOM_UNREACHABLE and the like when it cannot be told at all, DICOM_REJECTED with its status when it refuses. */
export async function sendNotice(
  notice: Notice,
  to: {
    readonly entity: ApplicationEntity;
    readonly title: string;
    readonly tlsClient: TlsClientOptions;
    readonly clock: Clock;
    readonly signal: AbortSignal;
    readonly onTold: (ids: readonly string[]) => void;
  },
): Promise<void> {
  const { entity, title, tlsClient, clock, signal } = to;
  if (entity.host === undefined || entity.port === undefined)
    throw new ArchiveError('NOT_FOUND', 'the table does not say where this application entity listens');
  const association = await openAssociation({
    host: entity.host,
    port: entity.port,
    ...(entity.tls ? { tls: tlsClient } : {}),
    calling: title,
    called: entity.title,
    contexts: [{ id: 1, abstractSyntax: instanceAvailability, transferSyntaxes: syntaxes }],
    clock,
    signal,
  });
  try {
    for (let at = 0; at < notice.instances.length; at += instancesMax) {
      const instances = notice.instances.slice(at, at + instancesMax);
      await tell(association, { ...notice, instances }, title);
      to.onTold(instances.map((each) => each.id));
    }
    await association.release();
  } catch (error) {
    association.abort();
    throw error;
  }
}

async function tell(association: Association, notice: Notice, title: string): Promise<void> {
  const context = association.contextFor(instanceAvailability);
  if (context === undefined)
    throw new ArchiveError('DICOM_CONTEXT_REFUSED', 'the peer takes no instance availability notifications');
  const { status } = await nCreate(association, {
    sopClass: instanceAvailability,
    sopInstance: uidOf(notice),
    context,
    data: encodeDataSet(noticeOf(notice, title), transferSyntaxOf(context.transferSyntax)),
  });
  // It was told before, and the answer got lost.
  if (status === dimseStatus.duplicateSopInstance) return;
  if (statusClass(status) === 'failure')
    throw new ArchiveError('DICOM_REJECTED', `the peer answered ${statusText(status)}`);
}

/** Of what it names: 128 bits under 2.25. */
function uidOf({ study, instances }: Notice): string {
  const text = [study, ...instances.map((each) => `${each.instanceUid} ${each.id}`)].join('\n');
  return `2.25.${BigInt(`0x${hexOf(sha256(utf8Bytes(text)).subarray(0, 16))}`)}`;
}

function noticeOf({ study, instances, steps }: Notice, title: string): DataSet {
  const dataSet = new DataSet();
  dataSet.setItems(tags.ReferencedPerformedProcedureStepSequence, steps.map(stepOf));
  dataSet.setString(tags.StudyInstanceUID, study);
  const series = [...Map.groupBy(instances, (each) => each.seriesUid)];
  dataSet.setItems(
    tags.ReferencedSeriesSequence,
    series.map(([seriesUid, some]) => {
      const item = new DataSet();
      item.setString(tags.SeriesInstanceUID, seriesUid);
      item.setItems(
        tags.ReferencedSOPSequence,
        some.map((each) => instanceOf(each, title)),
      );
      return item;
    }),
  );
  return dataSet;
}

function stepOf({ instanceUid }: ProcedureStep): DataSet {
  const item = new DataSet();
  item.setString(tags.ReferencedSOPClassUID, performedStep);
  item.setString(tags.ReferencedSOPInstanceUID, instanceUid);
  item.setItems(tags.PerformedWorkitemCodeSequence, []);
  return item;
}

function instanceOf({ classUid, instanceUid }: NoticeInstance, title: string): DataSet {
  const item = new DataSet();
  item.setString(tags.ReferencedSOPClassUID, classUid);
  item.setString(tags.ReferencedSOPInstanceUID, instanceUid);
  item.setString(tags.InstanceAvailability, 'ONLINE');
  item.setString(tags.RetrieveAETitle, title);
  return item;
}
