// Instances in their order, each opened while those before it are being sent.
//
// Invariants: at most `aheadMax` are open at once, and the memory they hold ahead is bounded by `aheadBytesMax`; larger ones are read while they are sent.
// One that cannot be opened comes out without its bytes, for its sender to count.

import { ArchiveError } from '../base/index.ts';
import type { InstanceOutput } from './instance-output.ts';
import type { Instances } from './instances.ts';
import type { AmendedInstance } from './overlay.ts';

export type SentInstance = {
  readonly id: string;
  readonly classUid: string;
  readonly instanceUid: string;
  readonly syntaxUid: string;
  readonly sizeBytes: number;
} & AmendedInstance;

export type Outgoing<Each extends SentInstance = SentInstance> = {
  readonly instance: Each;
  readonly output: InstanceOutput | undefined;
};

const aheadMax = 4;
const aheadBytesMax = 1024 * 1024;

export async function* readAhead<Each extends SentInstance>(
  instances: readonly Each[],
  from: Pick<Instances, 'output'>,
  takes: (instance: Each) => readonly string[],
): AsyncGenerator<Outgoing<Each>> {
  const ahead: Promise<Outgoing<Each>>[] = [];
  let next = 0;
  while (next < instances.length || ahead.length > 0) {
    while (next < instances.length && ahead.length < aheadMax) {
      const instance = instances[next] as Each;
      next += 1;
      const opening = open(instance, from, takes(instance));
      // Whoever stops in the middle leaves it behind.
      opening.catch(() => undefined);
      ahead.push(opening);
    }
    const first = ahead.shift();
    if (first !== undefined) yield await first;
  }
}

async function open<Each extends SentInstance>(
  instance: Each,
  from: Pick<Instances, 'output'>,
  takes: readonly string[],
): Promise<Outgoing<Each>> {
  try {
    const output = await from.output(instance, takes);
    if (instance.sizeBytes > aheadBytesMax) return { instance, output };
    const pieces: Uint8Array[] = [];
    for await (const piece of output.pieces) pieces.push(piece);
    return { instance, output: { ...output, pieces: inOrder(pieces) } };
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error;
    return { instance, output: undefined };
  }
}

async function* inOrder(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}
