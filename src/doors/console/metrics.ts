// Metrics in Prometheus' text form. Numbers and our own labels alone: no bucket, no key, no user.

import type { ArchiveStatus } from '../../archive/index.ts';

type Sample = { readonly labels?: Readonly<Record<string, string>>; readonly value: number };
type Metric = {
  readonly name: string;
  readonly type: 'gauge' | 'counter';
  readonly says: string;
  readonly samples: readonly Sample[];
};

const healthValues = { good: 0, degraded: 1, failing: 2 } as const;

export function metricsText(status: ArchiveStatus): string {
  return `${metricsOf(status).map(metricText).join('\n')}\n`;
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
    {
      name: 'process_resident_memory_bytes',
      type: 'gauge',
      says: 'memory of this process',
      samples: [{ value: process.memoryUsage.rss() }],
    },
  ];
}

function metricText({ name, type, says, samples }: Metric): string {
  const lines = samples.map(({ labels, value }) => {
    const inside = Object.entries(labels ?? {}).map(([label, text]) => `${label}="${text.replace(/["\\\n]/g, '_')}"`);
    return `${name}${inside.length === 0 ? '' : `{${inside.join(',')}}`} ${value}`;
  });
  return [`# HELP ${name} ${says}`, `# TYPE ${name} ${type}`, ...lines].join('\n');
}
