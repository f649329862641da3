// A pull from a tree of files: every DICOM file below a folder, in the order of its paths, from wherever its job stands.
//
// Invariants: as of pull-run.ts, with files instead of days; a file that is no DICOM object is passed over and told with the reason, one that cannot be read or
// kept is refused and told; a DICOMDIR is not stored, and what it names is compared with what came. Memory is a few files' pieces.
// Left out on purpose: walking the tree (`FileTree` is given): doors open no files.

import { ArchiveError, defaultTenant } from '../../base/index.ts';
import { DicomError, isOtherThanStorage, Part10Reader, tags } from '../../dicom/index.ts';
import { correctAfter } from './apply-corrections.ts';
import type { PullJob, Tally } from './job.ts';
import { Ledger, type LedgerLine } from './ledger.ts';
import { Pace } from './pace.ts';
import { type BegunFile, beginFile, dataSetOf } from './part10-source.ts';
import type { RunParts } from './pull-run.ts';

export type TreeFile = {
  /** Below the folder. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Why it is not read: a link, a device, a folder that may not be opened. */
  readonly problem: string | undefined;
  /** FILE_MISSING, ACCESS_DENIED, DISK_IO. */
  readonly read: () => AsyncIterable<Uint8Array>;
};

export type FileTree = {
  /** All of them in one order that is always the same, those behind a path alone; '' begins. */
  readonly files: (after: string) => AsyncIterable<TreeFile>;
};

const filesPerStep = 500;
const directoryClass = '1.2.840.10008.1.3.10';
const directoryRecords = 0x0004_1220;
const referencedInstance = 0x0004_1511;
/** Of a DICOMDIR, which is read whole. */
const directoryBytesMax = 256 * 1024 * 1024;

/** Runs it to its end, or until it is stopped; the job as it stands then. Errors of the archive pass through when the job was written. */
export async function runFolderPull(start: PullJob, tree: FileTree, parts: RunParts): Promise<PullJob> {
  const { archive, store, clock, signal, onProgress } = parts;
  const place = { archive, tenant: defaultTenant, job: start.id };
  const ledger = new Ledger(place, start.parts);
  const pace = new Pace(parts.pace, clock, signal);
  const tally: Tally = { ...start.tally };
  let job = start;
  const write = async (change: Partial<PullJob>): Promise<void> => {
    job = { ...job, ...change, changedMs: Math.floor(clock.nowMs()) };
    await store.write(job);
  };
  const take = async (file: TreeFile): Promise<LedgerLine[]> => {
    await pace.open();
    const lines = await pullFile(file, { parts, pace, onStored: (bytes) => (tally.bytes += bytes) });
    for (const line of lines) count(tally, line);
    onProgress({ ...job, tally });
    return lines;
  };
  await write({ state: 'running', why: undefined });
  let isStopped = false;
  try {
    for await (const step of stepsOf(tree.files(job.cursor))) {
      if (signal.aborted || (await store.isAskedToStop(job.id))) {
        isStopped = true;
        break;
      }
      const lines = await inOrder(step, take, parts.atOnce, signal);
      if (signal.aborted) {
        isStopped = true;
        break;
      }
      await ledger.add(lines);
      const counted = { parts: await ledger.flush(), tally: { ...tally } };
      await write({ cursor: step.at(-1)?.path ?? job.cursor, ...counted });
    }
    if (!isStopped) {
      await correctAfter(job, { ...place, signal }, (line) => ledger.add([line]));
      await write({ parts: await ledger.flush() });
    }
    await write({ state: isStopped || signal.aborted ? 'stopped' : 'done' });
  } catch (error) {
    const why = error instanceof ArchiveError ? error.code : 'INTERNAL';
    await write({ state: 'stopped', why }).catch(() => undefined);
    if (!signal.aborted) throw error;
  }
  return job;
}

function count(tally: Tally, line: LedgerLine): void {
  if (line.kind === 'instance') {
    tally.instances += 1;
    tally[line.state] += 1;
  } else if (line.kind === 'file') {
    if (line.state === 'refused') tally.refused += 1;
    else tally.passedOver += 1;
  }
}

async function* stepsOf(files: AsyncIterable<TreeFile>): AsyncGenerator<TreeFile[]> {
  let step: TreeFile[] = [];
  for await (const file of files) {
    step.push(file);
    if (step.length < filesPerStep) continue;
    yield step;
    step = [];
  }
  if (step.length > 0) yield step;
}

