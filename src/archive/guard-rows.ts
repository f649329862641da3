// Which call of the facade is which action, in whose tenant, on what. Complete by type: a noun or a call without a row does not compile.
//
// Whoever adds a call adds its row here: the action it is (rights.ts), and what it is done to.
//
// Invariant: where a call names a tenant, its row says so, and the guard compares; where only the answer tells, the answer is compared before it is given.
// Left out on purpose: who may do an action (rights.ts).

import type { TenantId } from '../base/index.ts';
import type { Archive } from './archive.ts';
import type { About } from './audit-event.ts';
import { whoOf } from './principal.ts';
import type { Action } from './rights.ts';

type Method = (...args: never[]) => unknown;
type MethodNames<Noun> = { [K in keyof Noun]: Noun[K] extends Method ? K : never }[keyof Noun];
type Told<Call extends Method> = Awaited<ReturnType<Call>>;

export type Row<Call extends Method> =
  | Action
  | {
      readonly action: Action;
      /** Before the call. */
      readonly about?: (...args: Parameters<Call>) => About;
      /** After it, where only the answer tells. */
      readonly found?: (told: Told<Call>) => About;
    };

type RowsOf<Noun> = { readonly [M in MethodNames<Noun>]: Row<Extract<Noun[M], Method>> };

/** Nouns of the facade: members that have calls of their own. */
export type NounName = {
  [K in keyof Archive]: Archive[K] extends Method | string ? never : K;
}[keyof Archive];

type AllRows = { readonly [N in NounName]: RowsOf<Archive[N]> } & {
  readonly whole: Omit<RowsOf<Archive>, 'as' | 'demand'>;
};

const inTenant = ({ tenant }: { readonly tenant: TenantId }): About => ({ tenant });
const ofStudy = ({ tenant, study }: { readonly tenant: TenantId; readonly study: string }): About => ({
  tenant,
  study,
});
const inBucket = ({ tenant, bucket }: { readonly tenant: TenantId; readonly bucket: string }): About => ({
  tenant,
  subject: bucket,
});

/** An object's row: of an instance the study, of anything else the bucket. */
function ofObject({
  group,
  bucket,
  key,
}: {
  readonly group: { readonly tenant: TenantId };
  readonly bucket: string;
  readonly key: Uint8Array;
}): About {
  if (bucket !== 'dicom') return { tenant: group.tenant, subject: bucket };
  const end = key.indexOf(0x2f);
  return { tenant: group.tenant, study: Buffer.from(key.subarray(0, Math.max(0, end))).toString('latin1') };
}

/** What a search found knows its study; what is only named by its id does not. */
function ofInstance(instance: { readonly id: string; readonly studyUid?: string }): About {
  return instance.studyUid === undefined ? { subject: instance.id } : { study: instance.studyUid };
}

function refusedWithout(told: unknown): About {
  return told === undefined ? { result: 'refused' } : {};
}

