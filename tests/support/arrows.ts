/*
 * Finds imports that go against the arrows: pure, from a map of file texts to a list of sentences.
 *
 * Imports are found by pattern, not by a parser: the formatter puts every static import at the start of a line, and what
 * a pattern cannot read (a computed import, a require that is not `createRequire(import.meta.url)('name')`) is itself a problem. The table of rooms is with the test.
 */
import { isBuiltin } from 'node:module';
import path from 'node:path';

export type Room = {
  name: string;
  only?: string[];
  never?: string[];
  node?: string[];
  pure?: boolean;
  files?: Record<string, string[]>;
};
export type ArrowRules = {
  rooms: Room[];
  guarded: Record<string, string[]>;
  packages: Record<string, string>;
  packagesOfWholeRoom: string[];
};
/** File name below the root, with forward slashes, to its text. */
export type SourceFiles = Record<string, string>;
export type FoundImport = { target: string; typeOnly: boolean };

const staticImport = /^(?:import|export)\b([\w\s{},*$]*?\bfrom\s*)?\s*'([^'\n]+)'/gm;
const dynamicImport = /\bimport\(\s*'([^'\n]+)'/g;
const urlImport = /\bnew URL\(\s*'(\.[^'\n]+)',\s*import\.meta\.url/g;
const requireImport = /\bcreateRequire\(import\.meta\.url\)\(\s*'([^'\n]+)'\s*\)/g;
const unreadable =
  /\bimport\(\s*[^\s')]|\bcreateRequire\((?!import\.meta\.url\)\(\s*'[^'\n]+'\s*\))|\bgetBuiltinModule\(|\brequire\(/;

/** Every import of a file, and whether some of them could not be read. Comments are not read. */
export function findImports(text: string): { imports: FoundImport[]; unreadable: boolean } {
  const code = text.replace(/^\s*\/\*[\s\S]*?\*\//gm, '').replace(/^\s*\/\/.*$/gm, '');
  const imports: FoundImport[] = [];
  for (const [, clause = '', target = ''] of code.matchAll(staticImport)) {
    imports.push({ target, typeOnly: /^\s*type\b(?!\s*,|\s+from\b)/.test(clause) });
  }
  for (const [, target = ''] of code.matchAll(dynamicImport)) imports.push({ target, typeOnly: false });
  for (const [, target = ''] of code.matchAll(requireImport)) imports.push({ target, typeOnly: false });
  for (const [, target = ''] of code.matchAll(urlImport)) imports.push({ target, typeOnly: false });
  return { imports, unreadable: unreadable.test(code) };
}

/** `src/doors/s3/x.ts` lies in `doors/s3`, which the table calls `doors/*`. */
function roomOf(rules: ArrowRules, file: string): { name: string; rank: number; room: Room } | undefined {
  const [top, first, second, ...rest] = file.split('/');
  if (top !== 'src' || first === undefined || second === undefined) return undefined;
  const grouped = rules.rooms.findIndex(({ name }) => name === `${first}/*`);
  const rank = grouped >= 0 && rest.length > 0 ? grouped : rules.rooms.findIndex(({ name }) => name === first);
  const room = rules.rooms[rank];
  return room === undefined ? undefined : { name: grouped >= 0 ? `${first}/${second}` : first, rank, room };
}

function packageName(target: string): string {
  return target
    .split('/')
    .slice(0, target.startsWith('@') ? 2 : 1)
    .join('/');
}

function mayImport(from: { name: string; rank: number; room: Room }, to: { name: string; rank: number; room: Room }) {
  if (to.rank >= from.rank) return false;
  if (from.room.only !== undefined) return from.room.only.includes(to.room.name);
  return !(from.room.never ?? []).includes(to.room.name);
}

function findCycle(edges: Map<string, string[]>): string[] | undefined {
  const done = new Set<string>();
  const trail: string[] = [];
  const visit = (file: string): string[] | undefined => {
    const index = trail.indexOf(file);
    if (index >= 0) return [...trail.slice(index), file];
    if (done.has(file)) return undefined;
    trail.push(file);
    for (const next of edges.get(file) ?? []) {
      const cycle = visit(next);
      if (cycle !== undefined) return cycle;
    }
    trail.pop();
    done.add(file);
    return undefined;
  };
  for (const file of edges.keys()) {
    const cycle = visit(file);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

/** Every import that breaks a rule, as a sentence that begins with the file. `dependencies` are the runtime packages. */
export function findArrowProblems(rules: ArrowRules, files: SourceFiles, dependencies: string[]): string[] {
  const problems: string[] = [];
  const edges = new Map<string, string[]>();
  const packageUsers = new Map<string, Set<string>>();

  const checkNode = (file: string, room: Room, target: string): void => {
    if (!target.startsWith('node:')) problems.push(`${file}: write node:${target}`);
    const name = target.replace(/^node:/, '');
    if (room.pure) problems.push(`${file}: ${room.name} is pure and may not use node:${name}`);
    const guard = Object.entries(rules.guarded).find(([, modules]) => modules.includes(name))?.[0];
    const granted = [...(room.node ?? []), ...(room.files?.[file] ?? [])];
    if (guard !== undefined && !room.pure && !granted.includes(guard) && target.startsWith('node:')) {
      problems.push(`${file}: ${room.name} may not use node:${name}`);
    }
  };
  const checkPackage = (file: string, room: Room, found: FoundImport): void => {
    const name = packageName(found.target);
    const owner = rules.packages[name];
    if (!dependencies.includes(name)) problems.push(`${file}: ${name} is not among the dependencies of package.json`);
    else if (owner !== undefined && owner !== room.name) problems.push(`${file}: ${name} belongs to ${owner}`);
    else if (!found.typeOnly) packageUsers.set(name, (packageUsers.get(name) ?? new Set()).add(file));
  };

  for (const [file, text] of Object.entries(files)) {
    const from = roomOf(rules, file);
    if (from === undefined) {
      problems.push(`${file}: is in no room of the table`);
      continue;
    }
    const isTest = file.endsWith('.test.ts');
    const found = findImports(text);
    if (found.unreadable && !isTest)
      problems.push(`${file}: an import cannot be read; write its path as a plain string`);
    for (const one of found.imports) {
      if (!one.target.startsWith('.')) {
        if (isTest) continue;
        if (isBuiltin(one.target)) checkNode(file, from.room, one.target);
        else checkPackage(file, from.room, one);
        continue;
      }
      const target = path.posix.join(path.posix.dirname(file), one.target);
      const to = roomOf(rules, target);
      if (to === undefined) {
        if (!(isTest && target.startsWith('tests/support/'))) problems.push(`${file}: ${one.target} leaves src`);
      } else if (to.name !== from.name) {
        if (!mayImport(from, to)) problems.push(`${file}: ${from.name} may not import ${to.name}`);
        else if (target !== `src/${to.name}/index.ts`) problems.push(`${file}: enter ${to.name} through its index.ts`);
        else if (!(target in files)) problems.push(`${file}: ${one.target} does not exist`);
        else if (!isTest) edges.set(file, [...(edges.get(file) ?? []), target]);
      } else if (target === `src/${to.name}/index.ts` && !isTest) {
        problems.push(`${file}: imports its own room's index.ts; import the file`);
      } else if (/\.m?[jt]s$/.test(target)) {
        if (!(target in files)) problems.push(`${file}: ${one.target} does not exist`);
        else if (!isTest) edges.set(file, [...(edges.get(file) ?? []), target]);
      }
    }
  }
  for (const [name, users] of packageUsers) {
    if (users.size > 1 && !rules.packagesOfWholeRoom.includes(name)) {
      problems.push(`${[...users].join(', ')}: ${name} is imported by ${users.size} files; one file owns a package`);
    }
  }
  const cycle = findCycle(edges);
  if (cycle !== undefined) problems.push(`cycle: ${cycle.join(' -> ')}`);
  return problems;
}
