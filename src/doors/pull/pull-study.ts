// One study from an archive: compared at series and instance level, what is missing fetched, and what became of each instance told.
//
// Invariants: nothing that is here is fetched again; an instance is told as stored when it is here, whatever the source's status said, and as missing when it
// is not; a study of which nothing is here is fetched whole, one of which something is here by series or by instance. What the archive cannot keep at
// all (no disk, stopped) ends the pull; what only this object is to blame for is `refused` with its code.
// Left out on purpose: connections that break (who calls tries again), order, and pace between studies.

import type { Archive, WhenKnown } from '../../archive/index.ts';
import { ArchiveError, type Clock, type TenantId } from '../../base/index.ts';
import { DicomError, dimseStatus, type IncomingMessage, statusClass, statusText, tags } from '../../dicom/index.ts';
import type { InstanceLine, LedgerLine } from './ledger.ts';
import { digestOf, localInstances, localStudy } from './local-study.ts';
import type { Pace } from './pace.ts';
import { beginFile, dataSetOf } from './part10-source.ts';
import type { PeerLine } from './peer-line.ts';
import { planRetrieval } from './retrieve-plans.ts';
import { isSuspicious, type SourceStudy } from './slice.ts';
import type { SourceInstance, Wanted } from './source-line.ts';
import type { WebLine } from './web-line.ts';

/** A source by what it speaks. `title`: our own, which a C-MOVE names; `way` is settled by the first answer when it is `either`. */
export type StudySource =
  | {
      readonly kind: 'dimse';
      readonly line: PeerLine;
      readonly title: string;
      readonly way: { how: 'get' | 'move' | 'either' };
    }
  | { readonly kind: 'web'; readonly line: WebLine };
type DimseSource = Extract<StudySource, { kind: 'dimse' }>;

