// archive: the facade that every door calls. `Archive` has `objects`, `instances`, `studies`, `entities`, `accounts`, `keys`, and what is told of the
// whole.
//
// `objects.put`, `objects.remove`, `instances.store`, `entities.*`, `accounts.*`, `keys.*`: durable and visible when they resolve. Puts are safe to repeat (`same`); ranges and reads
// always are. Errors are those of the vault, DATABASE_FAILED, NOT_FOUND and ARGUMENT_INVALID, and name no object.
// `project` is versioned: `projectVersion`.

export { type AlarmLanguage, type AlarmNotice, type AlarmState, alarmLanguages, alarmText } from '../policy/index.ts';
export type { LogIn, LogInOutcome, SiteWrite } from './accounts.ts';
export { Accounts } from './accounts.ts';
export { type AlarmTarget, type TargetForm, targetForms } from './alarm-rows.ts';
export { type AlarmDelivery, Alarms } from './alarms.ts';
export type { Amended, AmendedValue, Amending } from './amendments.ts';
export { Amendments } from './amendments.ts';
export type { Admission, ApplicationEntity, Refusal, RefusalReason } from './application-entities.ts';
export { ApplicationEntities, plainEntity } from './application-entities.ts';
export type { PassedOver } from './applier.ts';
export { Applier } from './applier.ts';
export type {
  ArchiveParts,
  ArchiveStatus,
  DiskNote,
  Health,
  SettleReport,
  SignReport,
  StartNotes,
  SweepReport,
  Whereabouts,
} from './archive.ts';
export { Audit } from './audit.ts';
export type { AuditEvent, ChainEnd, ChainedEvent } from './audit-event.ts';
export type { AuditFilter } from './audit-index.ts';
export { AuditIndex } from './audit-index.ts';
export { AuditLog } from './audit-log.ts';
export type { AuditProblem, AuditVerdict } from './audit-verify.ts';
export type { CallCounts } from './call-meter.ts';
export { CallMeter, durationClasses } from './call-meter.ts';
export type { Commitment, CommitmentItem, JudgedItem, Verdict } from './commitments.ts';
export { Commitments, commitmentItemsMax } from './commitments.ts';
export { describeSettled } from './describe-settled.ts';
export type { DeviceShown, SeriesRepair } from './devices.ts';
export { Devices } from './devices.ts';
export type { Forward, ForwardKind, Holding } from './forward-rows.ts';
export type { ForwardRule } from './forward-rules.ts';
export { hoursOf, quietSecondsDefault } from './forward-rules.ts';
export type { ForwardPlan, Standing } from './forwarding.ts';
export { Forwarding } from './forwarding.ts';
export { runsOfFrames } from './frame-runs.ts';
export type { ArchiveGate, GuardedArchive as Archive } from './guard.ts';
export { guardArchive, WholeArchive } from './guard.ts';
export { guardRows } from './guard-rows.ts';
export { bulkPath, withBulkAt } from './header-text.ts';
export { isDecodable } from './instance-decode.ts';
export { isEncodable } from './instance-encode.ts';
export type { InstanceOutput } from './instance-output.ts';
export { syntaxFor } from './instance-output.ts';
export type { HideInstances, StoredInstance, StoreInstance } from './instances.ts';
export { Instances } from './instances.ts';
export type { ExportFacts, KeyStatus, MayShred } from './key-keeper.ts';
export { KeyKeeper, writeKeyring } from './key-keeper.ts';
export type { ObjectName, PutOptions, PutResult, ReadRange } from './objects.ts';
export { checkName, ingestHints, keyBytesMax, Objects } from './objects.ts';
export type { Outgoing, OutgoingBytes, SentInstance } from './outgoing.ts';
export { imageShapeOf, shownFactsOf } from './picture-facts.ts';
export type { Prefetched, PrefetchOrder } from './prefetch.ts';
export { Prefetch } from './prefetch.ts';
export type { Principal } from './principal.ts';
export { background, ofEntity, operator, visitor } from './principal.ts';
export type { Completeness, JudgedStep, PerformedSeries, ProcedureStep, StepState } from './procedure-steps.ts';
export { ProcedureSteps, stepSeriesMax, stepStates } from './procedure-steps.ts';
export type { Fact } from './project.ts';
export { familyOf, project, projectVersion, readBundle } from './project.ts';
export { QualityCases } from './quality-cases.ts';
export { qualityKinds, qualityKindText } from './quality-kinds.ts';
export type { Query, QueryKey } from './query.ts';
export type { Answer } from './query-answers.ts';
export type { Discrepancy, DiscrepancyKind, ReconciliationSummary } from './reconciliation.ts';
export { discrepancyKinds, Reconciliation } from './reconciliation.ts';
export type { Action, EntityRight, Role } from './rights.ts';
export {
  actionNames,
  actions,
  entityRights,
  mayDo,
  otherRoles,
  rightsOfRole,
  rightsPage,
  roles,
  userRoles,
} from './rights.ts';
export type { RisColumn, RisStudy } from './ris-list.ts';
export { RisListReader, risColumnNames } from './ris-list.ts';
export { absoluteMs, idleMs } from './sessions.ts';
export type { FindOptions } from './studies.ts';
export { Studies } from './studies.ts';
export type { NoteName } from './tables.ts';
export { archiveMigrations, archiveTables, auditTable, readNote, writeNote } from './tables.ts';
export { readTexts } from './text-reading.ts';
export { checkUser } from './users.ts';
export type { WhenKnown } from './when-known.ts';
