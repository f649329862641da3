// A rebuild that is killed half-way: the next start finds neither the old database trusted nor a half one taken for whole, and everything is there.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { archiveMigrations } from '../../src/archive/index.ts';
import { catalogMigrations, catalogTables } from '../../src/catalog/index.ts';
import { flowMigrations } from '../../src/flow/index.ts';
import { dumpTables, migrate, openSqlite } from '../../src/sql/index.ts';
import { vaultMigrations, vaultTables } from '../../src/vault/index.ts';
import { Stele } from '../support/stele.ts';

const stele = new Stele();
after(() => stele.remove());

async function dump(): Promise<unknown> {
  const sql = await openSqlite({ path: stele.path('data/catalog.sqlite') });
  try {
    await migrate(sql, [...vaultMigrations, ...catalogMigrations, ...flowMigrations, ...archiveMigrations]);
    return await dumpTables(sql, [...catalogTables, ...vaultTables], ['fact', 'site']);
  } finally {
    await sql.close();
  }
}

const source = (name: string): string => JSON.stringify(pathToFileURL(`${import.meta.dirname}/../../src/${name}`).href);

/** Rebuilds in a process of its own, which dies after so many packs. */
async function rebuildKilledAfter(packs: number): Promise<void> {
  const program = `
    const { start } = await import(${source('app/running.ts')});
    const { settingsOf } = await import(${source('app/settings.ts')});
    const settings = settingsOf([{ workers: 1 }], ${JSON.stringify(stele.folder)});
    const onPack = (done) => done === ${packs} && process.kill(process.pid, 'SIGKILL');
    await start({ settings, create: false, say: () => undefined, rebuild: { fromMedia: false, onPack } });
  `;
  const argv = ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', program];
  const child = spawn(process.execPath, argv, { cwd: stele.folder, stdio: ['ignore', 'ignore', 'inherit'] });
  const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
  assert.equal(signal, 'SIGKILL');
}

test('a rebuild that is killed half-way costs nothing, and the next start makes the database whole', async () => {
  for (let number = 0; number < 6; number += 1) {
    stele.file(`in/${number}`, `content ${number}`);
    await stele.done('put', 'in');
  }
  await stele.done('user', 'add', 'admin');
  await stele.done('status');
  const before = await dump();
  for (const packs of [1, 3, 6]) {
    await rebuildKilledAfter(packs);
    assert.match((await stele.done('ls', 'files/in/')).out, /files\/in\/5/);
    assert.deepEqual(await dump(), before, `killed after ${packs} packs`);
    assert.equal((await stele.content('files/in/0')).toString(), 'content 0');
  }
  await stele.done('rebuild');
  assert.deepEqual(await dump(), before);
  const left = fs.readdirSync(stele.path('data')).filter((name) => name.includes('aside'));
  assert.deepEqual(left, [], 'what the killed ones had set aside goes with one that ends');
});
