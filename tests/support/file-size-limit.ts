// A limit of the kernel on how long files of this process may grow: a write that begins behind it fails, on any real disk, without a special device.
//
// The error (EFBIG) comes from the very call that writes, also from one that is its own sync. The limit holds for every file of the process until it is
// taken away, so it lies above all that is not meant to fail.

import { execFileSync } from 'node:child_process';

/** `undefined`: none. Whether it could be set; it cannot where the program prlimit is absent, or where the system has no such limit. */
export function limitFileSize(sizeBytes: number | undefined): boolean {
  try {
    const soft = sizeBytes === undefined ? 'unlimited' : String(sizeBytes);
    execFileSync('prlimit', ['--pid', String(process.pid), `--fsize=${soft}:`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
