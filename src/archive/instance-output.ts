// An instance on its way out: as it is stored, or in a transfer syntax that the asker can read.
//
// Invariants: what no amendment changes leaves byte for byte in the syntax it came in, when the asker takes that; pixels are never made into something that has
// lost more than what is stored. Memory is a header and a few chunks.
// Left out on purpose: what an asker takes. Doors have negotiated that.

import { ArchiveError } from '../base/index.ts';
import type { FoundInstance, ObjectRow } from '../catalog/index.ts';
import {
  type DataSet,
  DataSetReader,
  isPlainTranscoding,
  type PixelPool,
  streamDataSet,
  transferSyntaxOf,
} from '../dicom/index.ts';
import { correctedBy, correctedOutput } from './corrected-output.ts';
import type { ReadStored } from './frame-runs.ts';
import { decodeInstance, isDecodable } from './instance-decode.ts';
import { encodeInstance, isEncodable } from './instance-encode.ts';
import type { Correct } from './overlay.ts';
import { readPlain } from './stored-data-set.ts';

export type InstanceOutput = {
  readonly syntax: string;
  /** undefined: known only when it has all been made. */
  readonly sizeBytes: number | undefined;
  readonly pieces: AsyncIterable<Uint8Array>;
  /** Not what is stored, in whatever syntax: an amendment changed it. */
  readonly isCorrected: boolean;
};

/** What compressed pixels are decoded into: the three that every other archive takes. */
const uncompressed: ReadonlySet<string> = new Set(['1.2.840.10008.1.2.1', '1.2.840.10008.1.2', '1.2.840.10008.1.2.2']);

/** The syntax in which an instance would leave, the first of `takes` that it can leave in; undefined when there is none. */
export function syntaxFor(instance: Pick<FoundInstance, 'syntaxUid'>, takes: readonly string[]): string | undefined {
  if (takes.includes(instance.syntaxUid)) return instance.syntaxUid;
  const stored = transferSyntaxOf(instance.syntaxUid);
  const plain = takes.find((syntax) => isPlainTranscoding(stored, transferSyntaxOf(syntax)));
  if (plain !== undefined) return plain;
  const decoded = stored.encapsulated && isDecodable(instance.syntaxUid);
  // Pixels are compressed anew only for who takes them in no other way.
  return (
    (decoded ? takes.find((syntax) => uncompressed.has(syntax)) : undefined) ??
    takes.find((syntax) => isEncodable(instance.syntaxUid, syntax))
  );
}

/** Whether it leaves byte for byte, so that its content may be read without a look at it. */
export function leavesAsStored(
  instance: Pick<FoundInstance, 'syntaxUid' | 'amended'>,
  takes: readonly string[],
): boolean {
  return instance.amended === undefined && syntaxFor(instance, takes) === instance.syntaxUid;
}

/** DICOM_UNSUPPORTED when it can leave in none of the syntaxes. */
export async function outputInstance(
  instance: Pick<FoundInstance, 'syntaxUid'>,
  row: ObjectRow,
  takes: readonly string[],
  given: { readonly read: ReadStored; readonly pool: PixelPool; readonly correct?: Correct | undefined },
): Promise<InstanceOutput> {
  const { correct } = given;
  const stored = transferSyntaxOf(instance.syntaxUid);
  // Readers tell places in a deflated data set by those of the inflated bytes, of which nobody knows the number.
  const read = readPlain(stored, row.sizeBytes, given.read);
  const plainBytes = stored.deflated ? Number.POSITIVE_INFINITY : row.sizeBytes;
  const parts = { ...given, read };
  const syntax = syntaxFor(instance, takes);
  if (syntax === undefined)
    throw new ArchiveError(
      'DICOM_UNSUPPORTED',
      `an instance stored as ${instance.syntaxUid} cannot be given otherwise`,
    );
  if (syntax === instance.syntaxUid) {
    const corrected = correct && (await correctedOutput(stored, plainBytes, read, correct));
    if (corrected !== undefined) return { syntax, ...corrected, isCorrected: true };
    return { syntax, sizeBytes: row.sizeBytes, pieces: given.read(0, row.sizeBytes), isCorrected: false };
  }
  const readAll = async (which: 'usual' | 'all'): Promise<DataSet> => {
    const bulkBytesMin = which === 'all' ? Number.POSITIVE_INFINITY : undefined;
    const reader = new DataSetReader({ syntax: { ...stored, deflated: false }, bulkBytesMin });
    for await (const piece of read(0, plainBytes)) reader.push(piece);
    return reader.finish();
  };
  const original = await readAll('usual');
  const corrected =
    correct && (await correctedBy(correct, async (which) => (which === 'usual' ? original : readAll(which))));
  const dataSet = corrected ?? original;
  const isCorrected = corrected !== undefined;
  if (isEncodable(instance.syntaxUid, syntax)) {
    const pieces = await encodeInstance(dataSet, instance.syntaxUid, syntax, parts);
    return { syntax, sizeBytes: undefined, pieces, isCorrected };
  }
  if (stored.encapsulated) {
    const pieces = await decodeInstance(dataSet, instance.syntaxUid, syntax, parts);
    return { syntax, sizeBytes: undefined, pieces, isCorrected };
  }
  const pieces = streamDataSet(dataSet, transferSyntaxOf(syntax), (bulk) =>
    read(bulk.offset, bulk.offset + bulk.sizeBytes),
  );
  return { syntax, sizeBytes: undefined, pieces, isCorrected };
}
