// disk: the only code that opens files, and its fault-injecting twin. The door is Disk and DiskFile (disk.ts says what
// each call promises).

export type { Disk, DiskFile, DiskLock, DiskSpace, FileFacts, OpenMode, UncachedRead } from './disk.ts';
export { filesOpenMaxDefault, readSizeBytesMax } from './disk.ts';
export type { RealDiskOptions } from './real-disk.ts';
export { openRealDisk, RealDisk } from './real-disk.ts';
export type { CrashRunOptions, CrashScenario } from './sim-crash-runs.ts';
export { crashAtEveryStep } from './sim-crash-runs.ts';
export type { SimDiskOptions, SimRebootOptions } from './sim-disk.ts';
export { SimDisk } from './sim-disk.ts';
export type { SimSurvival } from './sim-inode.ts';
export type { SimFault, SimFaultKind, SimStep, SimStepKind } from './sim-steps.ts';
export { SimCrash } from './sim-steps.ts';
