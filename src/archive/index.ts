// archive: the facade that every door calls. `Archive` has `objects`, `instances`, `studies`, `entities`, `accounts`, `keys`, and what is told of the
// whole.
//
// `objects.put`, `objects.remove`, `instances.store`, `entities.*`, `accounts.*`, `keys.*`: durable and visible when they resolve. Puts are safe to repeat (`same`); ranges and reads
// always are. Errors are those of the vault, DATABASE_FAILED, NOT_FOUND and ARGUMENT_INVALID, and name no object.
// `project` is versioned: `projectVersion`.

export { type AlarmLanguage, type AlarmNotice, type AlarmState, alarmLanguages, alarmText } from '../policy/index.ts';
export type { LogInOutcome } from './accounts.ts';
export { Accounts } from './accounts.ts';
export { type AlarmTarget, type TargetForm, targetForms } from './alarm-rows.ts';
export { type AlarmDelivery, Alarms } from './alarms.ts';
export type { Amended } from './amendments.ts';
export { Amendments } from './amendments.ts';
export type { ApplicationEntity } from './application-entities.ts';
export { ApplicationEntities, plainEntity } from './application-entities.ts';
export { Applier } from './applier.ts';
export type { ArchiveStatus, DiskNote, Health, SettleReport, StartNotes, SweepReport } from './archive.ts';
export { Audit } from './audit.ts';
export type { AuditEvent, ChainEnd, ChainedEvent } from './audit-event.ts';
export type { AuditFilter } from './audit-index.ts';
export { AuditIndex } from './audit-index.ts';
export { AuditLog } from './audit-log.ts';
export type { CallCounts } from './call-meter.ts';
export { CallMeter, durationClasses } from './call-meter.ts';
export type { Commitment, JudgedItem } from './commitments.ts';
export { Commitments } from './commitments.ts';
export { describeSettled } from './describe-settled.ts';
export type { DeviceShown } from './devices.ts';
export { Devices } from './devices.ts';
export type { Forward, Holding } from './forward-rows.ts';
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
export { syntaxFor } from './instance-output.ts';
export type { StoredInstance, StoreInstance } from './instances.ts';
export { Instances } from './instances.ts';
export { KeyKeeper, writeKeyring } from './key-keeper.ts';
export type { ObjectName } from './objects.ts';
export { checkName, Objects } from './objects.ts';
export type { Outgoing, OutgoingBytes, SentInstance } from './outgoing.ts';
export { imageShapeOf, shownFactsOf } from './picture-facts.ts';
export { Prefetch } from './prefetch.ts';
export type { Principal } from './principal.ts';
export { background, ofEntity, operator, visitor } from './principal.ts';
export type { JudgedStep, PerformedSeries, ProcedureStep, StepState } from './procedure-steps.ts';
export { ProcedureSteps, stepSeriesMax, stepStates } from './procedure-steps.ts';
export { project, projectVersion, readBundle } from './project.ts';
export { QualityCases } from './quality-cases.ts';
export { qualityKinds, qualityKindText } from './quality-kinds.ts';
export type { Query, QueryKey } from './query.ts';
export type { Answer } from './query-answers.ts';
export type { Discrepancy, DiscrepancyKind, ReconciliationSummary } from './reconciliation.ts';
export { discrepancyKinds, Reconciliation } from './reconciliation.ts';
export type { Action, EntityRight } from './rights.ts';
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
export { Studies } from './studies.ts';
export { archiveMigrations, archiveTables, auditTable, readNote, writeNote } from './tables.ts';
export { readTexts } from './text-reading.ts';
export { checkUser } from './users.ts';
export type { WhenKnown } from './when-known.ts';
