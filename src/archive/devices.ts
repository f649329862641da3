// Devices: which there are, in which character sets their texts are, and what people said of that, for what comes and for what came before.
//
// Invariants: a setting is durable before it is used; what came before is read anew series by series, resumes after a restart and changes nothing when it is done again;
// every reading is an event in the study's group, so that a rebuild keeps it, and what leaves is read so by the overlay; taking a setting back undoes both. Bytes are never changed.
// Left out on purpose: deciding (text-reading.ts), and what is done to a header that leaves (correct-header.ts).

import { ArchiveError, type Clock, type KeyGroup, toArchiveError } from '../base/index.ts';
import type { Catalog, Device, FoundInstance, SeriesRead, SeriesReadCursor, SiteTable } from '../catalog/index.ts';
import { parseCharacterSet } from '../dicom/index.ts';
import { encodeEvent, type FactEvent, type ReadAs, recordKind } from '../format/index.ts';
import type { Vault } from '../vault/index.ts';
import type { Accounts } from './accounts.ts';
import { type Description, describeInstance } from './describe-instance.ts';
import { decodedEvent, settingsTable, systemOf, withdrawalIdOf } from './device-events.ts';
import { type DeviceSetting, rowOfSetting, sameTerms, settingOfRow, settles } from './device-settings.ts';
import type { Instances } from './instances.ts';
import { KeyTurns } from './key-turns.ts';
import type { TextReading } from './text-reading.ts';

export type DeviceShown = Device & { readonly setting: DeviceSetting | undefined };

export type DeviceWish = {
  /** Values of (0008,0005); none: to read texts by themselves again. */
  readonly terms: readonly string[];
  readonly declared: readonly string[] | undefined;
  readonly who: string;
  readonly why: string;
};

type DeviceOf = { readonly device: string; readonly source: string };

export type SeriesRepair = { readonly outcome: 'changed' | 'unchanged' | 'failed'; readonly code: string | undefined };

const pageRows = 100;
const textCharsMax = 1024;

export class Devices {
  readonly #vault: Vault;
  readonly #catalog: Catalog;
  readonly #accounts: Accounts;
  readonly #instances: Instances;
  readonly #texts: TextReading;
  readonly #clock: Clock;
  readonly #table: SiteTable<DeviceSetting>;
  readonly #turns = new KeyTurns();
  /** Devices that are gone through in the background, and those that are done with until the next start or setting. */
  readonly #working = new Map<string, AsyncGenerator<SeriesRepair>>();
  readonly #leftAlone = new Set<string>();

  constructor(parts: {
    vault: Vault;
    catalog: Catalog;
    accounts: Accounts;
    instances: Instances;
    texts: TextReading;
    clock: Clock;
  }) {
    this.#vault = parts.vault;
    this.#catalog = parts.catalog;
    this.#accounts = parts.accounts;
    this.#instances = parts.instances;
    this.#texts = parts.texts;
    this.#clock = parts.clock;
    this.#table = parts.catalog.site.table(settingsTable, settingOfRow);
  }

