// In which character set the texts of a data set are read on their way in: what somebody said of its device, or what the texts themselves and the device's habit say.
//
// Invariants: deciding waits for nothing and reads nothing: habits and settings are in memory, and a device that is not among them is decided by its texts alone; a data
// set without a byte beyond ASCII costs one look at its texts; the same texts of the same device are decided once for as long
// as little more is known of it. No text stays in memory, only digests.
// Left out on purpose: bytes. They stay as they came, and what leaves is as it was, unless somebody said what the device sends.

import { hexOf, sha256Of, type TenantId, utf8Bytes } from '../base/index.ts';
import { type Catalog, type Device, deviceIdOf } from '../catalog/index.ts';
import {
  type CharacterSet,
  type CharsetHabit,
  type DataSet,
  decideCharset,
  parseCharacterSet,
  type TextSample,
  tags,
} from '../dicom/index.ts';
import type { DecodedEvent, ReadAs } from '../format/index.ts';
import { decodedEvent, settingsTable } from './device-events.ts';
import { deviceOf, textsBeyondAscii } from './device-of.ts';
import { type DeviceSetting, sameTerms, settingOfRow, settles } from './device-settings.ts';

export type ReadTexts = { readonly set: CharacterSet; readonly readAs: ReadAs };
export type Sender = { readonly tenant: TenantId; readonly source: string };

/** Below this, people are asked to look. */
const confidenceMin = 0.9;
const devicesMax = 10_000;
const decidedMax = 2000;

export class TextReading {
  readonly #habits = new Map<string, Map<string, number>>();
  readonly #settings = new Map<string, DeviceSetting>();
  readonly #decided = new Map<string, Pick<ReadAs, 'read' | 'how'>>();

  /** What is known of devices, at a start. */
  load(devices: readonly Device[], settings: readonly DeviceSetting[]): void {
    for (const { id, habits } of devices) {
      for (const { how, read, seriesCount } of habits)
        if (how === 'declared' || how === 'text') this.#count(id, read, seriesCount);
    }
    for (const setting of settings) this.#settings.set(setting.device, setting);
  }

  use(setting: DeviceSetting): void {
    this.#settings.set(setting.device, setting);
    this.#decided.clear();
  }

  setting(device: string): DeviceSetting | undefined {
    return this.#settings.get(device);
  }

  settings(): readonly DeviceSetting[] {
    return [...this.#settings.values()];
  }

  /** A series was read so: what its device sends next is more likely of this set. */
  learn({ tenant, source }: Sender, { maker, model, station, read, how }: ReadAs): void {
    if (how === 'declared' || how === 'text')
      this.#count(deviceIdOf({ tenant, source, maker, model, station }), read.join('\\'), 1);
  }

  #count(device: string, read: string, count: number): void {
    if (this.#habits.size >= devicesMax && !this.#habits.has(device)) return;
    const habit = this.#habits.get(device) ?? new Map<string, number>();
    this.#habits.set(device, habit);
    habit.set(read, (habit.get(read) ?? 0) + count);
  }

  read(header: DataSet, { tenant, source }: Sender): ReadTexts {
    const words = deviceOf(header);
    const declared = header.strings(tags.SpecificCharacterSet);
    const samples = textsBeyondAscii(header);
    const { read, how } =
      samples.length === 0
        ? ({ read: declared, how: 'plain' } as const)
        : this.#decide(deviceIdOf({ tenant, source, ...words }), declared, samples);
    return { set: parseCharacterSet(read), readAs: { ...words, declared, read, how } };
  }

  /** What the overlay is told of a series whose device's character set was said; undefined: nothing. */
  amendmentOf(
    { study, series, readAs }: { readonly study: string; readonly series: string; readonly readAs: ReadAs },
    { tenant, source }: Sender,
  ): DecodedEvent | undefined {
    const { maker, model, station, declared, how } = readAs;
    const setting = this.#settings.get(deviceIdOf({ tenant, source, maker, model, station }));
    if (how !== 'setting' || setting === undefined || sameTerms(setting.terms, declared)) return undefined;
    return decodedEvent(setting, { tenant, study, series, declared });
  }

  #decide(device: string, declared: readonly string[], samples: readonly TextSample[]): Pick<ReadAs, 'read' | 'how'> {
    const setting = this.#settings.get(device);
    if (settles(setting, declared)) return { read: setting.terms, how: 'setting' };
    const habit: CharsetHabit[] = [...(this.#habits.get(device) ?? [])].map(([terms, count]) => ({
      terms: terms === '' ? [] : terms.split('\\'),
      count,
    }));
    // Decided anew when as much again is known of the device.
    const known = Math.floor(Math.log2(1 + habit.reduce((sum, { count }) => sum + count, 0)));
    const asked = utf8Bytes(JSON.stringify([device, declared, known]));
    const name = hexOf(sha256Of([asked, ...samples.map((each) => each.bytes)])).slice(0, 32);
    const before = this.#decided.get(name);
    if (before !== undefined) return before;
    const { probable, confidence, reason } = decideCharset({ declared, samples, habit });
    const how = confidence < confidenceMin ? 'unsure' : reason === 'fits' ? 'declared' : 'text';
    const decided = { read: reason === 'fits' ? declared : probable, how } as const;
    if (this.#decided.size >= decidedMax) this.#decided.clear();
    this.#decided.set(name, decided);
    return decided;
  }
}

/** With what is known of devices. */
export async function readTexts(catalog: Catalog): Promise<TextReading> {
  const texts = new TextReading();
  const settings = await catalog.site.table(settingsTable, settingOfRow).list();
  texts.load(
    await catalog.devices.list(),
    settings.map((each) => each.row),
  );
  return texts;
}
