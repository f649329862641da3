// disk: the only code that opens files, and its fault-injecting twin. The door is Disk and DiskFile (disk.ts says what each call promises).

export type { Disk, DiskFile, DiskLock, DiskSpace, FileFacts, OpenMode, UncachedRead } from './disk.ts';
export { filesOpenMaxDefault, readSizeBytesMax } from './disk.ts';
export type { RealDiskOptions } from './real-disk.ts';
export { openRealDisk, RealDisk } from './real-disk.ts';
