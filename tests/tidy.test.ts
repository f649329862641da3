/*
 * The rules of this repository that a machine can check. Each rule is a pure function from files to sentences, and
 * beside each stands what it must catch. Limits tighten only: new code may not cross one.
 *
 * Reads every file that git tracks or would track. Leaves out on purpose: what the compiler, the linter and the
 * formatter already refuse, and the arrows between folders (tests/layers.test.ts).
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

type TextFile = { name: string; text: string };
type Rule = (files: TextFile[], has: (path: string) => boolean) => string[];

const root = path.resolve(import.meta.dirname, '..');
const self = 'tests/tidy.test.ts';

const sourceLinesMax = 600;
const bannedFileNames = /(^|-)(utils?|helpers?|common|managers?|misc|types)\.[a-z.]+$/;
const topFolders = ['src', 'tests', 'docs', 'scripts', 'bin', 'tools', 'bench', 'testdata', 'changelog', 'web', '.ci'];

function isTypeScript(name: string): boolean {
  return /\.m?ts$/.test(name);
}

function lineOf(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}

/** One sentence for each match of a pattern in the files that the filter takes. */
function forbid(pattern: RegExp, takes: (name: string) => boolean, what: string): Rule {
  return (files) =>
    files
      .filter(({ name }) => takes(name) && name !== self)
      .flatMap(({ name, text }) =>
        [...text.matchAll(pattern)].map((match) => `${name}:${lineOf(text, match.index)}: ${what}`),
      );
}

const inSource = (name: string): boolean => name.startsWith('src/') && isTypeScript(name);
const inTests = (name: string): boolean => name.endsWith('.test.ts');
const anywhere = (name: string): boolean => name !== 'package-lock.json';

const fileNames: Rule = (files) =>
  files.flatMap(({ name }) => {
    const base = path.posix.basename(name);
    const problems: string[] = [];
    const code = /\.(m?[jt]s|tsx|py|sh|css|sql)$/.test(base) && !name.startsWith('testdata/');
    if (code && !/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+)+$/.test(base) && !/^[a-z0-9]+(_[a-z0-9]+)*\.py$/.test(base)) {
      problems.push(`${name}: a file name is kebab-case`);
    }
    if (code && bannedFileNames.test(base)) problems.push(`${name}: name the file after what it owns`);
    return problems;
  });

const opening: Rule = (files) =>
  files
    .filter(({ name }) => inSource(name) && !inTests(name))
    .filter(({ text }) => !/^(\/\*|\/\/)/.test(text) || text.slice(0, text.search(/\*\/|\n\s*\n/)).length < 30)
    .map(({ name }) => `${name}: open with a comment that says what the file owns, keeps and leaves out`);

const length: Rule = (files) =>
  files
    .filter(({ name, text }) => inSource(name) && text.split('\n').length > sourceLinesMax + 1)
    .map(({ name, text }) => `${name}: ${text.split('\n').length - 1} lines, at most ${sourceLinesMax}`);

const mentionedPaths: Rule = (files, has) =>
  files
    .filter(({ name }) => name.endsWith('.md'))
    .flatMap(({ name, text }) => {
      const prose = text.replace(/^```[\s\S]*?^```/gm, '');
      const spans = [...prose.matchAll(/`([^`\n]+)`/g)].flatMap(([, span = '']) => span.split(/\s+/));
      const paths = spans
        .map((span) => span.replace(/^\.\//, '').replace(/[,;:.)]+$/, ''))
        .filter((span) => topFolders.some((folder) => span.startsWith(`${folder}/`)))
        .filter((span) => !/[*<>{}$|…]|\.\.\./.test(span));
      const links = [...prose.matchAll(/\]\(([^)\s#:]+)(?:#[^)]*)?\)/g)].map(([, link = '']) =>
        path.posix.join(path.posix.dirname(name), link),
      );
      return [...new Set([...paths, ...links])]
        .filter((mentioned) => !has(mentioned.replace(/\/$/, '')))
        .map((mentioned) => `${name}: mentions ${mentioned}, which does not exist`);
    });

const mentionedScripts: Rule = (files) => {
  const manifest = files.find(({ name }) => name === 'package.json')?.text ?? '{}';
  const scripts = Object.keys((JSON.parse(manifest) as { scripts?: Record<string, string> }).scripts ?? {});
  return files
    .filter(({ name }) => name.endsWith('.md'))
    .flatMap(({ name, text }) =>
      [...text.matchAll(/`npm run ([\w:-]+)/g)]
        .filter(([, script = '']) => !scripts.includes(script))
        .map(([, script = '']) => `${name}: mentions npm run ${script}, which does not exist`),
    );
};

