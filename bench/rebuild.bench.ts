// `rebuild`: entries a second from footers into a new catalog, with every pack itself absent.
//
//   node bench/rebuild.bench.ts [--entries 300000] [--folder DIR] [--json FILE]
//
// The archive is laid out as its writers lay it out: ids begin with their milliseconds; each entry follows a chunk of content, which the index names
// as well; 2,000 entries a pack, as many as there are slices of 512 KB in a pack of 1 GiB. Only the chunks are short: a rebuild never reads them.
// `objects`: 200 entries share a key group, as a study does. `instances`: the same with what an entry says of a DICOM instance, and so rows for instance,
// series, study and patient. `files`: each has a group of its own, as a name of its own has, and so 52 steps down the tree of keys.

import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Running } from '../src/app/running.ts';
import { instanceKey } from '../src/archive/instance-names.ts';
import { defaultTenant, hexOf, type KeyGroup, systemRandom, utf8Bytes, viewOf } from '../src/base/index.ts';
import { encodeObjectEntry, type InstanceFacts, recordKind } from '../src/format/index.ts';
import { benchFolder, openArchive } from './support/archive-rig.ts';
import { type BenchRow, option, report } from './support/report.ts';

const perPack = 2000;
const perSeries = 200;
const entriesAMs = 0.3;
const bornMs = 1_790_000_000_000;
const settings = { settleSeconds: 365 * 86_400 };

function newGroup(): KeyGroup {
  return { tenant: defaultTenant, year: 2026, group: viewOf(systemRandom.bytes(8)).getBigUint64(0) };
}

type Kind = { readonly name: string; readonly perGroup: number; readonly isDicom: boolean };

/** What the entry of a CT slice says; the first of a series tells its patient and study. */
function instanceOf(number: number): InstanceFacts {
  const study = `1.2.840.113619.2.55.3.${604_688_119 + Math.floor(number / perSeries)}.971`;
  const series = `${study}.467`;
  const about = {
    patient: {
      PatientID: `P${number}`,
      PatientName: 'Doe^Jane',
      PatientBirthDate: '19700101',
      PatientSex: 'F',
    },
    study: { StudyDate: '20260102', StudyTime: '101112', AccessionNumber: `A${number}`, StudyDescription: 'CHEST' },
    series: { Modality: 'CT', SeriesNumber: '2', SeriesDescription: 'thin', BodyPartExamined: 'CHEST' },
  };
  return {
    study,
    series,
    instance: `${series}.${(number % perSeries) + 1}`,
    class: '1.2.840.10008.5.1.4.1.1.2',
    syntax: '1.2.840.10008.1.2.1',
    number: String((number % perSeries) + 1),
    headBytes: 3400,
    frames: undefined,
    shape: { rows: 512, columns: 512, samplesPerPixel: 1, bitsAllocated: 16, planar: false },
    rank: 0,
    source: 'CT1',
    about: number % perSeries === 0 ? about : {},
  };
}

/** Entries `from` to `to`, each behind its chunk; a new group after every `perGroup`. */
async function append(
  { vault }: Running,
  { from, to }: { from: number; to: number },
  { perGroup, isDicom }: Kind,
): Promise<void> {
  let group = newGroup();
  await vault.stream('ingest').append((to - from) * 600, (nextId) =>
    Array.from({ length: to - from }, (_, index) => {
      const number = from + index;
      if (number % perGroup === 0) group = newGroup();
      const createdMs = bornMs + Math.floor(number / entriesAMs);
      const ref = nextId();
      const plain = encodeObjectEntry({
        type: 'object',
        id: createdMs.toString(16).padStart(12, '0') + hexOf(systemRandom.bytes(10)),
        bucket: isDicom ? 'dicom' : 'files',
        key: isDicom
          ? instanceKey(instanceOf(number), 0, '')
          : utf8Bytes(`archive/2026/series-${Math.floor(number / perSeries)}/image-${number % perSeries}.dcm`),
        sizeBytes: 527_000,
        digest: systemRandom.bytes(32),
        ref,
        first: undefined,
        createdMs,
        state: 'live',
        mode: 0o644,
        mtimeMs: bornMs,
        contentType: isDicom ? 'application/dicom' : undefined,
        meta: undefined,
        dicom: isDicom ? instanceOf(number) : undefined,
      });
      const hint = { kind: 'raw' } as const;
      return [
        { id: ref, kind: recordKind.chunk, group, plain: systemRandom.bytes(64), hint },
        { id: nextId(), kind: recordKind.entry, group, plain, hint },
      ];
    }).flat(),
  );
}

async function measure(kind: Kind, entries: number): Promise<BenchRow> {
  const folder = benchFolder('rebuild');
  const filled = await openArchive(folder, settings);
  for (let done = 0; done < entries; done += perPack) {
    const end = Math.min(done + perPack, entries);
    for (let from = done; from < end; from += perSeries)
      await append(filled, { from, to: Math.min(from + perSeries, end) }, kind);
    await filled.vault.sealOpen('all');
  }
  const before = (await filled.archive.status()).objects.versions;
  await filled.close();

  // Bulk media are gone: footers stay.
  renameSync(join(folder, 'disk', 'packs'), join(folder, 'packs-elsewhere'));
  for (const file of readdirSync(folder)) if (file.startsWith('catalog.sqlite')) rmSync(join(folder, file));
  if (existsSync(join(folder, 'catalog.sqlite'))) throw new Error('the catalog is still there');

  const cpuBefore = process.cpuUsage();
  const threadBefore = process.threadCpuUsage();
  const begun = performance.now();
  const rebuilt = await openArchive(folder, settings, { fromMedia: false, onPack: () => undefined });
  const seconds = (performance.now() - begun) / 1000;
  const cpu = process.cpuUsage(cpuBefore);
  const thread = process.threadCpuUsage(threadBefore);
  const after = (await rebuilt.archive.status()).objects.versions;
  await rebuilt.close();
  rmSync(folder, { recursive: true, force: true });
  if (after !== before || after !== entries) throw new Error(`rebuilt ${after} of ${before} objects`);
  const each = (usage: NodeJS.CpuUsage): string => ((usage.user + usage.system) / entries).toFixed(1);
  return {
    bench: 'rebuild',
    case: `${entries.toLocaleString('en-US')} ${kind.name} from footers, packs absent`,
    figure: entries / seconds,
    unit: 'entries/s',
    note: `${seconds.toFixed(1)} s with keyring, database and start; processor ${each(cpu)} us an entry, of it ${each(thread)} on the main thread`,
  };
}

const entries = option('entries', 300_000);
report([
  { ...(await measure({ name: 'objects', perGroup: perSeries, isDicom: false }, entries)), asked: 50_000 },
  await measure({ name: 'instances', perGroup: perSeries, isDicom: true }, entries),
  await measure({ name: 'files', perGroup: 1, isDicom: false }, Math.ceil(entries / 3)),
]);
