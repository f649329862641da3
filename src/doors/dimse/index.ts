// dimse: the DICOM door. C-ECHO, C-STORE, C-FIND, C-MOVE and C-GET for whom the archive admits.
//
// `openDimse` resolves when it listens; `close` when what was being answered is, within its limit.

export type { DimseDoor, DimseOptions } from './dimse-door.ts';
export { openDimse } from './dimse-door.ts';
