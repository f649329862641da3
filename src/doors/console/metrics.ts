// Metrics in Prometheus' text form. Numbers and our own labels alone: no bucket, no key, no user.

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { type AlarmState, type ArchiveStatus, type CallCounts, durationClasses } from '../../archive/index.ts';

type Sample = {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
  /** Of a histogram. */
  readonly part?: '_bucket' | '_sum' | '_count';
};
type Metric = {
  readonly name: string;
  readonly type: 'gauge' | 'counter' | 'histogram';
  readonly says: string;
  readonly samples: readonly Sample[];
};

const healthValues = { good: 0, degraded: 1, failing: 2 } as const;

/** What a process knows of itself between two looks. */
export type ProcessMeter = { readonly loop: ReturnType<typeof monitorEventLoopDelay> };

const loopResolutionMs = 20;

export function meterProcess(): ProcessMeter {
  const loop = monitorEventLoopDelay({ resolution: loopResolutionMs });
  loop.enable();
  return { loop };
}

export function metricsText(status: ArchiveStatus, alarms: readonly AlarmState[], meter: ProcessMeter): string {
  const metrics = [
    ...metricsOf(status),
    ...alarmMetrics(alarms),
    ...callMetrics(status.calls),
    ...processMetrics(meter),
  ];
  return `${metrics.map(metricText).join('\n')}\n`;
}

function alarmMetrics(alarms: readonly AlarmState[]): Metric[] {
  const open = alarms.filter((each) => each.goneMs === undefined);
  const of = (weight: string): Sample => ({
    labels: { weight },
    value: open.filter((each) => each.weight === weight).length,
  });
  return [
    { name: 'stele_alarms_open', type: 'gauge', says: 'alarms that hold', samples: [of('warning'), of('severe')] },
  ];
}

function callMetrics(calls: readonly CallCounts[]): Metric[] {
  return [
    {
      name: 'stele_calls_total',
      type: 'counter',
      says: 'calls by action, door and result (ok, or the code of an error)',
      samples: calls.flatMap(({ action, door, results }) =>
        Object.entries(results).map(([result, value]) => ({ labels: { action, door, result }, value })),
      ),
    },
    {
      name: 'stele_call_seconds',
      type: 'histogram',
      says: 'how long calls took that end once',
      samples: calls
        .filter(({ timed }) => timed > 0)
        .flatMap(({ action, door, timed, seconds, atMost }) => [
          ...durationClasses.map((end, index) => ({
            part: '_bucket' as const,
            labels: { action, door, le: String(end) },
            value: atMost[index] ?? 0,
          })),
          { part: '_bucket', labels: { action, door, le: '+Inf' }, value: timed },
          { part: '_sum', labels: { action, door }, value: seconds },
          { part: '_count', labels: { action, door }, value: timed },
        ]),
    },
  ];
}

function processMetrics({ loop }: ProcessMeter): Metric[] {
  const { rss, heapUsed } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  const gauge = (name: string, says: string, value: number): Metric => ({
    name,
    type: 'gauge',
    says,
    samples: [{ value }],
  });
  const delaySeconds = loop.count === 0 ? 0 : Math.max(0, loop.percentile(99) / 1e9 - loopResolutionMs / 1000);
  loop.reset();
  return [
    gauge('process_resident_memory_bytes', 'memory of this process', rss),
    gauge('stele_heap_used_bytes', "of it JavaScript's heap in use", heapUsed),
    gauge(
      'stele_event_loop_delay_seconds',
      'of a hundred turns of the event loop the slowest, since the last look',
      delaySeconds,
    ),
    {
      name: 'process_cpu_seconds_total',
      type: 'counter',
      says: 'user and system time of all threads',
      samples: [{ value: (user + system) / 1e6 }],
    },
  ];
}

function metricsOf(status: ArchiveStatus): Metric[] {
  const disks = status.disks.map((disk) => ({ labels: { disk: disk.label }, disk }));
  return [
    {
      name: 'stele_health',
      type: 'gauge',
      says: '0 good, 1 degraded, 2 failing',
      samples: [{ value: healthValues[status.health] }],
    },
    {
      name: 'stele_uptime_seconds',
      type: 'gauge',
      says: 'since the start',
      samples: [{ value: status.uptimeSeconds }],
    },
    {
      name: 'stele_object_versions',
      type: 'gauge',
      says: 'live versions of objects',
      samples: [{ value: status.objects.versions }],
    },
    {
      name: 'stele_object_bytes',
      type: 'gauge',
      says: 'bytes of live versions, as they were put',
      samples: [{ value: status.objects.bytes }],
    },
    {
      name: 'stele_packs',
      type: 'gauge',
      says: 'packs by class and state',
      samples: status.packs.flatMap((each) => [
        { labels: { class: each.class, state: 'sealed' }, value: each.sealed },
        { labels: { class: each.class, state: 'open' }, value: each.open },
      ]),
    },
    {
      name: 'stele_pack_bytes',
      type: 'gauge',
      says: 'length of one copy of all packs of a class',
      samples: status.packs.map((each) => ({ labels: { class: each.class }, value: each.bytes })),
    },
    {
      name: 'stele_disk_up',
      type: 'gauge',
      says: '1 when the disk takes data',
      samples: disks.map(({ labels, disk }) => ({ labels, value: disk.state === 'present' ? 1 : 0 })),
    },
    {
      name: 'stele_disk_free_bytes',
      type: 'gauge',
      says: 'free bytes',
      samples: disks.flatMap(({ labels, disk }) =>
        disk.freeBytes === undefined ? [] : [{ labels, value: disk.freeBytes }],
      ),
    },
    {
      name: 'stele_disk_bad_packs',
      type: 'gauge',
      says: 'damaged copies of packs',
      samples: disks.map(({ labels, disk }) => ({ labels, value: disk.badPacks })),
    },
    {
      name: 'stele_repaired_records_total',
      type: 'counter',
      says: 'records mended from another copy',
      samples: [{ value: status.counters.repairedRecords }],
    },
    {
      name: 'stele_repaired_packs_total',
      type: 'counter',
      says: 'copies of packs made anew',
      samples: [{ value: status.counters.repairedPacks }],
    },
    {
      name: 'stele_lost_records_total',
      type: 'counter',
      says: 'records of which no good copy was found',
      samples: [{ value: status.counters.lostRecords }],
    },
  ];
}

function metricText({ name, type, says, samples }: Metric): string {
  const lines = samples.map(({ labels, value, part = '' }) => {
    const inside = Object.entries(labels ?? {}).map(([label, text]) => `${label}="${text.replace(/["\\\n]/g, '_')}"`);
    return `${name}${part}${inside.length === 0 ? '' : `{${inside.join(',')}}`} ${value}`;
  });
  return [`# HELP ${name} ${says}`, `# TYPE ${name} ${type}`, ...lines].join('\n');
}
