// codec: plain bytes <-> packed bytes <-> body, and the workers that do it beside the main thread. Knows no disk and no catalog, and of
// the tree of keys how to walk down it.

export { releaseBytes } from './buffers.ts';
export type { CipherKeys, CipherNumber, OpenInput, SealInput } from './cipher.ts';
export {
  checkedCipher,
  cipherKeys,
  cipherNumber,
  isCipherNumber,
  noCipherKeys,
  nonceSizeBytes,
  openBody,
  sealPacked,
  tagSizeBytes,
} from './cipher.ts';
export type { CodecFields, CodecHint, CodecNumber, Packed } from './codec.ts';
export { codecNumber, decodePacked, encodePlain, isCodecNumber } from './codec.ts';
export type { KeyWalks, Walk } from './key-walk.ts';
export { childKey, keyBelow, keySizeBytes, keysOfWalks, noWalks, walkBytes, writeWalk } from './key-walk.ts';
export type { OpenedMany, OpenManyJob } from './open-many.ts';
export { openMany, withoutKey } from './open-many.ts';
export type { PixelShape } from './pixel-shape.ts';
export type { PoolOptions } from './pool.ts';
export { CodecPool, inlineBytesMax, poolQueueBytesMax, poolQueueJobsMax } from './pool.ts';
export type { MakeJob, OpenJob, RecordBytes, RecordFields, RecordRoom } from './record-job.ts';
export { makeRecord, makeRecordInto, openRecord, spanBytesMax } from './record-job.ts';
export type { Place, SharedSizes } from './shared-memory.ts';
export { SharedMemory, sharedBytes, sharedSlotBytes } from './shared-memory.ts';
export type { Effort } from './zstd.ts';
