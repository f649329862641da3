// dicomweb: DICOM over HTTP (PS3.18). QIDO-RS, WADO-RS and STOW-RS for whom the archive knows.
//
// `openDicomWeb` gives what a server mounts below a path. What STOW-RS answered as stored is durable.

export type { DicomWebDoor, DicomWebOptions } from './dicomweb-door.ts';
export { openDicomWeb } from './dicomweb-door.ts';
