// Every command there is, in the order of the help.

import type { Command } from './command.ts';
import { get } from './commands/get.ts';
import { ls, rm, where } from './commands/ls.ts';
import { put } from './commands/put.ts';

export const commands: readonly Command[] = [put, get, ls, rm, where];
