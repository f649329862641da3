// One study from an archive: compared at series and instance level, what is missing fetched, and what became of each instance told.
//
// Invariants: nothing that is here is fetched again; an instance is told as stored when it is here, whatever the source's status said, and as missing when it
// is not; a study of which nothing is here is fetched whole, one of which something is here by series or by instance. What the archive cannot keep at
// all (no disk, stopped) ends the pull; what only this object is to blame for is `refused` with its code.
// Left out on purpose: connections that break (who calls tries again), order, and pace between studies.

import type { Archive } from '../../archive/index.ts';
import { ArchiveError, type Clock, type TenantId } from '../../base/index.ts';
import { dimseStatus, type IncomingMessage, statusClass, statusText } from '../../dicom/index.ts';
import type { InstanceLine, LedgerLine } from './ledger.ts';
import { digestOf, localInstances, localStudy } from './local-study.ts';
import type { Pace } from './pace.ts';
import type { PeerLine, SourceInstance, Wanted } from './peer-line.ts';
import { planRetrieval } from './retrieve-plans.ts';
import { isSuspicious, type SourceStudy } from './slice.ts';

export type StudyPull = {
  readonly archive: Archive;
  readonly tenant: TenantId;
  readonly line: PeerLine;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly pace: Pace;
  /** Who brings it, as the archive notes it; and what the table says of objects of this source. */
  readonly source: {
    readonly title: string;
    readonly issuer: string | undefined;
    readonly whenKnown: 'first' | 'last';
  };
  /** Our own title, which a C-MOVE names. */
  readonly title: string;
  /** Settled by the first answer when it is `either`. */
  readonly way: { how: 'get' | 'move' | 'either' };
  readonly limits: ReadonlySet<number>;
  readonly onStored: (bytes: number) => void;
};

/** Instances that one request names. */
const namedMax = 64;
const roundsMax = 3;
/** What a C-MOVE announced may still be on its way; it is waited for as long as something comes. */
const quietMsMax = 20_000;
const lookAgainMs = 200;

type Came = {
  readonly state: 'stored' | 'here' | 'refused' | 'different';
  readonly series: string;
  readonly sha256?: string;
  readonly why?: string;
};
type Told = { readonly came: Map<string, Came>; readonly failed: Set<string>; status: number };

export async function pullStudy(pull: StudyPull, study: SourceStudy): Promise<LedgerLine[]> {
  const { archive, tenant, line } = pull;
  const uid = study.studyUid;
  const listing = await line.list(uid, (count) => isSuspicious(count, pull.limits));
  const before = await localStudy(archive, tenant, uid);
  const told: Told = { came: new Map(), failed: new Set(), status: dimseStatus.success };
  const isShort = study.instanceCount !== undefined && listing.instances.length < study.instanceCount;
  await fetchMissing(pull, study, { listing: listing.instances, here: new Set(before.keys()), told, isShort });
  const after = await localStudy(archive, tenant, uid);
  const lines: LedgerLine[] = [];
  const listed = new Set<string>();
  const absent: SourceInstance[] = [];
  for (const each of listing.instances) {
    if (listed.has(each.instance)) continue;
    listed.add(each.instance);
    const local = after.get(each.instance);
    const came = told.came.get(each.instance);
    const names = { kind: 'instance' as const, study: uid, series: each.series, instance: each.instance };
    if (came?.state === 'different' || came?.state === 'refused')
      lines.push({ ...names, ...came, series: each.series });
    else if (local !== undefined) {
      const sha256 = came?.sha256 ?? (await digestOf(archive, local));
      const isOfSeries = local.series === each.series;
      const state = !isOfSeries ? 'different' : before.has(each.instance) ? 'here' : 'stored';
      lines.push({ ...names, state, sha256, ...(isOfSeries ? {} : { why: 'in another series' }) });
    } else absent.push(each);
  }
  lines.push(...(await tellAbsent(pull, uid, absent, told)));
  for (const [instance, came] of told.came)
    if (!listed.has(instance))
      lines.push({ kind: 'instance', study: uid, instance, ...came, why: came.why ?? 'the source did not list it' });
  const onlyHere = [...after.keys()].filter((each) => !listed.has(each) && !told.came.has(each)).length;
  lines.push({
    kind: 'study',
    study: uid,
    listed: listed.size,
    counted: study.instanceCount,
    onlyHere,
    ...(statusClass(told.status) === 'success' ? {} : { why: statusText(told.status) }),
  });
  for (const series of listing.doubtfulSeries)
    lines.push({ kind: 'doubt', of: series, why: 'the list of instances may have been cut off' });
  return lines;
}

