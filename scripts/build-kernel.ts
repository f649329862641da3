/*
 * Builds the kernels in WebAssembly, each from the C beside it: src/codec/kernel/pixel.wasm, src/codec/kernel/tree.wasm, and those of
 * src/dicom/pixels/kernel. Only who changes one needs this: the built files are committed.
 *
 *   node scripts/build-kernel.ts [PART]     rebuilds in place, all or those with PART in their path
 *   node scripts/build-kernel.ts --check    builds aside and compares: exit code 1 where the bytes differ
 *
 * Each needs the clang and lld named beside it, with the wasm32 target. The same version of clang gives the same bytes, wherever the checkout lies; another
 * one may differ in bytes, not in meaning.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

/** As Debian 12 has them: `apt-get install` of the packages. */
export type Compiler = {
  readonly command: string;
  readonly linker: string;
  readonly version: string;
  readonly packages: string;
};
const clang14: Compiler = { command: 'clang', linker: 'wasm-ld', version: '14.0.6', packages: 'clang lld' };
/** The first that knows relaxed SIMD in its final form, and the last (19 was tried) that takes vectors in an asm statement. */
const clang16: Compiler = { command: 'clang-16', linker: 'wasm-ld-16', version: '16.0.6', packages: 'clang-16 lld-16' };

export type Kernel = {
  readonly file: string;
  readonly compiler: Compiler;
  readonly flags: readonly string[];
  readonly sources: readonly string[];
};

const root = path.resolve(import.meta.dirname, '..');
const codecFolder = 'src/codec/kernel';
const dicomFolder = 'src/dicom/pixels/kernel';

/** Numbers of a broken stream may overflow: they wrap, as the machine does it, and nothing is concluded from their not doing so. */
const dicom = { compiler: clang14, flags: ['-fwrapv'] };

export const kernels: readonly Kernel[] = [
  {
    file: `${codecFolder}/pixel.wasm`,
    compiler: clang16,
    flags: ['-mrelaxed-simd'],
    sources: [
      'best-decode.c',
      'best-encode.c',
      'best-decode-1.c',
      'pack.c',
      'fast-decode-1.c',
      'samples.c',
      'memory.c',
    ],
  },
  {
    file: `${codecFolder}/tree.wasm`,
    compiler: clang14,
    flags: [],
    sources: ['tree.c'],
  },
  {
    ...dicom,
    file: `${dicomFolder}/jpeg.wasm`,
    sources: [
      'jpeg-huffman.c',
      'jpeg-scan.c',
      'jpeg-planes.c',
      'jpeg-lossless.c',
      'jpeg-tables.c',
      'jpeg-encode.c',
      'jpeg-lossless-encode.c',
      'memory.c',
    ],
  },
  {
    ...dicom,
    file: `${dicomFolder}/jls.wasm`,
    sources: ['jls.c', 'jls-decode.c', 'jls-encode.c', 'memory.c'],
  },
  {
    ...dicom,
    file: `${dicomFolder}/j2k.wasm`,
    sources: [
      'j2k-header.c',
      'j2k-tile.c',
      'j2k-packets.c',
      'j2k-mq.c',
      'j2k-block.c',
      'j2k-block-decode.c',
      'j2k-block-encode.c',
      'j2k-ht-codes.c',
      'j2k-ht-tables.c',
      'j2k-ht-decode.c',
      'j2k-ht-encode.c',
      'j2k-wavelet.c',
      'j2k-decode.c',
      'j2k-encode.c',
      'memory.c',
    ],
  },
];

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

/** The version found, or undefined where there is none that links for wasm32. */
export function findCompiler({ command, linker }: Compiler): string | undefined {
  const { status, stdout } = spawnSync(command, ['--version'], { encoding: 'utf8' });
  if (status !== 0 || spawnSync(linker, ['--version']).status !== 0) return undefined;
  return /clang version (\d+\.\d+\.\d+)/.exec(stdout)?.[1];
}

function buildKernel({ file, compiler, flags: own, sources }: Kernel, out: string): void {
  const { status, stderr, error } = spawnSync(compiler.command, [...flags, ...own, '-o', out, ...sources], {
    cwd: path.join(root, path.dirname(file)),
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`clang failed: ${error?.message ?? stderr}`);
}

/** Whether a build made now equals the committed file, byte for byte. */
export function kernelIsCurrent(kernel: Kernel): boolean {
  const aside = mkdtempSync(path.join(tmpdir(), 'stele-kernel-'));
  try {
    const built = path.join(aside, 'kernel.wasm');
    buildKernel(kernel, built);
    return readFileSync(built).equals(readFileSync(path.join(root, kernel.file)));
  } finally {
    rmSync(aside, { recursive: true });
  }
}

function main(): number {
  const { values, positionals } = parseArgs({
    options: { check: { type: 'boolean', default: false } },
    allowPositionals: true,
  });
  let isCurrent = true;
  for (const kernel of kernels.filter(({ file }) => positionals.every((part) => file.includes(part)))) {
    const found = findCompiler(kernel.compiler);
    if (found === undefined) {
      const { command, packages } = kernel.compiler;
      console.error(`${kernel.file} needs ${command} with the wasm32 target (Debian: apt-get install ${packages})`);
      return 1;
    }
    if (values.check) {
      const current = kernelIsCurrent(kernel);
      isCurrent &&= current;
      console.log(`clang ${found}: ${kernel.file} ${current ? 'is' : 'is not'} what its sources give`);
      continue;
    }
    const file = path.join(root, kernel.file);
    buildKernel(kernel, `${file}.new`);
    renameSync(`${file}.new`, file);
    console.log(`clang ${found}: built ${kernel.file}`);
  }
  return isCurrent ? 0 : 1;
}

if (import.meta.main) process.exitCode = main();
