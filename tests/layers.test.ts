/*
 * The rooms of the house and the arrows between them (ARCHITECTURE.md tells why). To add an arrow, agree first, then
 * change this table; a test that fails here means that code went where it does not belong.
 *
 * A room imports only rooms above it in this table, and only through their `index.ts`; inside a room one imports the
 * file, never the room's own `index.ts`. There are no cycles between files, types included.
 *   only     narrows what is above to these rooms
 *   never    everything above but these
 *   node     which of the guarded Node modules (below) the room may use; everything else of Node is free
 *   pure     no Node module at all
 *   files    what single files may use beyond that, with the reason beside it
 * Tests beside the code may use anything of their own room, `tests/support`, any Node module, and the rooms above.
 */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { type ArrowRules, findArrowProblems, type SourceFiles } from './support/arrows.ts';

const rules: ArrowRules = {
  rooms: [
    { name: 'base', only: [] },
    { name: 'format', only: ['base'], pure: true },
    { name: 'codec', node: ['fs', 'worker_threads'] }, // fs: reads its own .wasm at load
    { name: 'keys' },
    // A kernel lock that dies with its holder: Node has no flock, SQLite does. It is no database there.
    { name: 'disk', node: ['fs'], files: { 'src/disk/lock.ts': ['sqlite'] } },
    { name: 'sql', node: ['sqlite', 'worker_threads'] }, // a whole database is checked beside the main thread
    { name: 'media', node: ['net', 'child_process'] },
    { name: 'vault' },
    { name: 'catalog', never: ['vault'] },
    { name: 'policy', pure: true },
    { name: 'flow' },
    // fs: the pixel kernels' own .wasm, at load; worker_threads: decoding, encoding and rendering beside the main thread.
    { name: 'dicom', only: ['base', 'codec'], node: ['net', 'fs', 'worker_threads'] },
    { name: 'archive' },
    { name: 'doors/*', only: ['base', 'dicom', 'archive'], node: ['net'] }, // never one another
    { name: 'app', node: ['fs', 'net', 'child_process'] },
  ],
  guarded: {
    fs: ['fs', 'fs/promises'],
    net: ['net', 'tls', 'http', 'https', 'http2', 'dgram', 'dns', 'dns/promises'],
    child_process: ['child_process', 'cluster'],
    worker_threads: ['worker_threads'],
    sqlite: ['sqlite'],
  },
  // A package that only one room may see, and then in one file. Any other package: one file of one room.
  packages: { kysely: 'sql', pg: 'sql', yaml: 'app' },
  // The query language itself is many files of one room, so one-file does not fit it.
  packagesOfWholeRoom: ['kysely'],
};

const root = path.resolve(import.meta.dirname, '..');

function readSources(): SourceFiles {
  const files = globSync('src/**/*.{ts,mts,js,mjs}', { cwd: root }).map((file) => file.split(path.sep).join('/'));
  return Object.fromEntries(files.map((file) => [file, readFileSync(path.join(root, file), 'utf8')]));
}

function readDependencies(): string[] {
  const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
    dependencies?: Record<string, string>;
  };
  return Object.keys(manifest.dependencies ?? {});
}

test('every import of src follows the arrows', () => {
  const problems = findArrowProblems(rules, readSources(), readDependencies());
  assert.ok(problems.length === 0, `\n${problems.join('\n')}`);
});

/** Checks a small made-up house; `expected` is part of the one problem, or undefined when all is well. */
function check(files: SourceFiles, expected: string | undefined): void {
  const rooms = Object.fromEntries(rules.rooms.map(({ name }) => [`src/${name.replace('*', 'x')}/index.ts`, '']));
  const problems = findArrowProblems(rules, { ...rooms, ...files }, ['pg', 'kysely', 'fastify']);
  if (expected === undefined) {
    assert.deepEqual(problems, []);
    return;
  }
  assert.equal(problems.length, 1, `one problem expected, found:\n${problems.join('\n')}`);
  assert.ok(problems[0]?.includes(expected) ?? false, problems[0] ?? '');
}

test('allowed arrows are allowed', () => {
  check({ 'src/vault/a.ts': "import { x } from '../disk/index.ts';" }, undefined);
  check({ 'src/vault/a.ts': "import { b } from './b.ts';", 'src/vault/b.ts': '' }, undefined);
  check({ 'src/vault/a/b.ts': "import { c } from '../c.ts';", 'src/vault/c.ts': '' }, undefined);
  check({ 'src/doors/s3/a.ts': "import { a } from '../../archive/index.ts';" }, undefined);
  check({ 'src/app/a.ts': "import { s } from '../doors/x/index.ts';" }, undefined);
  check({ 'src/disk/a.ts': "import fs from 'node:fs';" }, undefined);
  check({ 'src/disk/lock.ts': "import { DatabaseSync } from 'node:sqlite';" }, undefined);
  check({ 'src/sql/a.ts': "import pg from 'pg';" }, undefined);
  check({ 'src/doors/s3/a.ts': "import fastify from 'fastify';" }, undefined);
  check({ 'src/base/a.ts': "import { createHash } from 'node:crypto';" }, undefined);
  check({ 'src/base/a.ts': "// import { x } from '../app/index.ts';\n/* import('../app/index.ts') */" }, undefined);
  check({ 'src/sql/a.ts': "import 'kysely';", 'src/sql/b.ts': "import 'kysely';" }, undefined);
  check({ 'src/keys/a.ts': "import type { F } from 'fastify';", 'src/app/b.ts': "import 'fastify';" }, undefined);
});