const dependencies: Rule = (files) => {
  const manifest = JSON.parse(files.find(({ name }) => name === 'package.json')?.text ?? '{}') as Record<
    string,
    Record<string, string> | undefined
  >;
  const page = files.find(({ name }) => name === 'docs/dependencies.md')?.text ?? '';
  const sections = ['dependencies', 'devDependencies', 'optionalDependencies'];
  const all = sections.flatMap((section) => Object.entries(manifest[section] ?? {}));
  return [
    ...all
      .filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
      .map(([name, version]) => `package.json: ${name} is ${version}, not an exact version`),
    ...all
      .filter(([name]) => !page.includes(`\`${name}\``))
      .map(([name]) => `docs/dependencies.md: has no line for ${name}`),
  ];
};

const lockFile: Rule = (files) => {
  const lock = files.find(({ name }) => name === 'package-lock.json')?.text ?? '';
  return lock.includes('"resolved"')
    ? ['package-lock.json: names where packages came from; run npm install again']
    : [];
};

const rules: Record<string, Rule> = {
  'files are kebab-case and named after what they own': fileNames,
  'every source file opens by saying what it owns': opening,
  'source files stay short': length,
  'exports are named one by one': forbid(/^export \*/gm, isTypeScript, 'name each export'),
  'there is no enum': forbid(/^\s*(export |declare |const )*enum\s/gm, isTypeScript, 'use a union'),
  'constructors declare no fields': forbid(
    /constructor\((?:[^)]*,)?\s*(public|private|protected|readonly)\s/g,
    isTypeScript,
    'declare the field in the class',
  ),
  'nothing is left for later in a comment': forbid(
    /\b(TODO|FIXME|XXX|HACK)\b/g,
    anywhere,
    'do it now or write it down',
  ),
  'no path of one machine is written down': forbid(
    /(?<![\w.$}~*\]-])\/(work|tmp|home|root|Users)\/\w/g,
    (name) => anywhere(name) && !name.startsWith('testdata/'),
    'a path of one machine',
  ),
  'no package registry is named': forbid(
    /:\/\/[^\s/"']*(registry|npmjs|npmmirror)[^\s/"']*|^\s*(@[\w-]+:)?registry\s*=/gm,
    () => true,
    'names a package registry',
  ),
  'the lock file names no registry': lockFile,
  'test names state behaviour': forbid(
    /\b(test|it|describe)\(\s*['"`][^'"`]*(#\d+|\bissue\b|\bGH-\d+)/gi,
    inTests,
    'an issue number is no behaviour',
  ),
  'tests do not sleep': forbid(
    /setTimeout\(\s*(r|res|resolve|done)\b|\bsleep\(|timers\/promises/g,
    inTests,
    'move the clock or wait for the event',
  ),
  'paths mentioned in documents exist': mentionedPaths,
  'scripts mentioned in documents exist': mentionedScripts,
  'packages are exact and explained': dependencies,
};

function listFiles(): string[] {
  const output = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  return [...new Set(output.split('\0'))].filter((name) => name !== '' && existsSync(path.join(root, name)));
}

function readTexts(names: string[]): TextFile[] {
  const textBytesMax = 4 * 1024 * 1024;
  return names
    .filter((name) => statSync(path.join(root, name)).size <= textBytesMax)
    .map((name) => ({ name, text: readFileSync(path.join(root, name), 'latin1') }))
    .filter(({ text }) => !text.includes('\0'))
    .map(({ name, text }) => ({ name, text: Buffer.from(text, 'latin1').toString('utf8') }));
}

const files = readTexts(listFiles());

for (const [name, rule] of Object.entries(rules)) {
  test(name, () => {
    const problems = rule(files, (mentioned) => existsSync(path.join(root, mentioned)));
    assert.ok(problems.length === 0, `\n${problems.join('\n')}`);
  });
}

test('launchers can be run as they are', () => {
  for (const name of ['bin/stele', '.ci/run']) {
    assert.ok((statSync(path.join(root, name)).mode & 0o111) !== 0, `${name} is not executable`);
  }
});

/** What a rule says about one made-up file; `expected` is part of its one sentence, or undefined when all is well. */
function check(rule: string, name: string, text: string, expected: string | undefined): void {
  const run = rules[rule];
  assert.ok(run !== undefined, `no rule called ${rule}`);
  const problems = run([{ name, text }], (mentioned) => mentioned === 'src/base');
  if (expected === undefined) assert.deepEqual(problems, []);
  else
    assert.ok(problems.length === 1 && problems[0]?.includes(expected) === true, problems.join('\n') || 'not caught');
}

test('the rules catch what they are for', () => {
  check('files are kebab-case and named after what they own', 'src/vault/PackWriter.ts', '', 'kebab-case');
  check('files are kebab-case and named after what they own', 'src/vault/pack-helpers.ts', '', 'what it owns');
  check('files are kebab-case and named after what they own', 'src/vault/types.ts', '', 'what it owns');
  check('files are kebab-case and named after what they own', 'src/vault/pack-writer.test.ts', '', undefined);
  check('every source file opens by saying what it owns', 'src/a/b.ts', 'export const a = 1;', 'open with');
  check('source files stay short', 'src/a/b.ts', 'x\n'.repeat(601), '601 lines');
  check('source files stay short', 'src/a/b.ts', 'x\n'.repeat(600), undefined);
  check('exports are named one by one', 'src/a/b.ts', "export * from './c.ts';", 'name each');
  check('there is no enum', 'src/a/b.ts', 'export const enum Colour { Red }', 'union');
  check('there is no enum', 'src/a/b.ts', '// an enum would do', undefined);
  check('constructors declare no fields', 'src/a/b.ts', 'constructor(private disk: Disk) {}', 'declare the field');
  check('constructors declare no fields', 'src/a/b.ts', 'constructor(parts: readonly Part[]) {}', undefined);
  check('nothing is left for later in a comment', 'src/a/b.ts', '// FIXME: later', ':1:');
  check('no path of one machine is written down', 'docs/a.md', 'see /home/me/x', 'one machine');
  check('no path of one machine is written down', 'docs/a.md', 'see tests/tmp/x', undefined);
  check('no package registry is named', '.npmrc', 'registry=https', 'registry');
  check('no package registry is named', 'docs/a.md', 'https://registry.example.org/x', 'registry');
  check('the lock file names no registry', 'package-lock.json', '"resolved": "x"', 'package-lock.json');
  check('test names state behaviour', 'src/a/b.test.ts', "test('fixes #12', () => {", 'no behaviour');
  check('tests do not sleep', 'src/a/b.test.ts', 'await new Promise((r) => setTimeout(r, 10));', 'clock');
  check('tests do not sleep', 'src/a/b.test.ts', "import { setTimeout } from 'node:timers/promises';", 'clock');
  check('paths mentioned in documents exist', 'README.md', 'Read `src/base/` first.', undefined);
  check('paths mentioned in documents exist', 'README.md', 'Read `src/gone.ts` first.', 'does not exist');
  check('paths mentioned in documents exist', 'docs/a.md', 'Read [this](gone.md).', 'docs/gone.md');
  check('scripts mentioned in documents exist', 'README.md', 'Run `npm run dance`.', 'dance');
  check('packages are exact and explained', 'package.json', '{"dependencies":{}}', undefined);
});

test('a loose or unexplained package is caught', () => {
  const rule = rules['packages are exact and explained'];
  const manifest = { name: 'package.json', text: '{"dependencies":{"pg":"^8.0.0"}}' };
  const problems = rule?.([manifest], () => true) ?? [];
  assert.deepEqual(problems, [
    'package.json: pg is ^8.0.0, not an exact version',
    'docs/dependencies.md: has no line for pg',
  ]);
});
