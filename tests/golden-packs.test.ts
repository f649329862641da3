// Packs of every released format are read for ever: through the vault, and by the Python reader that lies beside them on every medium.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { SeededRandom, utf8Text } from '../src/base/index.ts';
import { openRealDisk } from '../src/disk/index.ts';
import { decodeFact, type ObjectEntry } from '../src/format/index.ts';
import { type Golden, goldenFolder, goldenKeys } from './support/golden-disk.ts';
import { openRig } from './support/vault-rig.ts';

const golden = JSON.parse(readFileSync(path.join(goldenFolder, 'expected.json'), 'utf8')) as Golden;
const hasPython = spawnSync('python3', ['-c', 'import sys; sys.exit(sys.version_info < (3, 9))']).status === 0;

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

test('the vault reads the golden disk, seals its open pack and finds nothing wrong', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'stele-golden-'));
  try {
    cpSync(path.join(goldenFolder, 'disk'), folder, { recursive: true });
    const disk = await openRealDisk({ folder });
    const rig = await openRig({ disks: [disk], everything: true, random: new SeededRandom(9), keys: goldenKeys });
    assert.deepEqual([rig.report.losses, rig.report.unreadable], [[], []]);
    const entries = new Map<string, ObjectEntry>();
    for (const plain of rig.applied.values()) {
      const fact = decodeFact(plain);
      assert.equal(fact.type, 'object');
      if (fact.type === 'object') entries.set(utf8Text(fact.key) ?? '', fact);
    }
    assert.deepEqual([...entries.keys()].sort(), golden.objects.map((object) => object.key).sort());
    for (const { key, sizeBytes, sha256: digest, text } of golden.objects) {
      const { ref } = entries.get(key) as ObjectEntry;
      const parts: Uint8Array[] = [];
      if (ref !== undefined) for await (const part of rig.vault.contents.read(ref)) parts.push(part);
      const bytes = Buffer.concat(parts);
      assert.deepEqual([bytes.byteLength, sha256(bytes)], [sizeBytes, digest], key);
      if (text !== undefined) assert.equal(bytes.toString(), text);
    }
    for (const { pack, class: name, records } of golden.packs) {
      const facts = await rig.vault.register.pack(pack as never);
      assert.deepEqual([facts?.class, facts?.recordCount], [name, records]);
    }
    for await (const report of rig.vault.care.verifyAll(async () => undefined)) assert.deepEqual(report.problems, []);
    await rig.vault.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('the Python reader brings the golden objects back', { skip: hasPython ? false : 'python3 is not here' }, () => {
  const out = mkdtempSync(path.join(tmpdir(), 'stele-golden-'));
  try {
    const reader = path.join(import.meta.dirname, '..', 'tools', 'stele_read.py');
    const disk = path.join(goldenFolder, 'disk');
    const keys = path.join(disk, 'keyring.json');
    const run = spawnSync('python3', [reader, 'extract', disk, '--keys', keys, '--out', path.join(out, 'o')], {
      encoding: 'utf8',
    });
    assert.equal(run.status, 0, run.stderr);
    for (const { key, sha256: digest } of golden.objects) {
      const bytes = readFileSync(path.join(out, 'o', '1', golden.bucket, key));
      assert.equal(sha256(bytes), digest, key);
    }
    for (const key of golden.absent) assert.throws(() => readFileSync(path.join(out, 'o', '1', golden.bucket, key)));
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
});