test('a test beside the code has a little more freedom', () => {
  check({ 'src/vault/a.test.ts': "import fs from 'node:fs';\nimport fc from 'fast-check';" }, undefined);
  check({ 'src/vault/a.test.ts': "import { x } from '../../tests/support/postgres.ts';" }, undefined);
  check({ 'src/vault/a.test.ts': "import { x } from './index.ts';" }, undefined);
  check({ 'src/vault/a.test.ts': "import { x } from '../catalog/index.ts';" }, 'vault may not import catalog');
  check({ 'src/vault/a.ts': "import { x } from '../../tests/support/postgres.ts';" }, 'leaves src');
});

test('forbidden arrows are reported', () => {
  check({ 'src/base/a.ts': "import { x } from '../format/index.ts';" }, 'base may not import format');
  check({ 'src/vault/a.ts': "import { x } from '../catalog/index.ts';" }, 'vault may not import catalog');
  check({ 'src/catalog/a.ts': "import type { x } from '../vault/index.ts';" }, 'catalog may not import vault');
  check({ 'src/dicom/a.ts': "import { x } from '../disk/index.ts';" }, 'dicom may not import disk');
  check({ 'src/doors/s3/a.ts': "import { x } from '../../vault/index.ts';" }, 'doors/s3 may not import vault');
  check({ 'src/doors/s3/a.ts': "import { x } from '../x/index.ts';" }, 'doors/s3 may not import doors/x');
  check({ 'src/archive/a.ts': "import { x } from '../app/index.ts';" }, 'archive may not import app');
  check({ 'src/vault/a.ts': "const x = await import('../catalog/index.ts');" }, 'vault may not import catalog');
  check({ 'src/vault/a.ts': "export {\n  x,\n  y,\n} from '../catalog/index.ts';" }, 'vault may not import catalog');
  check({ 'src/vault/a.ts': "type T = import('../catalog/index.ts').T;" }, 'vault may not import catalog');
  check({ 'src/vault/a.ts': "new URL('../catalog/w.ts', import.meta.url);" }, 'vault may not import catalog');
});

test('a room is entered by its front door only', () => {
  check({ 'src/vault/a.ts': "import { x } from '../disk/real.ts';", 'src/disk/real.ts': '' }, 'through its index.ts');
  check({ 'src/vault/a.ts': "import { x } from './index.ts';" }, "its own room's index.ts");
  check({ 'src/cellar/a.ts': '' }, 'is in no room');
  check({ 'src/a.ts': '' }, 'is in no room');
  check({ 'src/vault/a.ts': "import { x } from './gone.ts';" }, 'does not exist');
  check({ 'src/vault/a.ts': 'const x = await import(name);' }, 'cannot be read');
  check({ 'src/vault/a.ts': 'const x = createRequire(import.meta.url)(name);' }, 'cannot be read');
  check({ 'src/vault/a.ts': "const r = createRequire(import.meta.url);\nconst x = r('pg');" }, 'cannot be read');
});

test('Node modules and packages stay in their rooms', () => {
  check({ 'src/vault/a.ts': "import fs from 'node:fs/promises';" }, 'vault may not use node:fs/promises');
  check({ 'src/format/a.ts': "import { createHash } from 'node:crypto';" }, 'format is pure');
  check({ 'src/media/a.ts': "import { Worker } from 'node:worker_threads';" }, 'may not use node:worker_threads');
  check({ 'src/catalog/a.ts': "import { DatabaseSync } from 'node:sqlite';" }, 'may not use node:sqlite');
  check({ 'src/disk/a.ts': "import { DatabaseSync } from 'node:sqlite';" }, 'may not use node:sqlite');
  check({ 'src/vault/a.ts': "import fs from 'fs';" }, 'write node:fs');
  check({ 'src/catalog/a.ts': "import { sql } from 'kysely';" }, 'kysely belongs to sql');
  check({ 'src/catalog/a.ts': "const k = createRequire(import.meta.url)('kysely');" }, 'kysely belongs to sql');
  check({ 'src/catalog/a.ts': "import type { Kysely } from 'kysely';" }, 'kysely belongs to sql');
  check({ 'src/app/a.ts': "import 'fastify';", 'src/app/b.ts': "import 'fastify';" }, 'fastify is imported by 2 files');
  check({ 'src/app/a.ts': "import fc from 'fast-check';" }, 'fast-check is not among the dependencies');
});

test('a cycle is reported, also one of types', () => {
  const a = { 'src/vault/a.ts': "import type { b } from './b.ts';" };
  const b = { 'src/vault/b.ts': "import { c } from './c.ts';" };
  const c = { 'src/vault/c.ts': "import { a } from './a.ts';" };
  check({ ...a, ...b, ...c }, 'cycle: src/vault/a.ts -> src/vault/b.ts -> src/vault/c.ts -> src/vault/a.ts');
});
