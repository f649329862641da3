// vault: durability. What it acknowledges is on as many disks as asked and is found again after any crash.
//
// `Vault.stream(name).append`, `contentWriter`, `say`: durable and applied when they resolve; not safe to repeat blindly (a repeat stores
// again); COPIES_TOO_FEW, DISK_*, KEY_SHREDDED, DATABASE_FAILED, CLOSED. `open`, `contents`: safe to repeat; RECORD_LOST, RECORD_UNKNOWN,
// DISK_MISSING, KEY_SHREDDED. `care`: verify, repair, release; safe to repeat.

export type { DurableFact, DurableGroup } from './append-queue.ts';
export type { CopyReport } from './care.ts';
export type { ContentInfo, OpenedRecord } from './content-reader.ts';
export type { LentContents, Stretch, WholeContent } from './content-stretch.ts';
export type { Content, ContentHints, ContentWriter, FactDraft } from './content-writer.ts';
export type { Draft } from './draft.ts';
export type { FoundFact } from './fact-windows.ts';
export type { VaultLimits } from './limits.ts';
export type { KnownLoss } from './losses.ts';
export { countOfRuns, recordRunsText } from './losses.ts';
export type { ReadRecord } from './pack-copy.ts';
export {
  identityPath,
  keyringPath,
  markPath,
  openFolder,
  sealedPath,
} from './paths.ts';
export type { FoundRecord } from './record-reader.ts';
export type { RecoveryLoss, RecoveryReport } from './recovery.ts';
export type { CounterName, PackFacts, Placement, PlacementKind, Run } from './register.ts';
export type { Pace, RepairReport } from './repair.ts';
export type { StoreDisk } from './store-disk.ts';
export { archiveOfPacks, enrolDisk, joinDisk, readIdentity, writeIdentity } from './store-disk.ts';
export { vaultMigrations, vaultTables } from './tables.ts';
export type { StorageClass, VaultEvent, VaultOptions } from './vault.ts';
export { Vault } from './vault.ts';
export type { Problem, ProblemKind } from './verify-pack.ts';
