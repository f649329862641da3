// Alarms as other people's programs take them: Net-SNMP's snmptrapd.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { test } from 'node:test';
import { ManualClock } from '../../src/base/index.ts';
import { sendNotice } from '../../src/doors/alarms/alarm-door.ts';

async function freePort(): Promise<number> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return port;
}

test('snmptrapd reads a trap with every value of it', async (t) => {
  if (spawnSync('sh', ['-c', 'command -v snmptrapd']).status !== 0) return t.skip('needs snmptrapd');
  const port = await freePort();
  const options = ['-f', '-Lo', '-On', '-n', '-m', '', '-C', '--disableAuthorization=yes', '-p', '/dev/null'];
  const daemon = spawn('snmptrapd', [...options, '-F', '%N %W %v\\n', `udp:127.0.0.1:${port}`], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => daemon.kill('SIGKILL'));
  let said = '';
  let heard = (): void => undefined;
  for (const stream of [daemon.stdout, daemon.stderr])
    stream.on('data', (bytes: Buffer) => {
      said += bytes.toString();
      heard();
    });
  const until = async (words: RegExp): Promise<void> => {
    while (!words.test(said)) {
      await new Promise<void>((resolve, reject) => {
        heard = resolve;
        daemon.once('exit', () => reject(new Error(`snmptrapd ended: ${said}`)));
      });
    }
  };
  await until(/NET-SNMP version/);
  const state = {
    weight: 'severe',
    sinceMs: 0,
    toldMs: 0,
    tellings: 1,
    goneMs: undefined,
    takenBy: undefined,
    facts: {},
  } as const;
  const notice = {
    kind: 'alarm',
    begun: [{ ...state, cause: 'disk-missing', subject: 'a' }],
    again: [],
    over: [],
    open: 1,
  } as const;
  const target = {
    name: 'nms',
    url: `snmp://public@127.0.0.1:${port}`,
    form: 'json',
    secret: undefined,
    language: 'en',
    least: 'warning',
  } as const;
  await sendNotice({ target, notice }, { site: 'archive1', clock: new ManualClock(Date.UTC(2026, 0, 5, 9)) });
  await until(/run stele repair/);
  assert.match(said, /\.1\.3\.6\.1\.6\.3\.1\.1\.4\.1\.0 = OID: \.1\.3\.6\.1\.2\.1\.192\.0\.1\b/);
  assert.match(said, /\.1\.3\.6\.1\.2\.1\.192\.1\.2\.1\.2\.1 = INTEGER: 10\b/);
  assert.match(said, /\.1\.3\.6\.1\.2\.1\.192\.1\.2\.1\.3\.1 = INTEGER: 2\b/);
  assert.match(
    said,
    /\.1\.3\.6\.1\.2\.1\.192\.1\.2\.1\.11\.1 = STRING: "disk a is missing: attach it, or run stele repair"/,
  );
});
