// Rights: every action there is, who may do it, and how it is audited. The one table: docs/rights.md is made from it, the facade asks it.
//
// Invariants: an action that is not named for a role is refused; the powers of the three administrators do not meet in one role, but for `admin`, the account of a
// first start, which is there until a site has named the three; nobody, `admin` included, has an action that stops, changes or removes what was audited.
// Left out on purpose: which call of the facade is which action (guard-rows.ts), and rights on single studies.

/**
 * How an action is audited: `each`: one event a call, durable before the caller is answered. `window`: the first call on a study or bucket at once, those that
 * follow counted and told together. `none`: says nothing of what is stored, or is told by another event.
 */
export type AuditKind = 'each' | 'window' | 'none';

type ActionFacts = { readonly says: string; readonly audit: AuditKind };

export const actions = {
  'log.in': { says: 'show who one is', audit: 'window' },
  'set.up': { says: 'make the first user, with the secret of a first start', audit: 'each' },
  'association.open': { says: 'open a DICOM association', audit: 'window' },
  'status.read': { says: 'ask how the archive is', audit: 'none' },
  'study.find': { says: 'search studies, series and instances', audit: 'window' },
  'study.read': { says: 'read what is stored of a study', audit: 'window' },
  'study.store': { says: 'store instances', audit: 'window' },
  'study.hide': { says: 'hide a study, a series or an instance', audit: 'each' },
  'study.change': { says: 'correct, merge and move what is said of studies and patients', audit: 'each' },
  'study.send': { says: 'send studies to another application entity', audit: 'window' },
  'object.find': { says: 'list names of a bucket', audit: 'window' },
  'object.read': { says: 'read an object', audit: 'window' },
  'object.store': { says: 'store an object', audit: 'window' },
  'object.hide': { says: 'put a deletion marker on an object', audit: 'window' },
  'commitment.ask': { says: 'ask for a storage commitment', audit: 'window' },
  'commitment.work': { says: 'judge and answer commitments', audit: 'none' },
  'step.report': { says: 'report a performed procedure step', audit: 'window' },
  'step.read': { says: 'list performed procedure steps', audit: 'none' },
  'entity.read': { says: 'see the table of application entities and who was refused', audit: 'none' },
  'entity.change': { says: 'admit, change and remove application entities', audit: 'each' },
  'forward.read': { says: 'see rules, queue and ledger of forwarding', audit: 'none' },
  'forward.change': { says: 'change rules and queue of forwarding', audit: 'each' },
  'forward.work': { says: 'take from the queue of forwarding and note what was sent', audit: 'none' },
  'alarm.change': { says: 'take alarms up, and say whom they are told', audit: 'each' },
  'alarm.work': { says: 'look for what is wrong, and tell it', audit: 'none' },
  'user.read': { says: 'list users and tokens', audit: 'none' },
  'user.change': { says: 'make, change and disable users, tokens and second factors', audit: 'each' },
  'user.self': { says: "change one's own password and second factor, by showing the password", audit: 'window' },
  'key.read': { says: 'see the state of the keyring', audit: 'none' },
  'key.change': { says: 'export, import and shred keys', audit: 'each' },
  'site.write': { says: 'write rows of site tables', audit: 'none' },
  // Neither waits for a disk that takes new data: both are wanted most when there is none.
  'care.run': { says: 'verify, mend, seal and settle packs', audit: 'window' },
  'audit.read': { says: 'list, verify and export what was audited', audit: 'window' },
} as const satisfies Record<string, ActionFacts>;

export type Action = keyof typeof actions;
export const actionNames = Object.keys(actions) as Action[];

export type Rights = ReadonlySet<Action>;

export function mayDo(rights: Rights, action: Action): boolean {
  return rights.has(action);
}

/** What a row of the table of application entities may grant. */
export const entityRights = ['echo', 'store', 'find', 'retrieve', 'commit', 'report'] as const;
export type EntityRight = (typeof entityRights)[number];

const readContent = ['study.find', 'study.read', 'object.find', 'object.read'] as const;
const everybody = ['log.in', 'status.read', 'user.self'] as const;

type RoleFacts = { readonly says: string; readonly actions: readonly Action[] };