type Fetching = {
  readonly listing: readonly SourceInstance[];
  readonly here: Set<string>;
  readonly told: Told;
  /** The source counts more than it lists: only asking for all of it brings the rest. */
  readonly isShort: boolean;
};

async function fetchMissing(pull: StudyPull, study: SourceStudy, fetching: Fetching): Promise<void> {
  const { listing, here, told } = fetching;
  const missing = (): SourceInstance[] =>
    listing.filter(({ instance }) => !here.has(instance) && !told.came.has(instance));
  const isComplete = (): boolean =>
    missing().length === 0 && !(fetching.isShort && here.size + told.came.size < (study.instanceCount ?? 0));
  if (isComplete()) return;
  const named = listing.flatMap((each) => each.classUid ?? []);
  const plans = planRetrieval(named.length > 0 ? named : study.classes);
  let plan = 0;
  for (let round = 0; round < roundsMax && !isComplete(); ) {
    const wholeStudy = here.size === 0 && told.came.size === 0;
    for (const wanted of requestsFor(
      study.studyUid,
      wholeStudy || (fetching.isShort && round === 0) ? undefined : missing(),
      listing,
      round,
    )) {
      if (pull.signal.aborted) return;
      await pull.pace.open();
      if (pull.way.how !== 'move') await getSome(pull, wanted, plans[plan] ?? [], told);
      if (pull.way.how === 'move') await moveSome(pull, wanted, missing, fetching);
    }
    // The next plan offers other classes and syntaxes; after the last one it is tried once more from the start.
    plan += 1;
    if (pull.way.how === 'move' || plan >= plans.length) {
      plan = 0;
      round += 1;
    }
  }
}

/** undefined: all of the study. */
function* requestsFor(
  study: string,
  missing: readonly SourceInstance[] | undefined,
  listing: readonly SourceInstance[],
  round: number,
): Generator<Wanted> {
  if (missing === undefined) {
    yield { study };
    return;
  }
  const bySeries = Map.groupBy(missing, (each) => each.series);
  for (const [series, some] of bySeries) {
    const whole = listing.filter((each) => each.series === series).length;
    if (some.length === whole && round === 0) {
      yield { study, series };
      continue;
    }
    // A source that takes no lists is asked for one at a time in the end.
    const atOnce = round + 1 < roundsMax ? namedMax : 1;
    const names = some.map((each) => each.instance);
    for (let at = 0; at < names.length; at += atOnce) yield { study, series, instances: names.slice(at, at + atOnce) };
  }
}

async function getSome(
  pull: StudyPull,
  wanted: Wanted,
  plan: Parameters<PeerLine['get']>[1],
  told: Told,
): Promise<void> {
  try {
    const { status, failed } = await pull.line.get(wanted, plan, (message) => keep(pull, message, wanted, told));
    pull.way.how = 'get';
    told.status = status;
    for (const uid of failed) told.failed.add(uid);
  } catch (error) {
    if (pull.way.how !== 'either' || !(error instanceof ArchiveError) || error.code !== 'DICOM_CONTEXT_REFUSED')
      throw error;
    pull.line.drop();
    pull.way.how = 'move';
  }
}

