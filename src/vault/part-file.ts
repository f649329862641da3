// A file that is written beside its name: whole and synced, or gone.
//
// Invariant: when writing fails the file is closed and removed. On a full disk it would otherwise keep the space that is missing, for as long as the
// process lives.

import type { Disk, DiskFile } from '../disk/index.ts';

/** Makes the file anew, lets `fill` write it, and syncs it. What `fill` throws passes through. */
export async function writePart<T>(disk: Disk, part: string, fill: (file: DiskFile) => Promise<T>): Promise<T> {
  await disk.remove(part);
  const file = await disk.open(part, 'create');
  let done = false;
  try {
    const result = await fill(file);
    await file.sync();
    done = true;
    return result;
  } finally {
    await file.close();
    // What cannot be removed now is removed by the next start.
    if (!done) await disk.remove(part).catch(() => undefined);
  }
}
