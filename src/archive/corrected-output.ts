// A corrected instance in the syntax it is stored in: its header written anew, and everything from the pixels on as it lies.
//
// Invariants: only the header is read before the first byte goes out, and only it is held; lengths are those of what is written; what no amendment changes has its bytes.
// Left out on purpose: other syntaxes (instance-output.ts).

import { ArchiveError } from '../base/index.ts';
import { type DataSet, DataSetReader, planDataSet, streamDataSet, type TransferSyntax } from '../dicom/index.ts';
import type { ReadStored } from './frame-runs.ts';
import type { Correct } from './overlay.ts';

/** The first group that is no header any more: pixels, and what may follow them. */
const pixelGroup = 0x7fe0_0000;

export type ReadHeader = {
  readonly header: DataSet;
  /** Where it ends in the data set. */
  readonly endOffset: number;
  /** Whether VRs stand in it, whatever the syntax says: what follows it goes on in the same way. */
  readonly explicit: boolean;
};

/** The header of a data set whose bytes are read by their places in its own encoding. `all`: with values however large. */
export async function readHeader(
  syntax: TransferSyntax,
  sizeBytes: number,
  read: ReadStored,
  which: 'usual' | 'all',
): Promise<ReadHeader> {
  const reader = new DataSetReader({
    syntax: { ...syntax, deflated: false },
    stopAt: pixelGroup,
    bulkBytesMin: which === 'all' ? Number.POSITIVE_INFINITY : undefined,
  });
  for await (const piece of read(0, sizeBytes)) {
    reader.push(piece);
    if (reader.state !== 'reading') break;
  }
  const header = reader.finish();
  const odd = reader.oddities.find(({ offset }) => offset === 0)?.kind;
  const explicit = odd === 'explicit-in-implicit' || (syntax.explicit && odd !== 'implicit-in-explicit');
  return { header, endOffset: reader.offset, explicit };
}

/** Corrects a header that is read by `readHeader` or as it was. undefined: nothing changes. */
export async function correctedBy(
  correct: Correct,
  read: (which: 'usual' | 'all') => Promise<DataSet>,
): Promise<DataSet | undefined> {
  const corrected = correct(await read('usual'));
  if (corrected !== 'text-passed-over') return corrected;
  const again = correct(await read('all'));
  if (again === 'text-passed-over')
    throw new ArchiveError(
      'DICOM_UNSUPPORTED',
      'a text of this header is too long to be said in another character set',
    );
  return again;
}

export type CorrectedOutput = { readonly sizeBytes: number | undefined; readonly pieces: AsyncGenerator<Uint8Array> };

/** undefined: it leaves as it is stored. `read` by places of the data set's own encoding, of which there are `plainBytes` (where it is deflated: any greater number). */
export async function correctedOutput(
  syntax: TransferSyntax,
  plainBytes: number,
  read: ReadStored,
  correct: Correct,
): Promise<CorrectedOutput | undefined> {
  let endOffset = 0;
  let explicit = syntax.explicit;
  const header = await correctedBy(correct, async (which) => {
    const found = await readHeader(syntax, plainBytes, read, which);
    ({ endOffset, explicit } = found);
    return found.header;
  });
  if (header === undefined) return undefined;
  const readBulk = ({ offset, sizeBytes }: { readonly offset: number; readonly sizeBytes: number }) =>
    read(offset, offset + sizeBytes);
  const plain = { ...syntax, explicit, deflated: false };
  if (syntax.deflated) {
    const reader = new DataSetReader({ syntax: plain });
    for await (const piece of read(0, plainBytes)) reader.push(piece);
    const whole = reader.finish().elements.filter(({ tag }) => tag >= pixelGroup);
    for (const element of whole) header.append(element);
    return { sizeBytes: undefined, pieces: streamDataSet(header, syntax, readBulk) };
  }
  const { sizeBytes } = planDataSet(header, plain);
  async function* pieces(found: DataSet): AsyncGenerator<Uint8Array> {
    yield* streamDataSet(found, plain, readBulk);
    yield* read(endOffset, plainBytes);
  }
  return { sizeBytes: sizeBytes + plainBytes - endOffset, pieces: pieces(header) };
}