/** Stores what came and answers. Throws what ends the pull. */
async function keep(pull: StudyPull, message: IncomingMessage, { study }: Wanted, { came }: Told): Promise<void> {
  const { archive, tenant, source } = pull;
  const { affectedSopClass: classUid, affectedSopInstance: instanceUid } = message.command;
  if (message.data === undefined || classUid === undefined || instanceUid === undefined)
    return message.respond({ status: dimseStatus.cannotUnderstand });
  try {
    const stored = await archive.instances.store(
      {
        tenant,
        syntax: message.context.transferSyntax,
        source: source.title,
        issuer: source.issuer,
        whenKnown: source.whenKnown,
        expected: { classUid, instanceUid },
      },
      pull.pace.paced(message.data),
    );
    pull.onStored(stored.kind === 'same' ? 0 : stored.sizeBytes);
    came.set(instanceUid, cameAs(stored, { study, instanceUid }));
  } catch (error) {
    if (!(error instanceof ArchiveError) || error.code !== 'DICOM_MALFORMED') throw error;
    came.set(instanceUid, { state: 'refused', series: '', why: error.code });
    return message.respond({ status: dimseStatus.cannotUnderstand, errorComment: error.code });
  }
  return message.respond({ status: dimseStatus.success });
}

type Stored = Awaited<ReturnType<Archive['instances']['store']>>;

function cameAs(stored: Stored, asked: { readonly study: string; readonly instanceUid: string }): Came {
  const facts = { series: stored.seriesUid, sha256: stored.digest };
  if (stored.instanceUid !== asked.instanceUid)
    return { ...facts, state: 'different', why: 'the object has another UID' };
  if (stored.studyUid !== asked.study) return { ...facts, state: 'different', why: 'the object is of another study' };
  if (stored.kind === 'beside') return { ...facts, state: 'different', why: 'the UID was known with other bytes' };
  return { ...facts, state: stored.kind === 'same' ? 'here' : 'stored' };
}

async function moveSome(
  pull: StudyPull,
  wanted: Wanted,
  missing: () => readonly SourceInstance[],
  { here, told }: Fetching,
): Promise<void> {
  const { archive, tenant, clock, signal } = pull;
  const { status, failed } = await pull.line.move(wanted, pull.title);
  told.status = status;
  for (const uid of failed) told.failed.add(uid);
  const names = new Set(wanted.instances);
  const isWanted = ({ series, instance }: SourceInstance): boolean =>
    (wanted.series === undefined || wanted.series === series) && (names.size === 0 || names.has(instance));
  let quietSinceMs = clock.monotonicMs();
  for (;;) {
    let arrived = 0;
    for (const [uid] of await localStudy(archive, tenant, wanted.study)) {
      if (here.has(uid)) continue;
      here.add(uid);
      arrived += 1;
    }
    if (arrived > 0) quietSinceMs = clock.monotonicMs();
    const left = missing().filter((each) => isWanted(each) && !told.failed.has(each.instance));
    const isOver = left.length === 0 || statusClass(status) === 'failure' || signal.aborted;
    if (isOver || clock.monotonicMs() - quietSinceMs > quietMsMax) return;
    await clock.wait(lookAgainMs, signal);
  }
}

/** Not in the study: it is under another one, or did not come. */
async function tellAbsent(
  pull: StudyPull,
  study: string,
  absent: readonly SourceInstance[],
  told: Told,
): Promise<InstanceLine[]> {
  const elsewhere = await localInstances(
    pull.archive,
    pull.tenant,
    absent.map((each) => each.instance),
  );
  return absent.map(({ series, instance }) => {
    const names = { kind: 'instance' as const, study, series, instance };
    if (elsewhere.has(instance)) return { ...names, state: 'different', why: 'in another study' };
    const reason = told.failed.has(instance) ? 'the source could not send it' : 'it did not come';
    const status = statusClass(told.status) === 'success' ? '' : ` (${statusText(told.status)})`;
    return { ...names, state: 'missing', why: reason + status };
  });
}
