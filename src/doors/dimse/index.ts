// dimse: the DICOM door. C-ECHO, C-STORE, C-FIND, C-MOVE, C-GET and storage commitment for whom the archive admits; sending for whoever asks.
//
// `openDimse` resolves when it listens; `close` when what was being answered is, within its limit.

export type { DimseDoor, DimseOptions } from './dimse-door.ts';
export { openDimse } from './dimse-door.ts';
export type { Sending } from './send-instances.ts';
export { sendToEntity } from './send-instances.ts';
