// What machines are told of the archive: metrics with units, whether it is ready, and a board that asks for nothing that is not there.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { makeInstance } from './support/made-instance.ts';
import { Stele } from './support/stele.ts';

const stele = new Stele({ STELE_ADMIN_PASSWORD: 'a long password' });
after(() => stele.remove());

const board = path.resolve(import.meta.dirname, '..', 'docs', 'grafana', 'stele.json');

test('metrics count and time calls by action, door and result, and name no one', async (t) => {
  const server = await stele.serve();
  t.after(() => server.stop());
  const authorization = `Basic ${Buffer.from('admin:a long password').toString('base64')}`;
  const file = makeInstance({
    study: '1.2.826.0.1.3680043.99.61',
    patientId: 'PLANTED-ID',
    patientName: 'PLANTED^NAME',
  });
  const stored = await fetch(`${server.url}/dicom-web/studies`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/dicom' },
    body: Buffer.from(file),
  });
  assert.equal(stored.status, 200);
  const denied = await fetch(`${server.url}/dicom-web/studies`);
  assert.equal(denied.status, 401);
  const answer = await fetch(`${server.url}/metrics`);
  assert.match(answer.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  const text = await answer.text();
  assert.match(text, /^stele_calls_total\{action="study\.store",door="dicomweb",result="ok"\} 1$/m);
  assert.match(text, /^stele_call_seconds_bucket\{action="study\.store",door="dicomweb",le="\+Inf"\} 1$/m);
  assert.match(text, /^stele_call_seconds_count\{action="study\.store",door="dicomweb"\} 1$/m);
  assert.match(text, /^stele_alarms_open\{weight="severe"\} 0$/m);
  assert.ok(!/PLANTED|99\.61/.test(text));
  // Each has help and a type, once, and each line is in the form.
  const names = [...text.matchAll(/^# TYPE (\S+) (?:gauge|counter|histogram)$/gm)].map(([, name]) => name);
  assert.equal(new Set(names).size, names.length);
  for (const line of text.trimEnd().split('\n'))
    assert.match(line, /^(?:# (?:HELP|TYPE) [a-z_]+ .+|[a-z_]+(?:\{[^{}]*\})? [-\d.e+]+)$/);
  for (const metric of asked(readFileSync(board, 'utf8')))
    assert.ok(
      names.some((name) => metric === name || metric.replace(/_(?:bucket|sum|count)$/, '') === name),
      metric,
    );
  const ready = await fetch(`${server.url}/readyz`);
  assert.deepEqual([ready.status, await ready.json()], [200, { ready: true }]);
  if (spawnSync('promtool', ['--version']).status !== 0)
    return t.diagnostic('promtool is not here: its check was left out');
  const checked = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
  assert.equal(checked.status, 0, checked.stderr);
});

/** Metrics that a board asks for. */
function asked(json: string): Set<string> {
  return new Set([...json.matchAll(/\b(?:stele|process)_[a-z_]+/g)].map(([name]) => name));
}