export const guardRows: AllRows = {
  whole: {
    where: { action: 'object.find', about: ofObject },
    verify: 'care.run',
    verifySince: 'care.run',
    repair: 'care.run',
    settle: 'care.run',
    sealOpen: 'care.run',
    diskLabel: 'status.read',
    status: 'status.read',
  },
  objects: {
    put: { action: 'object.store', about: inBucket },
    remove: { action: 'object.hide', about: inBucket },
    find: { action: 'object.find', about: inBucket },
    read: { action: 'object.read', about: ofObject },
    list: { action: 'object.find', about: inBucket },
    versions: { action: 'object.find', about: inBucket },
  },
  instances: {
    store: { action: 'study.store', about: inTenant, found: ({ studyUid }) => ({ study: studyUid }) },
    hide: { action: 'study.hide', about: ofStudy },
    object: { action: 'study.find', found: ({ group }) => ({ tenant: group.tenant }) },
    read: { action: 'study.read', about: ofObject },
    output: { action: 'study.read', about: ofInstance },
    outgoing: { action: 'study.read', about: ([first]) => (first === undefined ? {} : ofInstance(first)) },
    storedHeader: { action: 'study.change', about: ofInstance },
    header: { action: 'study.read', about: ofInstance },
    thumbnail: { action: 'study.read', about: ofInstance },
    headerToSearch: { action: 'study.find', about: ofInstance },
    headerTexts: { action: 'study.read', about: ([first]) => (first === undefined ? {} : ofInstance(first)) },
  },
  studies: {
    answers: { action: 'study.find', about: inTenant },
    patients: { action: 'study.find', about: inTenant },
    studies: { action: 'study.find', about: inTenant },
    series: { action: 'study.find', about: inTenant },
    instances: { action: 'study.find', about: inTenant },
  },
  entities: {
    list: 'entity.read',
    get: 'entity.read',
    set: { action: 'entity.change', about: ({ title }) => ({ subject: title }) },
    remove: { action: 'entity.change', about: (title) => ({ subject: title }) },
    setOwn: { action: 'entity.change', about: (title) => ({ subject: title }) },
    admit: {
      action: 'association.open',
      about: ({ calling }) => ({ subject: calling.trim() }),
      found: (admission) => (admission.kind === 'refused' ? { result: admission.reason } : {}),
    },
    refusals: 'entity.read',
  },
  commitments: {
    ask: { action: 'commitment.ask', about: inTenant },
    due: 'commitment.work',
    judge: 'commitment.work',
    done: 'commitment.work',
    later: 'commitment.work',
  },
  forwarding: {
    rules: 'forward.read',
    setRule: { action: 'forward.change', about: ({ name }) => ({ subject: name }) },
    removeRule: { action: 'forward.change', about: (name) => ({ subject: name }) },
    note: 'forward.work',
    due: 'forward.work',
    pause: 'forward.work',
    waitForNews: 'forward.work',
    plan: 'forward.work',
    sent: {
      action: 'study.send',
      about: ({ forward }) => ({ tenant: forward.tenant, study: forward.study, subject: forward.to }),
    },
    queue: 'forward.read',
    ledger: 'forward.read',
    retry: 'forward.change',
    ask: { action: 'study.send', about: ({ tenant, study, to }) => ({ tenant, study, subject: to }) },
    standings: 'forward.read',
    sendOlder: 'forward.change',
    amended: 'forward.work',
    drop: { action: 'forward.change', about: (to) => ({ subject: to }) },
  },
  prefetch: {
    rules: 'forward.read',
    setRule: { action: 'forward.change', about: ({ name }) => ({ subject: name }) },
    removeRule: { action: 'forward.change', about: (name) => ({ subject: name }) },
    plan: { action: 'study.find', about: inTenant },
    ask: { action: 'study.send', about: ({ tenant, to }) => ({ tenant, subject: to }) },
  },
  steps: {
    create: { action: 'step.report', about: inTenant },
    change: { action: 'step.report', about: inTenant },
    list: 'step.read',
    ofStudy: { action: 'step.read', about: (tenant, study) => ({ tenant, study }) },
    open: 'step.read',
    judge: { action: 'step.read', about: inTenant },
    completeness: { action: 'step.read', about: (tenant, study) => ({ tenant, study }) },
  },
  alarms: {
    list: 'status.read',
    take: { action: 'alarm.change', about: (cause, subject) => ({ subject: `${cause}/${subject}` }) },
    // Their URLs may hold passwords.
    targets: 'alarm.change',
    setTarget: { action: 'alarm.change', about: ({ name }) => ({ subject: name }) },
    removeTarget: { action: 'alarm.change', about: (name) => ({ subject: name }) },
    test: { action: 'alarm.change', about: (name) => ({ subject: name }) },
    arrived: 'alarm.work',
    look: 'alarm.work',
    due: 'alarm.work',
    delivered: 'alarm.work',
    failed: 'alarm.work',
  },
  reconciliation: {
    compare: { action: 'study.find', about: (_list, { tenant }) => ({ tenant }) },
  },
  devices: {
    list: 'entity.read',
    find: 'entity.read',
    setCharset: { action: 'study.change', about: (id) => ({ subject: id }), found: ({ tenant }) => ({ tenant }) },
    repair: { action: 'study.change', about: (id) => ({ subject: id }) },
    repairNext: 'care.run',
  },
  quality: {
    list: { action: 'study.find', about: ({ tenant }) => ({ tenant }) },
    show: { action: 'study.find', found: (told) => ({ tenant: told.case.tenant, study: told.case.studyUid }) },
    ofInstance: { action: 'study.find', about: (tenant) => ({ tenant }) },
    decide: { action: 'study.change', found: ({ tenant, studyUid }) => ({ tenant, study: studyUid }) },
    waiting: 'care.run',
    compareNext: 'care.run',
    compareAll: 'care.run',
  },
  amendments: {
    merge: { action: 'study.change', about: inTenant },
    unmerge: { action: 'study.change', about: inTenant },
    move: { action: 'study.change', about: ofStudy },
    correctStudy: { action: 'study.change', about: ofStudy },
    correctPatient: { action: 'study.change', about: inTenant },
    decode: { action: 'study.change', about: ofStudy },
    withdraw: { action: 'study.change', about: ({ tenant, id }) => ({ tenant, subject: id }) },
    historyOfStudy: { action: 'study.find', about: (tenant, study) => ({ tenant, study }) },
    historyOfPatient: { action: 'study.find', about: (tenant) => ({ tenant }) },
    patients: { action: 'study.find', about: (tenant) => ({ tenant }) },
    patientsWithId: { action: 'study.find', about: (tenant) => ({ tenant }) },
    noteOriginals: { action: 'study.change', about: ofStudy },
  },
  accounts: {
    write: 'site.write',
    hasUsers: 'status.read',
    users: 'user.read',
    // With the secret of a first start, which the door has compared.
    setUp: { action: 'set.up', about: ({ name }) => ({ subject: name }) },
    setUser: { action: 'user.change', about: ({ name }) => ({ subject: name }) },
    createToken: { action: 'user.change', about: ({ user, name }) => ({ subject: `${user}/${name}` }) },
    tokens: 'user.read',
    revokeToken: { action: 'user.change', about: (name) => ({ subject: name }) },
    changeUser: { action: 'user.change', about: ({ name }) => ({ subject: name }) },
    removeFactor: { action: 'user.change', about: (name) => ({ subject: name }) },
    logIn: {
      action: 'log.in',
      about: ({ name }) => ({ subject: name }),
      found: ({ kind }) => (kind === 'in' ? {} : { result: kind }),
    },
    logOut: 'log.in',
    ofSession: 'status.read',
    // Who does these shows the password with it.
    changePassword: {
      action: 'user.self',
      about: ({ name }) => ({ subject: name }),
      found: (told) => (told === 'done' ? {} : { result: told }),
    },
    beginFactor: { action: 'user.self', about: ({ name }) => ({ subject: name }), found: refusedWithout },
    confirmFactor: { action: 'user.self', about: ({ name }) => ({ subject: name }), found: refusedWithout },
    callerOf: {
      action: 'log.in',
      found: (caller) => (caller === undefined ? { result: 'ACCESS_DENIED' } : { subject: whoOf(caller) }),
    },
  },
  audit: { list: 'audit.read', verify: 'audit.read' },
  keys: {
    makeExport: 'key.change',
    takeExport: 'key.change',
    shred: { action: 'key.change', about: ({ tenant, year, group }) => ({ subject: `${tenant}-${year}-${group}` }) },
    finish: 'key.change',
    renew: 'care.run',
    status: 'key.read',
  },
};
