// flow: carries plans out, one bounded unit at a time; resumes after a crash from what catalog and register say.
//
// `Settler.step`: one round; safe to repeat. CLOSED when it was told to stop, PACK_CORRUPT and RECORD_CORRUPT when what was written does not come
// back; nothing is released then.

export { FlowNotes } from './flow-notes.ts';
export type { Describe, HeaderText } from './move-parts.ts';
export type { Released } from './release-packs.ts';
export { textPieceBytes } from './settle-series.ts';
export type { SettlerParts, Step } from './settler.ts';
export { Settler } from './settler.ts';
export type { SweepParts, Swept } from './sweep-released.ts';
export { sweepReleased } from './sweep-released.ts';
export { flowMigrations, flowTables } from './tables.ts';
export type { ThrottleOptions } from './throttle.ts';
export { Throttle } from './throttle.ts';
