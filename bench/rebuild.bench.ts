// `rebuild`: entries a second from footers into a new catalog, with every pack itself absent.
//
//   node bench/rebuild.bench.ts [--entries 300000] [--folder DIR] [--json FILE]
//
// Entries are those of stored objects, in groups of 200 as a study would be, said through the vault without content: a rebuild never reads content.

import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  defaultTenant,
  hexOf,
  type KeyGroup,
  systemRandom,
  utf8Bytes,
  viewOf,
  type WriterId,
} from '../src/base/index.ts';
import { encodeObjectEntry, recordKind } from '../src/format/index.ts';
import { benchFolder, openArchive } from './support/archive-rig.ts';
import { option, report } from './support/report.ts';

const entries = option('entries', 300_000);
const perGroup = 200;
const folder = benchFolder('rebuild');
const contentWriter = hexOf(systemRandom.bytes(16)) as WriterId;

const filled = await openArchive(folder, { settleSeconds: 365 * 86_400 });
for (let done = 0; done < entries; done += perGroup) {
  const group: KeyGroup = { tenant: defaultTenant, year: 2026, group: viewOf(systemRandom.bytes(8)).getBigUint64(0) };
  const facts = Array.from({ length: Math.min(perGroup, entries - done) }, (_, index) => ({
    kind: recordKind.entry,
    group,
    plain: encodeObjectEntry({
      type: 'object',
      id: hexOf(systemRandom.bytes(16)),
      bucket: 'files',
      key: utf8Bytes(`series/${done}/image-${index}.dcm`),
      sizeBytes: 527_000,
      digest: systemRandom.bytes(32),
      ref: { writer: contentWriter, sequence: BigInt(done + index + 1) },
      first: undefined,
      createdMs: 1_790_000_000_000 + done,
      state: 'live',
      mode: 0o644,
      mtimeMs: 1_790_000_000_000,
      contentType: undefined,
      meta: undefined,
    }),
  }));
  await filled.vault.say('ingest', facts);
}
const before = (await filled.archive.status()).objects.versions;
await filled.vault.sealOpen('all');
await filled.close();

// Bulk media are gone: footers stay.
renameSync(join(folder, 'disk', 'packs'), join(folder, 'packs-elsewhere'));
for (const name of readdirSync(folder)) if (name.startsWith('catalog.sqlite')) rmSync(join(folder, name));
if (existsSync(join(folder, 'catalog.sqlite'))) throw new Error('the catalog is still there');

const begun = performance.now();
const rebuilt = await openArchive(
  folder,
  { settleSeconds: 365 * 86_400 },
  { fromMedia: false, onPack: () => undefined },
);
const seconds = (performance.now() - begun) / 1000;
const after = (await rebuilt.archive.status()).objects.versions;
await rebuilt.close();
rmSync(folder, { recursive: true, force: true });
if (after !== before || after !== entries) throw new Error(`rebuilt ${after} of ${before} objects`);

report([
  {
    bench: 'rebuild',
    case: `${entries.toLocaleString('en-US')} entries from footers, packs absent`,
    figure: entries / seconds,
    unit: 'entries/s',
    asked: 50_000,
    note: `${seconds.toFixed(1)} s, keyring, database and start included`,
  },
]);