  async list(): Promise<DeviceShown[]> {
    const devices = await this.#catalog.devices.list();
    return devices.map((device) => ({ ...device, setting: this.#texts.setting(device.id) }));
  }

  /** A device by the beginning of its id. NOT_FOUND; ARGUMENT_INVALID when several begin so. */
  async find(id: string): Promise<DeviceShown> {
    const [found, second] = (await this.list()).filter((each) => id.length >= 4 && each.id.startsWith(id));
    if (found === undefined)
      throw new ArchiveError('NOT_FOUND', 'there is no such device', { hint: 'see: stele device list' });
    if (second !== undefined) throw new ArchiveError('ARGUMENT_INVALID', 'several devices begin with this id');
    return found;
  }

  /** Says in which set a device sends, from now on. Durable when it resolves; what came before is read anew by `repair`. NOT_FOUND, ARGUMENT_INVALID. */
  async setCharset(id: string, wish: DeviceWish): Promise<DeviceShown> {
    const { id: device } = await this.find(id);
    for (const terms of [wish.terms, wish.declared ?? []]) {
      const unknown = parseCharacterSet(terms).unknown[0];
      if (unknown !== undefined)
        throw new ArchiveError('ARGUMENT_INVALID', 'this is no character set that DICOM or its senders know');
    }
    for (const text of [wish.who, wish.why])
      if (text.trim() === '' || text.length > textCharsMax)
        throw new ArchiveError('ARGUMENT_INVALID', 'a setting says who and why, in so many words and no more');
    const { terms } = parseCharacterSet(wish.terms);
    if (wish.terms.length > 0 && terms.length === 0)
      throw new ArchiveError('ARGUMENT_INVALID', 'a device sends in some character set; ASCII is ISO_IR 6');
    await this.#write({ ...wish, terms, device, atMs: Math.floor(this.#clock.nowMs()), done: false });
    return this.find(device);
  }

  async #write(setting: DeviceSetting): Promise<void> {
    await this.#accounts.write([{ table: settingsTable, key: setting.device, row: rowOfSetting(setting) }]);
    this.#texts.use(setting);
    if (!setting.done) this.#leftAlone.delete(setting.device);
  }

  /** Reads anew what came of a device before its setting, and tells of each series. Resumes, and changes nothing when it is done again. */
  async *repair(id: string, signal: AbortSignal): AsyncGenerator<SeriesRepair> {
    const { id: device, source } = await this.find(id);
    let after: SeriesReadCursor | undefined;
    let failed = false;
    do {
      // Series that are told anew come again at the end, and are unchanged then.
      const page = await this.#catalog.devices.seriesOf(device, { after, before: endOfTime, limit: pageRows });
      for (const series of page.rows) {
        if (signal.aborted) return;
        if (series.how === 'plain') continue;
        const repair = await this.#turns.inTurn(device, () => this.#repairOne({ device, source }, series));
        failed ||= repair.outcome === 'failed';
        yield repair;
      }
      after = page.next;
    } while (after !== undefined);
    const setting = await this.#table.get(device);
    if (setting !== undefined && !setting.done && !failed) await this.#write({ ...setting, done: true });
  }

  /** Goes on with what a restart interrupted: one series of one device. */
  async repairNext(signal: AbortSignal): Promise<'busy' | 'idle'> {
    for (const { device, done } of this.#texts.settings()) {
      if (done || this.#leftAlone.has(device)) continue;
      const work = this.#working.get(device) ?? this.repair(device, signal);
      this.#working.set(device, work);
      const next = await work.next().catch((error: unknown) => {
        this.#leave(device);
        throw error;
      });
      if (next.done === true) this.#leave(device);
      return 'busy';
    }
    return 'idle';
  }

  #leave(device: string): void {
    this.#working.delete(device);
    this.#leftAlone.add(device);
  }

  async #repairOne(of: DeviceOf, series: SeriesRead): Promise<SeriesRepair> {
    try {
      return { outcome: (await this.#readAnew(of, series)) ? 'changed' : 'unchanged', code: undefined };
    } catch (error) {
      if (!(error instanceof ArchiveError)) throw toArchiveError(error, 'INTERNAL', 'a series could not be read anew');
      return { outcome: 'failed', code: error.code };
    }
  }

  /** Whether anything changed. */
  async #readAnew({ device, source }: DeviceOf, series: SeriesRead): Promise<boolean> {
    const { tenant, studyUid: study, seriesUid } = series;
    const found = await this.#oneOf(series);
    // All of it is hidden: nobody asks what it is called.
    if (found === undefined) return false;
    const object = await this.#instances.object(found);
    const header = await this.#instances.storedHeader(found);
    const { set, readAs } = this.#texts.read(header, { tenant, source });
    const amendments = await this.#catalog.amendments.ofStudy(tenant, study);
    const said = describeInstance(header, { characterSet: set });
    const patient = { ...said.patientAttributes };
    if ((patient['IssuerOfPatientID'] ?? '') === '' && patient['PatientID'] === amendments?.patient.patientId)
      patient['IssuerOfPatientID'] = amendments?.patient.issuer ?? '';
    const before = describeInstance(header, { characterSet: parseCharacterSet(series.read.split('\\')) });
    const isAbove = !sameText(before, said);
    const events: FactEvent[] = [];
    if (series.how !== readAs.how || series.read !== readAs.read.join('\\'))
      events.push({
        type: 'described',
        study,
        series: seriesUid,
        source,
        readAs,
        // What reads the same either way was said before, perhaps by others since.
        about: isAbove
          ? { patient, study: said.studyAttributes, series: said.seriesAttributes }
          : { series: said.seriesAttributes },
      });
    events.push(...(await this.#overlayNews(device, series, readAs)));
    if (readAs.how !== 'unsure') events.push(...(await this.#closed(series)));
    if (events.length > 0) await this.#say(object.group, events);
    return events.length > 0;
  }

  async #oneOf({ tenant, studyUid, seriesUid }: SeriesRead): Promise<FoundInstance | undefined> {
    const equals = (value: string): { kind: 'equals'; values: string[] } => ({ kind: 'equals', values: [value] });
    const conditions = [
      { field: 'studyUid' as const, match: equals(studyUid) },
      { field: 'seriesUid' as const, match: equals(seriesUid) },
    ];
    const { rows } = await this.#catalog.search.instances({ tenant, conditions }, { limit: 1 });
    return rows[0];
  }

  /** What leaves of the series is read as the setting says, and no longer as an earlier one said. */
  async #overlayNews(device: string, series: SeriesRead, readAs: ReadAs): Promise<FactEvent[]> {
    const { tenant, studyUid: study, seriesUid } = series;
    const setting = this.#texts.setting(device);
    const wanted = settles(setting, readAs.declared) && !sameTerms(readAs.declared, setting.terms);
    const event = wanted
      ? decodedEvent(setting, { tenant, study, series: seriesUid, declared: readAs.declared })
      : undefined;
    const events: FactEvent[] = [];
    let isThere = false;
    for (const { said, withdrawn } of await this.#catalog.amendments.historyOfStudy(tenant, study)) {
      const isOurs = said.type === 'decoded' && said.system === systemOf(device) && said.series?.includes(seriesUid);
      if (isOurs !== true || withdrawn !== undefined) continue;
      if (said.id === event?.id) isThere = true;
      else if (setting !== undefined) {
        const { who: by, why, atMs: createdMs } = setting;
        const id = withdrawalIdOf(said.id);
        events.push({ type: 'withdrawn', id, createdMs, by, why, amendment: said.id });
      }
    }
    if (event !== undefined && !isThere) events.push(event);
    return events;
  }

  /** A case about texts that were in doubt is over. */
  async #closed(series: SeriesRead): Promise<FactEvent[]> {
    const { tenant, studyUid, seriesUid } = series;
    const filter = { tenant, studyUid, kinds: ['charset-undecided'], state: 'open' as const };
    const { rows } = await this.#catalog.quality.cases(filter, { limit: pageRows });
    return rows
      .filter((each) => each.seriesUid === seriesUid)
      .map(({ kind, lastMs }) => ({
        type: 'quality',
        study: studyUid,
        series: seriesUid,
        kind,
        state: 'closed',
        who: 'stele',
        why: 'the character set of the device was said',
        atMs: Math.max(lastMs, Math.floor(this.#clock.nowMs())),
      }));
  }

  async #say(group: KeyGroup, events: readonly FactEvent[]): Promise<void> {
    await this.#vault.say(
      'ingest',
      events.map((event) => ({ kind: recordKind.event, group, plain: encodeEvent(event) })),
    );
  }
}

const endOfTime = (1n << 63n) - 1n;

/** Whether patient and study are called the same in two readings. */
function sameText(one: Description, other: Description): boolean {
  const texts = ({ patientAttributes, studyAttributes }: Description): string =>
    JSON.stringify([patientAttributes, studyAttributes]);
  return texts(one) === texts(other);
}