/** Several at a time; the lines in the order of the files. Ends early when it is stopped, and when one throws. */
async function inOrder(
  files: readonly TreeFile[],
  take: (file: TreeFile) => Promise<LedgerLine[]>,
  atOnce: number,
  signal: AbortSignal,
): Promise<LedgerLine[]> {
  const lines: LedgerLine[][] = [];
  let next = 0;
  let failure: { readonly error: unknown } | undefined;
  const work = async (): Promise<void> => {
    while (next < files.length && !signal.aborted && failure === undefined) {
      const index = next;
      next += 1;
      try {
        lines[index] = await take(files[index] as TreeFile);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  if (failure !== undefined) throw failure.error;
  return lines.flat();
}

type FilePull = { readonly parts: RunParts; readonly pace: Pace; readonly onStored: (bytes: number) => void };

/** What one file is, and what became of it. */
async function pullFile(file: TreeFile, pull: FilePull): Promise<LedgerLine[]> {
  const told = (state: 'passed-over' | 'refused', why: string): LedgerLine[] => [
    { kind: 'file', path: file.path, sizeBytes: file.sizeBytes, state, why },
  ];
  if (file.problem !== undefined) return told('passed-over', file.problem);
  if (file.sizeBytes === 0) return told('passed-over', 'it is empty');
  const source = file.read()[Symbol.asyncIterator]();
  try {
    const begun = await beginFile(source);
    if (begun.kind === 'foreign') return told('passed-over', 'it is no DICOM file');
    const { meta } = begun;
    const mediaClass = meta.dataSet.string(tags.MediaStorageSOPClassUID);
    if (mediaClass === directoryClass) {
      const named = await readDirectory(begun, source);
      return [
        ...told('passed-over', 'it is a DICOMDIR'),
        ...named.map((instance) => ({ kind: 'named' as const, instance })),
      ];
    }
    if (mediaClass !== undefined && isOtherThanStorage(mediaClass))
      return told('passed-over', 'it is of no storage class');
    return [await storeFile(pull, begun, source)];
  } catch (error) {
    if (error instanceof DicomError) return told('refused', error.code);
    if (!(error instanceof ArchiveError) || !ofThisFile.has(error.code)) throw error;
    return told('refused', error.code);
  } finally {
    await source.return?.();
  }
}

/** What only this file is to blame for; everything else ends the pull, to go on later. */
const ofThisFile: ReadonlySet<string> = new Set([
  'DICOM_MALFORMED',
  'LIMIT_EXCEEDED',
  'FILE_MISSING',
  'ACCESS_DENIED',
  'DISK_IO',
]);

async function storeFile(
  { parts, pace, onStored }: FilePull,
  begun: BegunFile,
  source: AsyncIterator<Uint8Array>,
): Promise<LedgerLine> {
  const { meta } = begun;
  const classUid = meta.dataSet.string(tags.MediaStorageSOPClassUID);
  const instanceUid = meta.dataSet.string(tags.MediaStorageSOPInstanceUID);
  const stored = await parts.archive.instances.store(
    {
      tenant: defaultTenant,
      syntax: meta.syntax.uid,
      source: 'folder',
      ...(classUid === undefined || instanceUid === undefined ? {} : { expected: { classUid, instanceUid } }),
    },
    pace.paced(dataSetOf(begun, source)),
  );
  if (stored.kind !== 'same') onStored(stored.sizeBytes);
  const state = { stored: 'stored', same: 'here', beside: 'different' } as const;
  return {
    kind: 'instance',
    study: stored.studyUid,
    series: stored.seriesUid,
    instance: stored.instanceUid,
    state: state[stored.kind],
    sha256: stored.digest,
    ...(stored.kind === 'beside' ? { why: 'the UID was known with other bytes' } : {}),
  };
}

/** The instances that a DICOMDIR names. */
async function readDirectory(begun: BegunFile, source: AsyncIterator<Uint8Array>): Promise<string[]> {
  const reader = new Part10Reader();
  let sizeBytes = 0;
  const push = (piece: Uint8Array): void => {
    sizeBytes += piece.byteLength;
    if (sizeBytes > directoryBytesMax)
      throw new ArchiveError('LIMIT_EXCEEDED', `a DICOMDIR has at most ${directoryBytesMax} bytes`);
    reader.push(piece);
  };
  for (const piece of begun.held) push(piece);
  for (let next = await source.next(); next.done !== true; next = await source.next()) push(next.value);
  return reader
    .finish()
    .items(directoryRecords)
    .flatMap((record) => record.string(referencedInstance) ?? []);
}
