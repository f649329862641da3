// What is wrong enough that somebody must be told, wherever they are: decided from facts, never from a text that was meant for people.
//
// Invariants: one alarm a cause and subject, the same facts give the same alarms in the same order; no alarm names a patient, a study or a key of an object.
// Left out on purpose: who is told, and how often (plan-alarms.ts).

export const alarmCauses = {
  'catalog-stopped': 'severe',
  'content-lost': 'severe',
  'copies-few': 'severe',
  'disk-missing': 'severe',
  'disk-failing': 'severe',
  'copy-damaged': 'severe',
  'space-low': 'severe',
  'space-ends': 'warning',
  'entries-unreadable': 'severe',
  'keyring-unexported': 'warning',
  'certificate-ends': 'warning',
  'queue-stands': 'warning',
  'peer-silent': 'warning',
  'notice-failing': 'warning',
} as const satisfies Record<string, 'warning' | 'severe'>;

export type AlarmCause = keyof typeof alarmCauses;
export type AlarmWeight = 'warning' | 'severe';

export type Alarm = {
  readonly cause: AlarmCause;
  /** Of which disk, queue or peer; empty where there is one only. */
  readonly subject: string;
  readonly weight: AlarmWeight;
  /** What a sentence about it needs to say: counts, times in milliseconds. */
  readonly facts: Readonly<Record<string, number>>;
};

export type DiskFacts = {
  readonly label: string;
  readonly state: 'present' | 'failing' | 'missing';
  readonly freeBytes: number | undefined;
  readonly totalBytes: number | undefined;
  readonly damagedPacks: number;
  /** Free bytes on earlier days, the oldest first. */
  readonly history: readonly { readonly atMs: number; readonly freeBytes: number }[];
};

export type QueueFacts = { readonly name: string; readonly waiting: number; readonly oldestMs: number };

/** Hours of the week, 0 the first of Monday, in which a peer sent something in so many of the last weeks. */
export type PeerFacts = {
  readonly title: string;
  readonly lastMs: number;
  readonly weeks: number;
  readonly hours: ReadonlyMap<number, number>;
};

export type AlarmFacts = {
  readonly nowMs: number;
  /** Hour of the week, on the site's clock, of a time. */
  readonly hourOfWeek: (ms: number) => number;
  readonly disks: readonly DiskFacts[];
  readonly hasFewCopies: boolean;
  readonly lostRecords: number;
  readonly unreadableEntries: number;
  readonly isCatalogStopped: boolean;
  readonly isKeyringExported: boolean;
  readonly certificateEndsMs: number | undefined;
  readonly queues: readonly QueueFacts[];
  readonly peers: readonly PeerFacts[];
  /** Targets that were not reached for some time, by name. */
  readonly unreached: readonly string[];
};

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const gib = 1024 ** 3;
/** Told so long before the last day. */
const spaceDaysMin = 30;
const historyDaysMin = 3;
const certificateDaysMin = 21;
const queueHoursMax = 4;
/** An hour counts as usual when a peer sent in so many of the weeks, of at least so many. */
const usualPart = 0.75;
const weeksMin = 3;
/** Usual hours in a row without a word. */
const silentHoursMin = 3;

type Add = (cause: AlarmCause, subject: string, facts?: Readonly<Record<string, number>>) => void;

/** The alarms that hold, in the order of causes, then of subjects. */
export function findAlarms(facts: AlarmFacts): Alarm[] {
  const found: Alarm[] = [];
  const add: Add = (cause, subject, more = {}) => {
    found.push({ cause, subject, weight: alarmCauses[cause], facts: more });
  };
  if (facts.isCatalogStopped) add('catalog-stopped', '');
  if (facts.lostRecords > 0) add('content-lost', '', { count: facts.lostRecords });
  if (facts.hasFewCopies) add('copies-few', '');
  if (facts.unreadableEntries > 0) add('entries-unreadable', '', { count: facts.unreadableEntries });
  for (const disk of facts.disks) findOnDisk(disk, facts.nowMs, add);
  if (!facts.isKeyringExported) add('keyring-unexported', '');
  const { certificateEndsMs } = facts;
  if (certificateEndsMs !== undefined && certificateEndsMs - facts.nowMs < certificateDaysMin * dayMs)
    add('certificate-ends', '', { atMs: certificateEndsMs });
  for (const { name, waiting, oldestMs } of facts.queues) {
    const hours = Math.floor((facts.nowMs - oldestMs) / hourMs);
    if (waiting > 0 && hours >= queueHoursMax) add('queue-stands', name, { count: waiting, hours });
  }
  for (const peer of facts.peers)
    if (silentHours(peer, facts) >= silentHoursMin) add('peer-silent', peer.title, { atMs: peer.lastMs });
  for (const name of facts.unreached) add('notice-failing', name);
  return found;
}

function findOnDisk(disk: DiskFacts, nowMs: number, add: Add): void {
  const { label, freeBytes, totalBytes } = disk;
  if (disk.state === 'missing') add('disk-missing', label);
  if (disk.state === 'failing') add('disk-failing', label);
  if (disk.damagedPacks > 0) add('copy-damaged', label, { count: disk.damagedPacks });
  if (freeBytes === undefined || totalBytes === undefined) return;
  if (freeBytes < Math.min(totalBytes / 20, 10 * gib)) return add('space-low', label, { bytes: freeBytes });
  const endMs = spaceEndMs(disk, nowMs);
  if (endMs !== undefined && endMs - nowMs < spaceDaysMin * dayMs) add('space-ends', label, { atMs: endMs });
}

/** The day on which a disk is full when it goes on as it did: the line of least squares through its days. */
export function spaceEndMs(
  { history, freeBytes }: Pick<DiskFacts, 'history' | 'freeBytes'>,
  nowMs: number,
): number | undefined {
  const [first] = history;
  if (first === undefined || freeBytes === undefined || nowMs - first.atMs < historyDaysMin * dayMs) return undefined;
  const points = [...history, { atMs: nowMs, freeBytes }];
  const meanDay = points.reduce((sum, each) => sum + each.atMs / dayMs, 0) / points.length;
  const meanFree = points.reduce((sum, each) => sum + each.freeBytes, 0) / points.length;
  let both = 0;
  let squares = 0;
  for (const { atMs, freeBytes: free } of points) {
    const days = atMs / dayMs - meanDay;
    both += days * (free - meanFree);
    squares += days * days;
  }
  const bytesADay = squares === 0 ? 0 : -both / squares;
  return bytesADay <= 0 ? undefined : nowMs + (freeBytes / bytesADay) * dayMs;
}

/** Hours since its last word in which a peer usually sends something; counted from now back to that word, a week at most. */
function silentHours({ lastMs, weeks, hours }: PeerFacts, { nowMs, hourOfWeek }: AlarmFacts): number {
  if (weeks < weeksMin) return 0;
  let silent = 0;
  // The hour that is not over yet proves nothing.
  for (let at = nowMs - hourMs; at > lastMs + hourMs && nowMs - at < 7 * dayMs; at -= hourMs)
    if ((hours.get(hourOfWeek(at)) ?? 0) >= usualPart * weeks) silent += 1;
  return silent;
}
