// What people said of devices: the character set in which one sends, whatever its data sets declare.
//
// Invariant: a row that is not understood is refused and never guessed. Taking a setting back is a setting, too: to read texts by themselves again.

import type { JsonObject, JsonValue } from '../catalog/index.ts';
import { parseCharacterSet } from '../dicom/index.ts';

export type DeviceSetting = {
  readonly device: string;
  /** Values of (0008,0005); empty: what the texts say. */
  readonly terms: readonly string[];
  /** Only data sets that declare these; undefined: all. */
  readonly declared: readonly string[] | undefined;
  readonly who: string;
  readonly why: string;
  readonly atMs: number;
  /** What came before it was read anew. */
  readonly done: boolean;
};

export function rowOfSetting({ declared, ...rest }: DeviceSetting): JsonObject {
  return declared === undefined ? rest : { ...rest, declared };
}

export function settingOfRow(row: JsonObject): DeviceSetting | undefined {
  const { device, who, why, atMs, done } = row;
  const terms = textsOf(row['terms']);
  if (typeof device !== 'string' || typeof who !== 'string' || typeof why !== 'string') return undefined;
  if (typeof atMs !== 'number' || terms === undefined) return undefined;
  return { device, terms, declared: textsOf(row['declared']), who, why, atMs, done: done === true };
}

function textsOf(value: JsonValue | undefined): string[] | undefined {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : undefined;
}

/** Whether a setting says anything of data sets that declare these values. */
export function settles(setting: DeviceSetting | undefined, declared: readonly string[]): setting is DeviceSetting {
  if (setting === undefined || setting.terms.length === 0) return false;
  return setting.declared === undefined || sameTerms(setting.declared, declared);
}

export function sameTerms(one: readonly string[], other: readonly string[]): boolean {
  return parseCharacterSet(one).terms.join('\\') === parseCharacterSet(other).terms.join('\\');
}
