// Principals: on whose behalf the facade is called, with what rights, from where.
//
// Invariants: a principal is made here alone, so no door can write one down that has rights nobody gave it; `operator` is for the command line, which only the
// owner of the data folder can reach; a principal never changes, a new log-in makes another one.
// Left out on purpose: how somebody shows who they are (accounts.ts, application-entities.ts).

import { defaultTenant, type TenantId } from '../base/index.ts';
import { type Action, type EntityRight, type Rights, rightsOfRole } from './rights.ts';

declare const made: unique symbol;

export type PrincipalKind = 'user' | 'token' | 'entity' | 'operator' | 'task' | 'visitor';

export type Principal = {
  readonly kind: PrincipalKind;
  /** Of a user and of a token the user's name, of an application entity its title. */
  readonly name: string;
  /** The name of the token. */
  readonly token: string | undefined;
  readonly rights: Rights;
  /** undefined: any. */
  readonly tenants: ReadonlySet<TenantId> | undefined;
  /** Where it works when it names none. */
  readonly tenant: TenantId;
  readonly address: string | undefined;
  readonly door: string;
  readonly [made]: true;
};

type Fields = Omit<Principal, typeof made>;

function principal(fields: Fields): Principal {
  return Object.freeze(fields) as Principal;
}

/** As events tell it: kind, name, and a token's own name. */
export function whoOf({ kind, name, token }: Principal): string {
  return token === undefined ? `${kind}:${name}` : `${kind}:${name}/${token}`;
}

export type Whence = { readonly door: string; readonly address?: string | undefined };

/** Somebody who has not shown who they are. */
export function visitor({ door, address }: Whence): Principal {
  const tenants: ReadonlySet<TenantId> = new Set();
  return principal({
    kind: 'visitor',
    name: '',
    token: undefined,
    rights: rightsOfRole('visitor'),
    tenants,
    tenant: defaultTenant,
    address,
    door,
  });
}

/** Work of our own in the background. */
export function background(task: string): Principal {
  return principal({
    kind: 'task',
    name: task,
    token: undefined,
    rights: rightsOfRole('task'),
    tenants: undefined,
    tenant: defaultTenant,
    address: undefined,
    door: 'task',
  });
}

/** The command line on the machine. `name`: the account of the operating system. */
export function operator(name: string): Principal {
  return principal({
    kind: 'operator',
    name,
    token: undefined,
    rights: rightsOfRole('operator'),
    tenants: undefined,
    tenant: defaultTenant,
    address: undefined,
    door: 'command',
  });
}

const entityActions = {
  echo: [],
  store: ['study.store'],
  find: ['study.find'],
  // A retrieval searches, reads, and looks up where to send.
  retrieve: ['study.find', 'study.read', 'study.send', 'entity.read'],
  commit: ['commitment.ask'],
  report: ['step.report'],
} as const satisfies Record<EntityRight, readonly Action[]>;

/** An application entity that was admitted. */
export function ofEntity(
  entity: { readonly title: string; readonly may: readonly EntityRight[] },
  { tenant, address }: { readonly tenant: TenantId; readonly address: string },
): Principal {
  const granted = new Set(entity.may.flatMap((right): readonly Action[] => entityActions[right]));
  return principal({
    kind: 'entity',
    name: entity.title,
    token: undefined,
    rights: granted.intersection(rightsOfRole('entity')),
    tenants: new Set([tenant]),
    tenant,
    address,
    door: 'dimse',
  });
}

/** For accounts alone: somebody who has shown who they are. */
export function ofAccount(
  fields: Omit<Fields, 'kind' | keyof Whence> & Whence & { readonly kind: 'user' | 'token' },
): Principal {
  return principal({ ...fields, address: fields.address });
}
