// Corrected data sets against DCMTK: dcmdump reads every one in every syntax, and sees the new values, the old ones, and the same everything else.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { type Running, start } from '../../src/app/running.ts';
import { settingsOf } from '../../src/app/settings.ts';
import { defaultTenant } from '../../src/base/index.ts';
import type { FoundInstance } from '../../src/catalog/index.ts';
import { encodeFileMeta, Part10Reader } from '../../src/dicom/index.ts';
import { Stele } from '../support/stele.ts';

const folder = path.resolve(import.meta.dirname, '../../../shared/data/dicom');
const out = mkdtempSync(path.join(tmpdir(), 'stele-amended-'));
after(() => rmSync(out, { recursive: true, force: true }));

function lacking(): string | undefined {
  if (spawnSync('dcmdump', ['--version']).error !== undefined) return 'needs dcmtk';
  return existsSync(folder) ? undefined : 'needs the real files beside the project';
}

/** One file of each long series, all others. */
function* files(): Generator<string> {
  const names = globSync('**/*', { cwd: folder }).filter((name) => statSync(path.join(folder, name)).isFile());
  for (const [index, name] of names.sort().entries())
    if (!/README|LICENSE/.test(name) && !(/^(ct-58|mr-192)/.test(name) && index % 40 !== 0)) yield name;
}

function dump(file: string): string[] | undefined {
  const ran = spawnSync('dcmdump', ['-q', '+L', '+R', '64', file], { maxBuffer: 64 * 1024 * 1024, encoding: 'latin1' });
  if (ran.status !== 0) return undefined;
  return ran.stdout.split('\n').map((line) => line.replace(/\s+#.*$/, ''));
}

function fileOf(instance: FoundInstance, bytes: Uint8Array, name: string): string {
  const meta = encodeFileMeta({
    sopClassUid: instance.classUid as never,
    sopInstanceUid: instance.instanceUid as never,
    syntaxUid: instance.syntaxUid as never,
  });
  const file = path.join(out, name);
  writeFileSync(file, Buffer.concat([meta, bytes]));
  return file;
}

async function storedFiles(running: Running): Promise<Set<string>> {
  const studies = new Set<string>();
  for (const name of files()) {
    const bytes = readFileSync(path.join(folder, name));
    const reader = new Part10Reader();
    try {
      reader.push(bytes);
      reader.finish();
      const syntax = reader.meta?.syntax.uid ?? '';
      const options = { tenant: defaultTenant, syntax, source: 'FILES' };
      const stored = await running.archive.instances.store(
        options,
        (async function* () {
          yield bytes.subarray(reader.meta?.dataSetOffset ?? 0);
        })(),
      );
      studies.add(stored.studyUid);
    } catch {
      // What cannot be read or names no instance is not stored, and so never leaves.
    }
  }
  return studies;
}

test('dcmdump reads what leaves corrected as it reads what was stored, but for what was corrected', async (t) => {
  const lacks = lacking();
  if (lacks !== undefined) return t.skip(lacks);
  const stele = new Stele();
  const running = await start({
    settings: settingsOf([{ workers: 1 }], stele.folder),
    create: true,
    say: () => undefined,
  });
  const why = { tenant: defaultTenant, by: 'test', why: 'to see' };
  const attributes = { AccessionNumber: 'NEW-1', StudyDescription: '头部 CT' };
  for (const study of await storedFiles(running))
    await running.archive.amendments.correctStudy({ ...why, study, attributes });
  const syntaxes = new Set<string>();
  let [seen, compared] = [0, 0];
  for await (const instance of running.archive.studies.instances({ tenant: defaultTenant, conditions: [] })) {
    const takes = [instance.syntaxUid];
    const output = await running.archive.instances.output(instance, takes);
    const original = await running.archive.instances.output({ ...instance, amended: undefined }, takes);
    const after = fileOf(instance, Buffer.concat(await Array.fromAsync(output.pieces)), 'after.dcm');
    const before = fileOf(instance, Buffer.concat(await Array.fromAsync(original.pieces)), 'before.dcm');
    const was = dump(before);
    if (was === undefined) continue;
    const is = dump(after);
    assert.ok(is !== undefined, `${instance.instanceUid} in ${instance.syntaxUid}: dcmdump cannot read it`);
    assert.ok(output.isCorrected && is.some((line) => line.startsWith('(0008,0050)') && line.includes('NEW-1')));
    assert.ok(
      is.some((line) => line.includes('(0400,0550)')),
      'the old values',
    );
    seen += 1;
    syntaxes.add(instance.syntaxUid);
    // What was in a set that cannot say the new text is in Unicode now, so its bytes differ; of the others every line is there again.
    if (!was.some((line) => line.startsWith('(0008,0005)') && /192|GB/.test(line))) continue;
    const amended = /^\((0008,0050|0008,1030|0400,05|fffe|0008,0000|0400,0000|0002)/;
    const lines = (all: readonly string[]): string[] => all.filter((line) => !/^\s/.test(line) && !amended.test(line));
    assert.deepEqual(lines(is), lines(was), instance.instanceUid);
    compared += 1;
  }
  assert.ok(
    seen > 80 && syntaxes.size > 8 && compared > 0,
    `${seen} files, ${syntaxes.size} syntaxes, ${compared} compared`,
  );
  t.diagnostic(`${seen} files in ${syntaxes.size} syntaxes, ${compared} compared line by line`);
  await running.close();
  stele.remove();
});
