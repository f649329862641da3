// The configuration file: YAML, each error with its line.
//
// Invariants: a key that is not a setting, a value of the wrong kind, and a key that is there twice are errors; the first one is reported as
// `file:line: sentence`; paths in the file are relative to its folder.

import fs from 'node:fs';
import path from 'node:path';
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLMap } from 'yaml';
import { ArchiveError } from '../base/index.ts';
import {
  type DiskSetting,
  type Settings,
  type SettingValues,
  settingSpecs,
  settingsOf,
  settingsOfEnvironment,
  settingValue,
} from './settings.ts';

export const settingsFileName = 'stele.yaml';
const fileSizeBytesMax = 1024 * 1024;

export type LoadedSettings = { readonly settings: Settings; readonly file: string | undefined };

export type SettingsSource = {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** --config; without it `stele.yaml` in the working folder, when there is one. */
  readonly file?: string | undefined;
  /** --data, which wins over everything. */
  readonly data?: string | undefined;
};

/** Reads, checks and joins all settings. CONFIG_INVALID, FILE_MISSING. */
export function loadSettings(source: SettingsSource): LoadedSettings {
  const file = path.resolve(source.cwd, source.file ?? settingsFileName);
  const text = readText(file, source.file !== undefined);
  const parts: SettingValues[] = [];
  if (text !== undefined) parts.push(settingsOfText(text, file));
  parts.push(settingsOfEnvironment(source.env, source.cwd));
  if (source.data !== undefined) parts.push({ data: path.resolve(source.cwd, source.data) });
  return { settings: settingsOf(parts, source.cwd), file: text === undefined ? undefined : file };
}

function readText(file: string, needed: boolean): string | undefined {
  try {
    if (fs.statSync(file).size > fileSizeBytesMax)
      throw new ArchiveError('CONFIG_INVALID', `${file} is larger than 1 MiB`);
    return fs.readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof ArchiveError) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' && !needed) return undefined;
    throw new ArchiveError('FILE_MISSING', `the configuration ${file} cannot be read (${code ?? 'unknown'})`, {
      cause: error,
    });
  }
}

export function settingsOfText(text: string, file: string): SettingValues {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, prettyErrors: false });
  const lineAt = (offset: number | undefined): number => (offset === undefined ? 1 : lines.linePos(offset).line);
  const fail = (offset: number | undefined, says: string): ArchiveError =>
    new ArchiveError('CONFIG_INVALID', `${file}:${lineAt(offset)}: ${says}`);
  const [broken] = document.errors;
  if (broken !== undefined) throw fail(broken.pos[0], sentenceOf(broken));
  const root = document.contents;
  if (root === null) return {};
  if (!isMap(root)) throw fail(root.range?.[0], 'the configuration is a list of "name: value" lines');
  const values: Record<string, unknown> = {};
  for (const pair of root.items) {
    const { name, offset } = keyOf(pair.key);
    const spec = settingSpecs.find((each) => each.name === name);
    if (spec === undefined) throw fail(offset, `"${name}" is no setting`);
    const node = pair.value as Node | null;
    const at = node?.range?.[0] ?? offset;
    try {
      values[spec.field] =
        spec.value.kind === 'disks'
          ? disksOf(node, path.dirname(file), fail)
          : settingValue(spec, plainOf(node), path.dirname(file));
    } catch (error) {
      // One that names its line already passes through.
      if (error instanceof ArchiveError && !error.message.startsWith(`${file}:`)) throw fail(at, error.message);
      throw error;
    }
  }
  return values as SettingValues;
}

/** What the parser says, where it speaks to who wrote the file and not to who called it. */
function sentenceOf({ code, message }: { readonly code: string; readonly message: string }): string {
  if (code === 'MULTIPLE_DOCS') return 'a second document begins here, and the configuration is one';
  if (code === 'RESOURCE_EXHAUSTION' || message.includes('call stack')) return 'it is nested too deeply';
  return (message.split('\n')[0] ?? 'not YAML').replace(/\.$/, '');
}

function keyOf(key: unknown): { name: string; offset: number | undefined } {
  return isScalar(key)
    ? { name: String(key.value), offset: key.range?.[0] }
    : { name: 'a complex key', offset: undefined };
}

function plainOf(node: Node | null): unknown {
  if (isSeq(node)) return node.items.map((item) => plainOf(item as Node));
  return isScalar(node) ? node.value : undefined;
}

type Fail = (offset: number | undefined, says: string) => ArchiveError;

function disksOf(node: Node | null, folder: string, fail: Fail): DiskSetting[] {
  if (!isSeq(node) || node.items.length === 0) throw fail(node?.range?.[0], 'disks must be a list of {path, label}');
  const disks: DiskSetting[] = [];
  for (const item of node.items) {
    const at = (item as Node).range?.[0];
    if (!isMap(item)) throw fail(at, 'a disk is {path, label}');
    const disk = diskOf(item, folder, fail);
    if (disks.some((each) => each.path === disk.path)) throw fail(at, 'this disk is listed twice');
    if (disks.some((each) => each.label === disk.label)) throw fail(at, `two disks are labelled "${disk.label}"`);
    disks.push(disk);
  }
  return disks;
}

function diskOf(map: YAMLMap, folder: string, fail: Fail): DiskSetting {
  let diskPath: string | undefined;
  let label: string | undefined;
  for (const pair of map.items) {
    const { name, offset } = keyOf(pair.key);
    const value = plainOf(pair.value as Node | null);
    if (name !== 'path' && name !== 'label') throw fail(offset, `"${name}" is no property of a disk`);
    if (typeof value !== 'string' || value === '') throw fail(offset, `${name} must be text`);
    if (name === 'path') diskPath = path.resolve(folder, value);
    else label = value;
  }
  if (diskPath === undefined) throw fail(map.range?.[0], 'a disk has a path');
  return { path: diskPath, label: label ?? path.basename(diskPath) };
}
