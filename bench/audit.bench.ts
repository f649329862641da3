// What rights and the audit cost a call, and how fast a million events are verified from packs.
//
//   node bench/audit.bench.ts [--events 1000000] [--single 200000] [--json FILE]
//
// Events are told through the audit as doors tell them: bursts that come together lie in one record. `single` are records of one event each, as a quiet house
// writes them: the worst case. Both lie in sealed control packs, encrypted, and are read from their footers.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { start } from '../src/app/running.ts';
import { settingsOf } from '../src/app/settings.ts';
import { hashOfText, noHash, textOfEvent } from '../src/archive/audit-event.ts';
import { operator } from '../src/archive/index.ts';
import { auditGroup, defaultTenant, hexOf, SeededRandom } from '../src/base/index.ts';
import { auditEventsMax, encodeAuditRecord, recordKind } from '../src/format/index.ts';
import { type BenchRow, option, report } from './support/report.ts';

const quick = process.argv.includes('--quick');
const eventCount = option('events', quick ? 50_000 : 1_000_000);
const singleCount = option('single', quick ? 10_000 : 200_000);
const calls = quick ? 50_000 : 500_000;
const verifySecondsMax = 10;
const callMicrosecondsMax = 5;

const rows: BenchRow[] = [];
const random = new SeededRandom(1);

function cpuMicroseconds(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return user + system;
}

/** Writes a chain of so many events, so many a record, and says how long its check takes. */
async function verifySeconds(
  count: number,
  perRecord: number,
): Promise<{ seconds: number; cpu: number; write: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'stele-audit-'));
  const settings = settingsOf([{ workers: 2 }], folder);
  const running = await start({ settings, create: true, say: () => undefined });
  try {
    const chain = hexOf(random.bytes(16));
    let [number, hash] = [0, noHash];
    const began = process.cpuUsage();
    while (number < count) {
      const facts = [];
      for (let record = 0; record < 64 && number < count; record += 1) {
        const events: string[] = [];
        while (events.length < perRecord && number < count) {
          number += 1;
          const text = textOfEvent(
            {
              atMs: 1_795_000_000_000 + number * 100,
              action: number === 1 ? 'audit.begin' : 'study.read',
              result: 'ok',
              who: `user:user${number % 50}`,
              from: `10.0.${number % 7}.${number % 250}`,
              door: 'dicomweb',
              tenant: 1,
              study: `1.2.826.0.1.3680043.8.498.${1_000_000_000 + (number % 100_000)}`,
              subject: undefined,
              count: 1,
              untilMs: undefined,
              follows: undefined,
            },
            number,
            hash,
          );
          hash = hashOfText(text);
          events.push(text);
        }
        facts.push({ kind: recordKind.event, group: auditGroup(2026), plain: encodeAuditRecord({ chain, events }) });
      }
      await running.vault.say('control', facts);
    }
    const write = cpuMicroseconds(began) / count;
    await running.vault.sealOpen('all');
    const cpuBegan = process.cpuUsage();
    const beganMs = performance.now();
    const verdict = await running.archive.audit.verify([], () => undefined);
    const seconds = (performance.now() - beganMs) / 1000;
    if (verdict.events !== count || verdict.problems.length > 0)
      throw new Error(`the check found ${verdict.events} events: ${JSON.stringify(verdict.problems.slice(0, 3))}`);
    return { seconds, cpu: cpuMicroseconds(cpuBegan) / 1e6, write };
  } finally {
    await running.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Processor time of one call through the guard, beside the same call without it. */
async function callMicroseconds(): Promise<{ guarded: number; bare: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'stele-audit-'));
  const running = await start({ settings: settingsOf([{ workers: 1 }], folder), create: true, say: () => undefined });
  const whole = running.archive;
  Object.defineProperty(whole, 'instances', { value: { object: async () => ({ group: { tenant: defaultTenant } }) } });
  try {
    const me = operator('me');
    const run = async (archive: typeof whole): Promise<number> => {
      const began = process.cpuUsage();
      for (let call = 0; call < calls; call += 1) await archive.instances.object({ id: 'x', instanceUid: '1.2' });
      return cpuMicroseconds(began) / calls;
    };
    await run(whole.as(me));
    await run(whole);
    return { guarded: await run(whole.as(me)), bare: await run(whole) };
  } finally {
    await running.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

const { guarded, bare } = await callMicroseconds();
const bench = 'rights and audit';
const less = { better: 'less', askedOf: 'figure' } as const;
rows.push({
  bench,
  case: 'a guarded, audited call, beyond the call itself',
  figure: guarded - bare,
  unit: 'us',
  asked: callMicrosecondsMax,
  ...less,
});
const told = (count: number): string => count.toLocaleString('en-US');
const bursts = await verifySeconds(eventCount, auditEventsMax);
rows.push(
  {
    bench,
    case: `verify ${told(eventCount)} events`,
    figure: bursts.seconds,
    unit: 's',
    asked: verifySecondsMax,
    ...less,
  },
  { bench, case: 'its processor time', figure: bursts.cpu, unit: 's' },
  { bench, case: 'writing one of a burst, search table included', figure: bursts.write, unit: 'us' },
);
const single = await verifySeconds(singleCount, 1);
rows.push(
  { bench, case: `verify ${told(singleCount)} events, a record each`, figure: single.seconds, unit: 's' },
  { bench, case: 'its processor time', figure: single.cpu, unit: 's' },
  { bench, case: 'writing one in a record of its own', figure: single.write, unit: 'us' },
);
report(rows);
