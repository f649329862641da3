// ls: what is stored, by name; rm: hide a name; where: the packs and disks that hold an object.

import { ArchiveError, base64Of, defaultTenant, groupText, hexOf, utf8Bytes, utf8Text } from '../../base/index.ts';
import type { ListCursor, Listed } from '../../catalog/index.ts';
import { type CommandRun, defineCommand } from '../command.ts';
import { findObject, keyText, splitName, withBucket } from '../object-names.ts';
import { sizeText, tableText, timeText } from '../say-sizes.ts';

const pageRows = 500;

export const ls = defineCommand({
  name: 'ls',
  usage: '[BUCKET[/PREFIX]] [--versions] [--recursive]',
  says: 'list buckets, folders and objects',
  args: { least: 0, most: 1 },
  flags: {
    versions: { type: 'boolean', says: 'every version and deletion marker, with its id' },
    recursive: { type: 'boolean', short: 'r', says: 'objects in folders as well' },
  },
  where: 'archive',
  run: list,
});

async function list(run: CommandRun): Promise<number> {
  const { terminal, args, flags, json } = run;
  const { archive, catalog } = await run.running();
  const [text] = args;
  if (text === undefined) {
    for (const { name } of await catalog.site.buckets(defaultTenant)) {
      const totals = await catalog.objects.totals({ tenant: defaultTenant, bucket: name });
      terminal.out(
        json
          ? JSON.stringify({ bucket: name, versions: totals.versions, bytes: totals.bytes })
          : `${name}/  ${totals.versions} versions, ${sizeText(totals.bytes)}`,
      );
    }
    return 0;
  }
  const { bucket, rest } = splitName(await withBucket(catalog, text));
  const delimiter = flags['recursive'] === true ? undefined : utf8Bytes('/');
  const versions = flags['versions'] === true;
  let after: ListCursor | undefined;
  let count = 0;
  do {
    const options = { tenant: defaultTenant, bucket, prefix: utf8Bytes(rest), delimiter, after, limit: pageRows };
    const page = versions ? await archive.objects.versions(options) : await archive.objects.list(options);
    const lines = page.items.map((item) => (json ? [jsonOf(bucket, item)] : cellsOf(bucket, item, versions)));
    for (const line of tableText(lines)) terminal.out(line);
    await terminal.room();
    count += page.items.length;
    after = page.next;
  } while (after !== undefined && !terminal.signal.aborted);
  if (count === 0)
    throw new ArchiveError('NOT_FOUND', 'nothing is stored under this prefix', {
      hint: 'list the buckets with: stele ls',
    });
  return 0;
}

function cellsOf(bucket: string, item: Listed, versions: boolean): string[] {
  if (item.kind === 'folder') return [...(versions ? ['', ''] : []), '', '', `${bucket}/${keyText(item.prefix)}`];
  const { row } = item;
  const cells = [
    timeText(row.mtimeMs ?? row.createdMs),
    row.state === 'live' ? sizeText(row.sizeBytes) : '-',
    `${bucket}/${keyText(row.key)}`,
  ];
  return versions ? [row.id, row.state === 'live' ? (item.newest ? 'newest' : 'older') : row.state, ...cells] : cells;
}

function jsonOf(bucket: string, item: Listed): string {
  if (item.kind === 'folder') return JSON.stringify({ folder: `${bucket}/${keyText(item.prefix)}` });
  const { row } = item;
  return JSON.stringify({
    name: `${bucket}/${keyText(row.key)}`,
    ...(utf8Text(row.key) === undefined ? { key64: base64Of(row.key) } : {}),
    version: row.id,
    newest: item.newest,
    state: row.state,
    size: row.sizeBytes,
    created: row.createdMs,
    mtime: row.mtimeMs,
    mode: row.mode,
    sha256: row.digest === undefined ? undefined : hexOf(row.digest),
    group: groupText(row.group),
  });
}

export const rm = defineCommand({
  name: 'rm',
  usage: 'BUCKET/KEY...',
  says: 'hide objects behind a deletion marker; their versions stay',
  args: { least: 1, most: 10_000 },
  flags: {},
  where: 'archive',
  run: async ({ running, args, terminal, json }) => {
    const { archive } = await running();
    for (const text of args) {
      const { name } = await findObject(archive, text);
      const { id } = await archive.objects.remove(name);
      terminal.out(json ? JSON.stringify({ name: text, marker: id }) : `${text}  marker ${id}`);
    }
    return 0;
  },
});

export const where = defineCommand({
  name: 'where',
  usage: 'BUCKET/KEY',
  says: 'show which packs and disks hold an object',
  args: { least: 1, most: 1 },
  flags: {},
  where: 'archive',
  run: async ({ running, args, terminal, json }) => {
    const [text = ''] = args;
    const { archive, catalog } = await running();
    const name = await withBucket(catalog, text);
    const { row } = await findObject(archive, name);
    const packs = await archive.where(row);
    if (json) {
      terminal.out(JSON.stringify({ name, version: row.id, size: row.sizeBytes, group: groupText(row.group), packs }));
      return 0;
    }
    terminal.out(`${name}  version ${row.id}, ${sizeText(row.sizeBytes)}, key group ${groupText(row.group)}`);
    if (row.ref === undefined) terminal.out('no content: it has no bytes');
    for (const pack of packs) {
      terminal.out(`pack ${pack.pack}  ${pack.sealed ? 'sealed' : 'open'}, ${pack.records} of its records`);
      const lines = pack.copies.map((copy) => [
        '',
        copy.kind === 'pack' ? 'copy' : 'footer',
        copy.label,
        copy.state,
        copy.state === 'open' ? '' : `verified ${copy.verifiedMs === 0 ? 'never' : timeText(copy.verifiedMs)}`,
      ]);
      for (const line of tableText(lines)) terminal.out(line);
    }
    return 0;
  },
});