/** Roles that a user or a token may have. */
export const userRoles = {
  admin: {
    says: 'the account of a first start: all but changing what was audited; to be disabled when the three administrators are named',
    actions: actionNames.filter(
      (action) => !['commitment.work', 'forward.work', 'alarm.work', 'site.write'].includes(action),
    ),
  },
  system: {
    says: 'system administrator (系统管理员): disks, packs, forwarding',
    actions: [
      ...everybody,
      'care.run',
      'entity.read',
      'forward.read',
      'forward.change',
      'alarm.change',
      'step.read',
      'key.read',
      'study.send',
    ],
  },
  security: {
    says: 'security administrator (安全管理员): users, tokens, application entities, keys',
    actions: [...everybody, 'user.read', 'user.change', 'entity.read', 'entity.change', 'key.read', 'key.change'],
  },
  audit: { says: 'audit administrator (审计管理员): what was done, by whom', actions: [...everybody, 'audit.read'] },
  doctor: { says: 'doctor (医生): finds and reads', actions: [...everybody, ...readContent] },
  technician: {
    says: 'technician (技师): finds, reads, stores, corrects, sends',
    actions: [
      ...everybody,
      ...readContent,
      'study.store',
      'study.change',
      'study.hide',
      'study.send',
      'object.store',
      'step.read',
      'entity.read',
      'forward.read',
    ],
  },
  reader: { says: 'read-only (只读): finds and reads', actions: [...everybody, ...readContent] },
} as const satisfies Record<string, RoleFacts>;

export type Role = keyof typeof userRoles;
export const roles = Object.keys(userRoles) as Role[];

/** Who is no user. An application entity has of these only what its row of the table says. */
export const otherRoles = {
  operator: { says: 'the command line on the machine, as the owner of the data folder', actions: actionNames },
  entity: {
    says: 'an application entity over DICOM',
    actions: ['study.find', 'study.read', 'study.store', 'study.send', 'commitment.ask', 'step.report', 'entity.read'],
  },
  task: {
    says: 'work in the background: forwarding, answering commitments, telling alarms',
    actions: [
      'status.read',
      'alarm.work',
      'study.find',
      'study.read',
      'study.send',
      'entity.read',
      'commitment.work',
      'forward.read',
      'forward.work',
      'step.read',
    ],
  },
  visitor: {
    says: 'whoever has not shown who they are',
    actions: ['log.in', 'user.self', 'status.read', 'set.up', 'association.open'],
  },
} as const satisfies Record<string, RoleFacts>;

const allRoles: Readonly<Record<string, RoleFacts>> = { ...userRoles, ...otherRoles };

const rightsByRole: ReadonlyMap<string, Rights> = new Map(
  Object.entries(allRoles).map(([role, facts]) => [role, new Set(facts.actions)]),
);
const none: Rights = new Set();

export function rightsOfRole(role: Role | keyof typeof otherRoles): Rights {
  return rightsByRole.get(role) ?? none;
}

/** The table as a page: docs/rights.md. */
export function rightsPage(): string {
  const names = Object.keys(allRoles);
  const lines = [
    '# Who may do what',
    '',
    'Made from `src/archive/rights.ts`; a test compares the two. Rights are checked in the facade (`src/archive/guard.ts`), whatever door a caller came through.',
    '',
    '## Roles',
    '',
    '| role | is |',
    '|---|---|',
    ...names.map((name) => `| ${name} | ${allRoles[name]?.says ?? ''} |`),
    '',
    '## Actions',
    '',
    `| action | is | audited | ${names.join(' | ')} |`,
    `|---|---|---|${names.map(() => ':-:').join('|')}|`,
    ...actionNames.map((action) => {
      const cells = names.map((name) => (allRoles[name]?.actions.includes(action) === true ? 'x' : ''));
      return `| ${action} | ${actions[action].says} | ${actions[action].audit} | ${cells.join(' | ')} |`;
    }),
    '',
    'Audited: *each* call is an event, durable before the caller is answered; within a *window* the first call on a study or bucket is an event at once, and those that follow',
    'are counted and told in another; *none*: it says nothing of what is stored, or another event tells it. A call that is refused is audited always.',
    '',
  ];
  return lines.join('\n');
}
