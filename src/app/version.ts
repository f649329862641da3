// Which version this is, as package.json says.

import fs from 'node:fs';
import path from 'node:path';

/** The folder of the program: holds FORMAT.md, docs and tools that are copied onto disks. */
export const programFolder = path.resolve(import.meta.dirname, '..', '..');

export function version(): string {
  const manifest = JSON.parse(fs.readFileSync(path.join(programFolder, 'package.json'), 'utf8')) as {
    version?: string;
  };
  return manifest.version ?? 'unknown';
}

export function versionText(): string {
  return `stele ${version()} (Node ${process.versions.node}, ${process.platform} ${process.arch})`;
}
