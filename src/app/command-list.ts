// Every command there is, in the order of the help.

import type { Command } from './command.ts';
import {
  alarmList,
  alarmTake,
  alarmTargetList,
  alarmTargetRemove,
  alarmTargetSet,
  alarmTest,
} from './commands/alarms.ts';
import { amendmentCommands } from './commands/amendments.ts';
import { auditExport, auditList, auditVerify } from './commands/audit.ts';
import { deviceCommands } from './commands/devices.ts';
import { aeList, aeRefused, aeRemove, aeSet } from './commands/entities.ts';
import {
  forwardDrop,
  forwardLedger,
  forwardList,
  forwardQueue,
  forwardRemove,
  forwardRetry,
  forwardSet,
  forwardUpdate,
} from './commands/forwarding.ts';
import { get } from './commands/get.ts';
import { configCheck, diskAdd, diskList, diskRetire, version } from './commands/house.ts';
import { keysExport, keysImport, keysShred, keysStatus } from './commands/keys.ts';
import { ls, rm, where } from './commands/ls.ts';
import { echo, find, send } from './commands/peers.ts';
import { tokenCreate, tokenList, tokenRevoke, userAdd, userList, userPassword, userSet } from './commands/people.ts';
import { prefetch, prefetchList, prefetchRemove, prefetchSet } from './commands/prefetch.ts';
import { pull, pullFolder, pullStatus, pullStop, pullWeb } from './commands/pull.ts';
import { pullReport, pullVerify } from './commands/pull-report.ts';
import { put } from './commands/put.ts';
import { qualityCommands } from './commands/quality.ts';
import { reconcile } from './commands/reconcile.ts';
import { rebuild, repair, settle, status, verify } from './commands/status.ts';
import { steps } from './commands/steps.ts';
import { serveCommand } from './serve.ts';

export const commands: readonly Command[] = [
  serveCommand(() => commands),
  put,
  get,
  ls,
  rm,
  where,
  status,
  verify,
  repair,
  settle,
  rebuild,
  diskList,
  diskAdd,
  diskRetire,
  alarmList,
  alarmTake,
  alarmTest,
  alarmTargetSet,
  alarmTargetList,
  alarmTargetRemove,
  keysExport,
  keysImport,
  keysStatus,
  keysShred,
  userAdd,
  userPassword,
  userSet,
  userList,
  tokenCreate,
  tokenList,
  tokenRevoke,
  auditList,
  auditVerify,
  auditExport,
  echo,
  find,
  send,
  pull,
  pullWeb,
  pullFolder,
  pullStatus,
  pullStop,
  pullReport,
  pullVerify,
  aeList,
  aeSet,
  aeRemove,
  aeRefused,
  forwardSet,
  forwardList,
  forwardRemove,
  forwardQueue,
  forwardLedger,
  forwardUpdate,
  forwardRetry,
  forwardDrop,
  prefetch,
  prefetchSet,
  prefetchList,
  prefetchRemove,
  steps,
  ...amendmentCommands,
  ...qualityCommands,
  ...deviceCommands,
  reconcile,
  configCheck,
  version,
];
