/* The table of rights: its page in docs/, and every call of the facade as every role. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import {
  type Action,
  actionNames,
  actions,
  CallMeter,
  guardArchive,
  guardRows,
  mayDo,
  operator,
  otherRoles,
  rightsOfRole,
  rightsPage,
  roles,
  userRoles,
  visitor,
  type WholeArchive,
} from '../src/archive/index.ts';
import { isArchiveError, systemClock, tenantId } from '../src/base/index.ts';

const page = path.resolve(import.meta.dirname, '..', 'docs', 'rights.md');

test('the page of rights is what the table says', () => {
  assert.equal(readFileSync(page, 'utf8'), rightsPage());
});

/** An archive of which every call is answered, and every answer told. */
function answering(): { whole: WholeArchive; called: string[] } {
  const called: string[] = [];
  const nouns = Object.entries(guardRows).map(([noun, rows]) => [
    noun,
    Object.fromEntries(Object.keys(rows).map((name) => [name, () => called.push(`${noun}.${name}`)])),
  ]);
  const { whole, ...rest } = Object.fromEntries(nouns) as Record<string, Record<string, () => number>>;
  return { whole: { id: 'a', ...whole, ...rest } as unknown as WholeArchive, called };
}

/** What stands for any argument: one tenant, and names. */
const anything = {
  tenant: tenantId(1),
  group: { tenant: tenantId(1) },
  bucket: 'b',
  key: new Uint8Array(),
  calling: 'CT1',
  [Symbol.iterator]: () => [][Symbol.iterator](),
  forward: {},
};

test('every call of the facade is refused to whom the table does not name, and reaches the archive for whom it does', () => {
  for (const role of [...roles, ...(Object.keys(otherRoles) as (keyof typeof otherRoles)[])]) {
    const { whole, called } = answering();
    const refused: string[] = [];
    const teller = {
      checkRoom: () => undefined,
      note: (_who: unknown, action: Action, _about: unknown, result: string) => {
        if (result === 'ACCESS_DENIED') refused.push(action);
      },
      say: async () => undefined,
    };
    const rights = rightsOfRole(role);
    const guarded = guardArchive(
      whole,
      { ...operator('me'), rights },
      { teller, meter: new CallMeter(), clock: systemClock },
    ) as unknown as Record<string, Record<string, (...args: unknown[]) => unknown>>;
    for (const [noun, rows] of Object.entries(guardRows)) {
      for (const [name, row] of Object.entries(rows as Record<string, Action | { action: Action }>)) {
        const action = typeof row === 'string' ? row : row.action;
        const holder = noun === 'whole' ? guarded : guarded[noun];
        const call = (): unknown =>
          (holder as Record<string, (...args: unknown[]) => unknown>)[name]?.(anything, anything);
        const before = called.length;
        if (mayDo(rights, action)) {
          call();
          assert.equal(called.at(-1), `${noun}.${name}`, `${role} may ${noun}.${name}`);
        } else {
          assert.throws(call, (error) => isArchiveError(error, 'ACCESS_DENIED'), `${role} may not ${noun}.${name}`);
          assert.equal(called.length, before, 'nothing is done for who is refused');
          assert.equal(refused.pop(), action, 'a refusal is told');
        }
      }
    }
  }
});

test('who works in one tenant is refused in another', () => {
  const { whole, called } = answering();
  const teller = { checkRoom: () => undefined, note: () => undefined, say: async () => undefined };
  const narrow = { ...operator('me'), tenants: new Set([tenantId(2)]) };
  const { studies } = guardArchive(whole, narrow, { teller, meter: new CallMeter(), clock: systemClock });
  const question = { tenant: tenantId(1), conditions: [] };
  assert.throws(
    () => studies.studies(question),
    (error) => isArchiveError(error, 'ACCESS_DENIED'),
  );
  assert.equal(called.length, 0);
  studies.studies({ ...question, tenant: tenantId(2) });
  assert.equal(called.length, 1);
});

test('the three administrators share no power over another, and none can touch what was audited', () => {
  const powers = (role: keyof typeof userRoles): Action[] =>
    userRoles[role].actions.filter((action) => !['log.in', 'status.read', 'user.self'].includes(action));
  const changing = (role: keyof typeof userRoles): Action[] =>
    powers(role).filter((action) => actions[action].audit !== 'none');
  for (const [one, other] of [
    ['system', 'security'],
    ['system', 'audit'],
    ['security', 'audit'],
  ] as const)
    assert.deepEqual(
      changing(one).filter((action) => changing(other).includes(action)),
      [],
      `${one} and ${other}`,
    );
  assert.deepEqual(
    actionNames.filter((action) => action.startsWith('audit.')),
    ['audit.read'],
  );
});

test('a visitor may show who they are, and nothing else of what is stored', () => {
  const { rights } = visitor({ door: 'test' });
  assert.deepEqual(
    actionNames.filter((action) => mayDo(rights, action)),
    ['log.in', 'set.up', 'association.open', 'status.read', 'user.self'],
  );
});
