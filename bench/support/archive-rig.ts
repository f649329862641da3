// A whole archive in a folder of its own, constructed as the program does it, for benches that measure from the facade down.

import { mkdtempSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Running, start } from '../../src/app/running.ts';
import { type SettingValues, settingsOf } from '../../src/app/settings.ts';

export function benchFolder(name: string, argv: readonly string[] = process.argv.slice(2)): string {
  const at = argv.indexOf('--folder');
  return mkdtempSync(join(resolve(at < 0 ? '.' : (argv[at + 1] as string)), `.bench-${name}-`));
}

export function openArchive(
  folder: string,
  values: SettingValues = {},
  rebuild?: { fromMedia: boolean; onPack: (done: number) => void },
): Promise<Running> {
  const settings = settingsOf([{ data: folder, ...values }], folder);
  return start({ settings, create: true, say: () => undefined, ...(rebuild === undefined ? {} : { rebuild }) });
}
