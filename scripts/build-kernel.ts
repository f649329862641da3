/*
 * Builds the pixel kernel, src/codec/kernel/pixel.wasm, from the C beside it. Only who changes the kernel needs this: the built file is committed.
 *
 *   node scripts/build-kernel.ts            rebuilds in place
 *   node scripts/build-kernel.ts --check    builds aside and compares: exit code 1 where the bytes differ
 *
 * Needs clang and lld with the wasm32 target (Debian: apt-get install clang lld). The same version of clang gives the same bytes, wherever
 * the checkout lies; the committed file was built by the version named in `clangVersion`, and another one may differ in bytes, not in meaning.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

export const clangVersion = '14.0.6';

const folder = path.resolve(import.meta.dirname, '../src/codec/kernel');
const sources = ['best-decode.c', 'best-encode.c', 'fast.c', 'samples.c', 'memory.c'];
const flags = [
  '--target=wasm32',
  '-std=c11',
  '-O3',
  '-msimd128',
  '-mbulk-memory',
  '-mnontrapping-fptoint',
  '-nostdlib',
  '-ffreestanding',
  '-fno-builtin-memset',
  '-fno-builtin-memcpy',
  '-Wall',
  '-Wextra',
  '-Wno-unused-function',
  '-Wl,--no-entry',
  '-Wl,--strip-all',
  '-Wl,--export=__heap_base',
  '-Wl,-z,stack-size=65536',
];

/** The version of the clang found, or undefined where there is none that links for wasm32. */
export function findClang(): string | undefined {
  const { status, stdout } = spawnSync('clang', ['--version'], { encoding: 'utf8' });
  if (status !== 0 || spawnSync('wasm-ld', ['--version']).status !== 0) return undefined;
  return /clang version (\d+\.\d+\.\d+)/.exec(stdout)?.[1];
}

export function buildKernel(out: string): void {
  const { status, stderr, error } = spawnSync('clang', [...flags, '-o', out, ...sources], {
    cwd: folder,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`clang failed: ${error?.message ?? stderr}`);
}

export function kernelPath(): string {
  return path.join(folder, 'pixel.wasm');
}

/** Whether a build made now equals the committed file, byte for byte. */
export function kernelIsCurrent(): boolean {
  const aside = mkdtempSync(path.join(tmpdir(), 'stele-kernel-'));
  try {
    const built = path.join(aside, 'pixel.wasm');
    buildKernel(built);
    return readFileSync(built).equals(readFileSync(kernelPath()));
  } finally {
    rmSync(aside, { recursive: true });
  }
}

function main(): number {
  const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
  const found = findClang();
  if (found === undefined) {
    console.error('clang and lld with the wasm32 target are needed (Debian: apt-get install clang lld)');
    return 1;
  }
  if (values.check) {
    const current = kernelIsCurrent();
    console.log(`clang ${found}: pixel.wasm ${current ? 'is' : 'is not'} what its sources give`);
    return current ? 0 : 1;
  }
  const built = `${kernelPath()}.new`;
  buildKernel(built);
  renameSync(built, kernelPath());
  console.log(`clang ${found}: built ${path.relative(process.cwd(), kernelPath())}`);
  return 0;
}

if (import.meta.main) process.exitCode = main();
