// An instance on its way out: as it is stored, or in a transfer syntax that the asker can read.
//
// Invariants: what nobody corrected leaves byte for byte in the syntax it came in, when the asker takes that; pixels are never made into something that has
// lost more than what is stored. Memory is a header and a few chunks.
// Left out on purpose: what an asker takes. Doors have negotiated that.

import { ArchiveError } from '../base/index.ts';
import type { FoundInstance, ObjectRow } from '../catalog/index.ts';
import { DataSetReader, isPlainTranscoding, type PixelPool, streamDataSet, transferSyntaxOf } from '../dicom/index.ts';
import type { ReadStored } from './frame-runs.ts';
import { decodeInstance, isDecodable } from './instance-decode.ts';
import { encodeInstance, isEncodable } from './instance-encode.ts';

export type InstanceOutput = {
  readonly syntax: string;
  /** undefined: known only when it has all been made. */
  readonly sizeBytes: number | undefined;
  readonly pieces: AsyncIterable<Uint8Array>;
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

/** DICOM_UNSUPPORTED when it can leave in none of the syntaxes. */
export async function outputInstance(
  instance: Pick<FoundInstance, 'syntaxUid'>,
  row: ObjectRow,
  takes: readonly string[],
  parts: { readonly read: ReadStored; readonly pool: PixelPool },
): Promise<InstanceOutput> {
  const { read } = parts;
  const syntax = syntaxFor(instance, takes);
  if (syntax === undefined)
    throw new ArchiveError(
      'DICOM_UNSUPPORTED',
      `an instance stored as ${instance.syntaxUid} cannot be given otherwise`,
    );
  if (syntax === instance.syntaxUid) return { syntax, sizeBytes: row.sizeBytes, pieces: read(0, row.sizeBytes) };
  const reader = new DataSetReader({ syntax: transferSyntaxOf(instance.syntaxUid) });
  for await (const piece of read(0, row.sizeBytes)) reader.push(piece);
  const dataSet = reader.finish();
  if (isEncodable(instance.syntaxUid, syntax)) {
    const pieces = await encodeInstance(dataSet, instance.syntaxUid, syntax, parts);
    return { syntax, sizeBytes: undefined, pieces };
  }
  if (transferSyntaxOf(instance.syntaxUid).encapsulated) {
    const pieces = await decodeInstance(dataSet, instance.syntaxUid, syntax, parts);
    return { syntax, sizeBytes: undefined, pieces };
  }
  const pieces = streamDataSet(dataSet, transferSyntaxOf(syntax), (bulk) =>
    read(bulk.offset, bulk.offset + bulk.sizeBytes),
  );
  return { syntax, sizeBytes: undefined, pieces };
}
