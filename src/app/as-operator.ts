// The archive as commands have it: on behalf of the operator, who is whoever owns the data folder.
//
// Invariant: a command reaches the archive through the operator's guarded form, so that what it does is told to the audit like anybody else's.

import os from 'node:os';
import { operator } from '../archive/index.ts';
import type { Running } from './running.ts';

export function asOperator(running: Running): Running {
  return { ...running, archive: running.archive.as(operator(accountName())) };
}

/** The account of the operating system; its number where it has no name. */
function accountName(): string {
  try {
    return os.userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}
