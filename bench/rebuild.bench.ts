// `rebuild`: entries a second from footers into a new catalog, with every pack itself absent.
//
//   node bench/rebuild.bench.ts [--entries 300000] [--folder DIR] [--json FILE]
//
// The archive is laid out as its writers lay it out: ids begin with their milliseconds; each entry follows a chunk of content, which the index names
// as well; 2,000 entries a pack, as many as there are slices of 512 KB in a pack of 1 GiB. Only the chunks are short: a rebuild never reads them.
// `images`: 200 entries share a key group, as a study does. `files`: each has its own, as a name of its own has, and so 52 steps down the tree of keys.

import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Running } from '../src/app/running.ts';
import { defaultTenant, hexOf, type KeyGroup, systemRandom, utf8Bytes, viewOf } from '../src/base/index.ts';
import { encodeObjectEntry, recordKind } from '../src/format/index.ts';
import { benchFolder, openArchive } from './support/archive-rig.ts';
import { type BenchRow, option, report } from './support/report.ts';

const perPack = 2000;
const entriesAMs = 0.3;
const bornMs = 1_790_000_000_000;
const settings = { settleSeconds: 365 * 86_400 };

function newGroup(): KeyGroup {
  return { tenant: defaultTenant, year: 2026, group: viewOf(systemRandom.bytes(8)).getBigUint64(0) };
}

/** Entries `from` to `to`, each behind its chunk; a new group after every `perGroup`. */
async function append({ vault }: Running, from: number, to: number, perGroup: number): Promise<void> {
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
        bucket: 'files',
        key: utf8Bytes(`archive/2026/series-${Math.floor(number / 200)}/image-${number % 200}.dcm`),
        sizeBytes: 527_000,
        digest: systemRandom.bytes(32),
        ref,
        first: undefined,
        createdMs,
        state: 'live',
        mode: 0o644,
        mtimeMs: bornMs,
        contentType: undefined,
        meta: undefined,
      });
      const hint = { kind: 'raw' } as const;
      return [
        { id: ref, kind: recordKind.chunk, group, plain: systemRandom.bytes(64), hint },
        { id: nextId(), kind: recordKind.entry, group, plain, hint },
      ];
    }).flat(),
  );
}

async function measure(name: string, entries: number, perGroup: number): Promise<BenchRow> {
  const folder = benchFolder('rebuild');
  const filled = await openArchive(folder, settings);
  for (let done = 0; done < entries; done += perPack) {
    const end = Math.min(done + perPack, entries);
    for (let from = done; from < end; from += 200) await append(filled, from, Math.min(from + 200, end), perGroup);
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
    case: `${entries.toLocaleString('en-US')} ${name} from footers, packs absent`,
    figure: entries / seconds,
    unit: 'entries/s',
    note: `${seconds.toFixed(1)} s with keyring, database and start; processor ${each(cpu)} us an entry, of it ${each(thread)} on the main thread`,
  };
}

const entries = option('entries', 300_000);
report([
  { ...(await measure('images', entries, 200)), asked: 50_000 },
  await measure('files', Math.ceil(entries / 3), 1),
]);
