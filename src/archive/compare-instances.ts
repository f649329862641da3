// How two data sets of one instance UID differ: in how they are encoded, in their headers, or in what they show.
//
// Invariants: pixels are decoded and compared sample by sample, in a worker, unless their bytes are the same already; what cannot be decoded here is the same only when its coded bytes are; nothing is guessed. Documents,
// waveforms and spectra are what an instance shows, like pixels. Memory is two headers and two frames, whatever the length (a deflated data set, which has to be
// inflated whole, is held within a limit and undecided beyond it).

import { promisify } from 'node:util';
import { inflateRaw } from 'node:zlib';
import { bytesEqual, concatBytes, isArchiveError } from '../base/index.ts';
import {
  type AnyVr,
  type BulkElement,
  type CharacterSet,
  type DataSet,
  DataSetReader,
  explicitLittle,
  type FragmentsElement,
  isVr,
  type PixelPool,
  samePersonName,
  tags,
  transferSyntaxOf,
  vrFacts,
} from '../dicom/index.ts';
import type { Difference } from '../format/index.ts';
import type { ReadStored } from './frame-runs.ts';
import { headerDifference, identityDifference } from './header-difference.ts';
import { shapeOfHeader } from './instance-decode.ts';
import { framesOfInstance, type InstanceFrames, pixelsOf } from './instance-frames.ts';

export type ComparedSide = { readonly syntax: string; readonly sizeBytes: number; readonly read: ReadStored };

export type InstanceDifference = {
  readonly difference: Difference;
  readonly identity: readonly string[];
  readonly paths: readonly string[];
};

type Parts = {
  readonly pool: PixelPool;
  readonly setOf: (dataSet: DataSet) => CharacterSet;
  readonly signal: AbortSignal;
};

const inflatedBytesMax = 256 * 1024 * 1024;
/** Encapsulated documents, waveforms, spectra: first tags of paths that are what an instance shows. */
const shown = /^(00420011|54000100|56000020)/;

/** Errors of reading pass through; ends early with the signal's reason. */
export async function compareInstances(
  one: ComparedSide,
  other: ComparedSide,
  parts: Parts,
): Promise<InstanceDifference> {
  const sides = [await openSide(one), await openSide(other)] as const;
  const [a, b] = sides;
  const identity = identityDifference(
    { dataSet: a.dataSet, set: parts.setOf(a.dataSet) },
    { dataSet: b.dataSet, set: parts.setOf(b.dataSet) },
    samePersonName,
  );
  const header = headerDifference(a.dataSet, b.dataSet, { sameSyntax: one.syntax === other.syntax });
  const paths = [...header.paths];
  for (const { path, one: left, other: right } of header.long)
    if (!(await sameLong(a, left, b, right, parts.signal))) paths.push(path);
  const pixels = await comparePixels(a, b, parts);
  const showsOther = pixels === 'differ' || paths.some((path) => shown.test(path));
  const difference = showsOther
    ? 'pixels'
    : pixels === undefined
      ? 'undecided'
      : paths.length > 0
        ? 'header'
        : 'syntax';
  return { difference, identity, paths };
}

type Side = {
  readonly dataSet: DataSet;
  readonly syntax: string;
  readonly read: ReadStored;
  readonly tooLarge: boolean;
};

async function openSide({ syntax: uid, sizeBytes, read }: ComparedSide): Promise<Side> {
  const syntax = transferSyntaxOf(uid);
  if (!syntax.deflated) {
    const reader = new DataSetReader({ syntax });
    for await (const piece of read(0, sizeBytes)) reader.push(piece);
    return { dataSet: reader.finish(), syntax: uid, read, tooLarge: false };
  }
  const inflated = await inflate(await gathered(read(0, Math.min(sizeBytes, inflatedBytesMax))));
  if (inflated === undefined) {
    const reader = new DataSetReader({ syntax });
    for await (const piece of read(0, sizeBytes)) reader.push(piece);
    return { dataSet: reader.finish(), syntax: uid, read, tooLarge: true };
  }
  const reader = new DataSetReader({ syntax: explicitLittle });
  reader.push(inflated);
  async function* readInflated(from: number, to: number): AsyncGenerator<Uint8Array> {
    yield (inflated as Uint8Array).subarray(from, to);
  }
  return { dataSet: reader.finish(), syntax: explicitLittle.uid, read: readInflated, tooLarge: false };
}