export type StudyPull = {
  readonly archive: Archive;
  readonly tenant: TenantId;
  readonly from: StudySource;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly pace: Pace;
  /** Who brings it, as the archive notes it; and what the table says of objects of this source. */
  readonly source: {
    readonly title: string;
    readonly issuer: string | undefined;
    readonly whenKnown: WhenKnown;
  };
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
/** `said`: what the source said last, where it was no success. */
type Told = { readonly came: Map<string, Came>; readonly failed: Set<string>; said: string | undefined };

export async function pullStudy(pull: StudyPull, study: SourceStudy): Promise<LedgerLine[]> {
  const { archive, tenant, from } = pull;
  const uid = study.studyUid;
  const listing = await from.line.list(uid, (count) => isSuspicious(count, pull.limits));
  const before = await localStudy(archive, tenant, uid);
  const told: Told = { came: new Map(), failed: new Set(), said: undefined };
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
    ...(told.said === undefined ? {} : { why: told.said }),
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
  const { from } = pull;
  const named = listing.flatMap((each) => each.classUid ?? []);
  const plans = from.kind === 'dimse' ? planRetrieval(named.length > 0 ? named : study.classes) : [];
  let plan = 0;
  for (let round = 0; round < roundsMax && !isComplete(); ) {
    const wholeStudy = round === 0 && here.size === 0 && told.came.size === 0;
    for (const wanted of requestsFor(
      study.studyUid,
      wholeStudy || (fetching.isShort && round === 0) ? undefined : missing(),
      listing,
      round,
    )) {
      if (pull.signal.aborted) return;
      await pull.pace.open();
      if (from.kind === 'web') {
        await fetchSome(pull, from.line, wanted, told);
        continue;
      }
      if (from.way.how !== 'move') await getSome(pull, from, { wanted, plan: plans[plan] ?? [] }, told);
      if (from.way.how === 'move') await moveSome(pull, from, wanted, { missing, fetching });
    }
    // The next plan offers other classes and syntaxes; after the last one it is tried once more from the start.
    plan += 1;
    if (from.kind === 'web' || from.way.how === 'move' || plan >= plans.length) {
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
  from: DimseSource,
  { wanted, plan }: { readonly wanted: Wanted; readonly plan: Parameters<PeerLine['get']>[1] },
  told: Told,
): Promise<void> {
  try {
    const { status, failed } = await from.line.get(wanted, plan, (message) => keep(pull, message, wanted, told));
    from.way.how = 'get';
    told.said = saidBy(status);
    for (const uid of failed) told.failed.add(uid);
  } catch (error) {
    if (from.way.how !== 'either' || !(error instanceof ArchiveError) || error.code !== 'DICOM_CONTEXT_REFUSED')
      throw error;
    from.line.drop();
    from.way.how = 'move';
  }
}

function saidBy(status: number): string | undefined {
  return statusClass(status) === 'success' ? undefined : statusText(status);
}

async function fetchSome(pull: StudyPull, line: WebLine, wanted: Wanted, told: Told): Promise<void> {
  const { said, failed } = await line.fetch(wanted, (pieces, instance) =>
    keepFile(pull, pieces, { study: wanted.study, instance }, told),
  );
  told.said = said;
  for (const uid of failed) told.failed.add(uid);
}

/** Stores a file that came. What only this file is to blame for is told; what ends the pull is thrown. */
async function keepFile(
  pull: StudyPull,
  pieces: AsyncIterable<Uint8Array>,
  asked: { readonly study: string; readonly instance: string | undefined },
  { came }: Told,
): Promise<void> {
  const source = pieces[Symbol.asyncIterator]();
  let instanceUid = asked.instance;
  const refuse = (why: string): void => {
    if (instanceUid !== undefined) came.set(instanceUid, { state: 'refused', series: '', why });
  };
  try {
    const begun = await beginFile(source);
    if (begun.kind === 'foreign') return refuse('it is no DICOM object');
    const { syntax, dataSet } = begun.meta;
    const classUid = dataSet.string(tags.MediaStorageSOPClassUID);
    instanceUid ??= dataSet.string(tags.MediaStorageSOPInstanceUID);
    const expected = classUid === undefined || instanceUid === undefined ? undefined : { classUid, instanceUid };
    const stored = await storeObject(pull, { syntax: syntax.uid, expected }, dataSetOf(begun, source));
    came.set(
      instanceUid ?? stored.instanceUid,
      cameAs(stored, { study: asked.study, instanceUid: instanceUid ?? stored.instanceUid }),
    );
  } catch (error) {
    if (!(error instanceof DicomError) && !isOfObject(error)) throw error;
    refuse(error.code);
  }
}

/** What only the object is to blame for. */
function isOfObject(error: unknown): error is ArchiveError {
  return error instanceof ArchiveError && error.code === 'DICOM_MALFORMED';
}

async function storeObject(
  pull: StudyPull,
  object: {
    readonly syntax: string;
    readonly expected: { readonly classUid: string; readonly instanceUid: string } | undefined;
  },
  data: AsyncIterable<Uint8Array>,
): Promise<Stored> {
  const { archive, tenant, source } = pull;
  const { syntax, expected } = object;
  const stored = await archive.instances.store(
    {
      tenant,
      syntax,
      source: source.title,
      issuer: source.issuer,
      whenKnown: source.whenKnown,
      ...(expected === undefined ? {} : { expected }),
    },
    pull.pace.paced(data),
  );
  pull.onStored(stored.kind === 'same' ? 0 : stored.sizeBytes);
  return stored;
}

/** Stores what came and answers. Throws what ends the pull. */
async function keep(pull: StudyPull, message: IncomingMessage, { study }: Wanted, { came }: Told): Promise<void> {
  const { affectedSopClass: classUid, affectedSopInstance: instanceUid } = message.command;
  if (message.data === undefined || classUid === undefined || instanceUid === undefined)
    return message.respond({ status: dimseStatus.cannotUnderstand });
  try {
    const expected = { classUid, instanceUid };
    const stored = await storeObject(pull, { syntax: message.context.transferSyntax, expected }, message.data);
    came.set(instanceUid, cameAs(stored, { study, instanceUid }));
  } catch (error) {
    if (!isOfObject(error)) throw error;
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
  from: DimseSource,
  wanted: Wanted,
  { missing, fetching }: { readonly missing: () => readonly SourceInstance[]; readonly fetching: Fetching },
): Promise<void> {
  const { archive, tenant, clock, signal } = pull;
  const { here, told } = fetching;
  const { status, failed } = await from.line.move(wanted, from.title);
  told.said = saidBy(status);
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
    return { ...names, state: 'missing', why: reason + (told.said === undefined ? '' : ` (${told.said})`) };
  });
}
