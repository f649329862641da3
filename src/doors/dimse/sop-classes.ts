// The SOP classes that this door serves beside storage, and what each is.

export const verification = '1.2.840.10008.1.1';
export const storageCommitment = '1.2.840.10008.1.20.1';
export const performedStep = '1.2.840.10008.3.1.2.3.3';
/** Told to others, never taken. */
export const instanceAvailability = '1.2.840.10008.5.1.4.33';
export const storageCommitmentInstance = '1.2.840.10008.1.20.1.1';

export type QueryRoot = 'patient' | 'study' | 'patient-study';
export type QueryOperation = 'find' | 'move' | 'get';

const models = '1.2.840.10008.5.1.4.1.2';
const roots: readonly (readonly [string, QueryRoot])[] = [
  ['1', 'patient'],
  ['2', 'study'],
  ['3', 'patient-study'],
];
const operations: readonly (readonly [string, QueryOperation])[] = [
  ['1', 'find'],
  ['2', 'move'],
  ['3', 'get'],
];

const queryClasses: ReadonlyMap<string, { readonly root: QueryRoot; readonly operation: QueryOperation }> = new Map(
  roots.flatMap(([root, name]) =>
    operations.map(([operation, what]) => [`${models}.${root}.${operation}`, { root: name, operation: what }] as const),
  ),
);

/** What a query or retrieve class asks for; undefined: it is none. */
export function queryClass(uid: string): { readonly root: QueryRoot; readonly operation: QueryOperation } | undefined {
  return queryClasses.get(uid);
}

export const servedClasses: ReadonlySet<string> = new Set([
  verification,
  storageCommitment,
  performedStep,
  ...queryClasses.keys(),
]);