/** undefined: more than the limit, or not what zlib reads. */
async function inflate(bytes: Uint8Array): Promise<Uint8Array | undefined> {
  try {
    return await promisify(inflateRaw)(bytes, { maxOutputLength: inflatedBytesMax });
  } catch {
    return undefined;
  }
}

async function sameLong(a: Side, one: Long, b: Side, other: Long, signal: AbortSignal): Promise<boolean> {
  if (a.tooLarge || b.tooLarge || one.reference.sizeBytes !== other.reference.sizeBytes) return false;
  const swapBytes = one.reference.bigEndian === other.reference.bigEndian ? 1 : wordBytesOf(one.vr);
  const pieceBytes = 1024 * 1024;
  for (let at = 0; at < one.reference.sizeBytes; at += pieceBytes) {
    signal.throwIfAborted();
    const end = Math.min(one.reference.sizeBytes, at + pieceBytes);
    const left = await gathered(a.read(one.reference.offset + at, one.reference.offset + end));
    const right = await gathered(b.read(other.reference.offset + at, other.reference.offset + end));
    if (!bytesEqual(swapped(left, swapBytes), right)) return false;
  }
  return true;
}

type Long = BulkElement | FragmentsElement;

function wordBytesOf(vr: AnyVr): number {
  return isVr(vr) ? vrFacts(vr).wordBytes : 1;
}

/** Words the other way round. */
function swapped(bytes: Uint8Array, wordBytes: number): Uint8Array {
  for (let at = 0; wordBytes > 1 && at + wordBytes <= bytes.byteLength; at += wordBytes)
    bytes.subarray(at, at + wordBytes).reverse();
  return bytes;
}

/** undefined: not to be decided. */
async function comparePixels(a: Side, b: Side, parts: Parts): Promise<'same' | 'differ' | undefined> {
  if (a.tooLarge || b.tooLarge) return undefined;
  if (await isSameAsCoded(a, b, parts.signal)) return 'same';
  try {
    const one = await framesOfInstance(a.dataSet, a.syntax, a.read);
    const other = await framesOfInstance(b.dataSet, b.syntax, b.read);
    if (one === undefined && other === undefined) return 'same';
    if (one === undefined || other === undefined || one.count !== other.count) return 'differ';
    return await compareFrames(one, other, parts);
  } catch (error) {
    const isUntold = (['DICOM_UNSUPPORTED', 'DICOM_MALFORMED', 'LIMIT_EXCEEDED'] as const).some((code) =>
      isArchiveError(error, code),
    );
    if (!isUntold) throw error;
    return undefined;
  }
}

/** The same bytes said to be the same shape show the same, whether they can be decoded here or not. */
async function isSameAsCoded(a: Side, b: Side, signal: AbortSignal): Promise<boolean> {
  const [one, other] = [pixelsOf(a.dataSet), pixelsOf(b.dataSet)];
  if (one === undefined || other === undefined || one.kind !== other.kind || one.kind === 'items') return false;
  const says = ({ dataSet }: Side): string =>
    JSON.stringify([shapeOfHeader(dataSet), dataSet.number(tags.NumberOfFrames) ?? 1]);
  if (one.tag !== other.tag || says(a) !== says(b)) return false;
  const isNative = one.kind !== 'fragments';
  const isKnown = transferSyntaxOf(a.syntax).known && transferSyntaxOf(b.syntax).known;
  if (a.syntax !== b.syntax && !(isNative && isKnown)) return false;
  if (one.kind === 'bytes') return other.kind === 'bytes' && bytesEqual(one.bytes, other.bytes);
  if (other.kind === 'bytes' || other.kind === 'items') return false;
  return one.reference.bigEndian === other.reference.bigEndian && sameLong(a, one, b, other, signal);
}

async function compareFrames(
  one: InstanceFrames,
  other: InstanceFrames,
  { pool, signal }: Parts,
): Promise<'same' | 'differ' | undefined> {
  let undecided = false;
  for (let index = 0; index < one.count; index += 1) {
    signal.throwIfAborted();
    const [left, right] = [await one.read(index), await other.read(index)];
    const asCoded = left.syntax === right.syntax && left.inWords === right.inWords;
    if (asCoded && JSON.stringify(left.shape) === JSON.stringify(right.shape) && bytesEqual(left.bytes, right.bytes))
      continue;
    const compared = await pool.compare(left, right, { canWait: true });
    if (compared === 'differ') return 'differ';
    if (compared === undefined) undecided = true;
  }
  return undecided ? undefined : 'same';
}

async function gathered(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece.slice());
  return concatBytes(all);
}
