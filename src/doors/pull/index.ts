// pull: everything out of another archive or a tree of files, with a job that can be resumed and a signed report of what arrived.
//
// `runPull`, `runWebPull`, `runFolderPull`: what the returned job counts is durable; safe to repeat, from where the job stands. Errors of the archive and of a source that
// stays away pass through after the job was written. `makeReport` changes nothing.

export { dayOfMs, isDay } from './days.ts';
export type { JobSource, JobStore, PullJob, Tally } from './job.ts';
export { emptyTally, jobOfRow, jobToResume, rowOfJob, sourceName } from './job.ts';
export type { JsonObject } from './json.ts';
export type { LedgerLine } from './ledger.ts';
export { ledgerLines, putPart } from './ledger.ts';
export { readCorrections, readRisList } from './lists.ts';
export type { PaceOptions } from './pace.ts';
export { parseHours, parseRate } from './pace.ts';
export type { FileTree, TreeFile } from './pull-folder.ts';
export { runFolderPull } from './pull-folder.ts';
export type { DayCount, EntityRun, RunParts, WebRun } from './pull-run.ts';
export { runPull, runWebPull } from './pull-run.ts';
export { makeReport, pathDigest } from './report.ts';
export type { SignedReport } from './signed-report.ts';
export {
  isSignatureGood,
  keyFingerprint,
  parseSignedReport,
  publicKeyOf,
  reportText,
  signReport,
} from './signed-report.ts';
export { sourceUrl } from './web-client.ts';
