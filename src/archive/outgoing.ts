// Instances on their way out in their order: batch by batch, each opened while those before it are being sent.
//
// Invariants: a batch's bytes are good until the next batch is asked for, or the asking ends; at most `aheadMax` batches are open at once, each of a
// stretch of a pack or of one instance, of which at most `aheadBytesMax` are held; larger ones are read while they are sent. One that cannot be opened comes
// out without its bytes, for its sender to count.

import { ArchiveError } from '../base/index.ts';
import type { Stretch, Vault, WholeContent } from '../vault/index.ts';
import { type InstanceOutput, leavesAsStored } from './instance-output.ts';
import type { AmendedInstance } from './overlay.ts';

export type SentInstance = {
  readonly id: string;
  readonly classUid: string;
  readonly instanceUid: string;
  readonly syntaxUid: string;
  readonly sizeBytes: number;
} & AmendedInstance;

/** What there is of it at once, or as it is read. */
export type OutgoingBytes = Omit<InstanceOutput, 'pieces'> & {
  readonly pieces: readonly Uint8Array[] | AsyncIterable<Uint8Array>;
};

export type Outgoing<Each extends SentInstance = SentInstance> = {
  readonly instance: Each;
  readonly output: OutgoingBytes | undefined;
  /** Why there are no bytes. */
  readonly failure?: ArchiveError | undefined;
};

export type OutgoingParts = {
  /** Where the contents of these lie, by their ids; of those alone that can be read at all. */
  readonly contents: (instances: readonly SentInstance[]) => Promise<ReadonlyMap<string, WholeContent>>;
  readonly stretches: Vault['stretches'];
  readonly output: (instance: SentInstance, takes: readonly string[]) => Promise<InstanceOutput>;
};

type Takes<Each> = (instance: Each) => readonly string[];
type Batch<Each extends SentInstance> = { readonly outgoing: readonly Outgoing<Each>[]; readonly release: () => void };
type OpenBatch<Each extends SentInstance> = () => Promise<Batch<Each>>;

const aheadMax = 4;
const aheadBytesMax = 1024 * 1024;
/** Instances of which the catalog is asked at once where their contents lie. */
const askedMax = 256;

export async function* sendOut<Each extends SentInstance>(
  instances: readonly Each[],
  takes: Takes<Each>,
  parts: OutgoingParts,
): AsyncGenerator<readonly Outgoing<Each>[]> {
  const planned = planBatches(instances, takes, parts);
  const ahead: Promise<Batch<Each>>[] = [];
  try {
    for (let isMore = true; ; ) {
      while (isMore && ahead.length < aheadMax) {
        const next = await planned.next();
        isMore = next.done !== true;
        if (next.done === true) break;
        const opening = next.value();
        // Whoever stops in the middle leaves it behind.
        opening.catch(() => undefined);
        ahead.push(opening);
      }
      const first = ahead.shift();
      if (first === undefined) return;
      const { outgoing, release } = await first;
      try {
        yield outgoing;
      } finally {
        release();
      }
    }
  } finally {
    for (const each of ahead)
      void each.then(
        ({ release }) => release(),
        () => undefined,
      );
  }
}

/** Neighbours that leave as they are stored go together, all others one by one. */
async function* planBatches<Each extends SentInstance>(
  instances: readonly Each[],
  takes: Takes<Each>,
  parts: OutgoingParts,
): AsyncGenerator<OpenBatch<Each>, void> {
  for (let from = 0; from < instances.length; from += askedMax) {
    const asked = instances.slice(from, from + askedMax);
    const whole = asked.filter((each) => leavesAsStored(each, takes(each)));
    const contents = await parts.contents(whole);
    for (let at = 0; at < asked.length; ) {
      const neighbours = runOf(asked, at, contents);
      if (neighbours.length === 0) {
        const alone = asked[at] as Each;
        at += 1;
        yield async () => ({ outgoing: [await openAlone(alone, takes, parts)], release: () => undefined });
        continue;
      }
      const stretch = parts.stretches.next(neighbours);
      const batch = asked.slice(at, at + stretch.contents.length);
      at += batch.length;
      yield () => openStretch(batch, stretch, takes, parts);
    }
  }
}

/** Contents of instances from this one on, up to the first that has to be opened alone. */
function runOf(
  instances: readonly SentInstance[],
  from: number,
  contents: ReadonlyMap<string, WholeContent>,
): WholeContent[] {
  const run: WholeContent[] = [];
  for (let at = from; at < instances.length; at += 1) {
    const content = contents.get((instances[at] as SentInstance).id);
    if (content === undefined) break;
    run.push(content);
  }
  return run;
}

async function openStretch<Each extends SentInstance>(
  instances: readonly Each[],
  stretch: Stretch,
  takes: Takes<Each>,
  parts: OutgoingParts,
): Promise<Batch<Each>> {
  const { contents, release } = await parts.stretches.open(stretch);
  try {
    const outgoing: Outgoing<Each>[] = [];
    for (const [index, instance] of instances.entries()) {
      const bytes = contents[index];
      outgoing.push(bytes === undefined ? await openAlone(instance, takes, parts) : asStored(instance, bytes));
    }
    return { outgoing, release };
  } catch (error) {
    release();
    throw error;
  }
}

function asStored<Each extends SentInstance>(instance: Each, bytes: Uint8Array): Outgoing<Each> {
  const { syntaxUid, sizeBytes } = instance;
  return { instance, output: { syntax: syntaxUid, sizeBytes, pieces: [bytes], isCorrected: false } };
}

async function openAlone<Each extends SentInstance>(
  instance: Each,
  takes: Takes<Each>,
  { output: open }: OutgoingParts,
): Promise<Outgoing<Each>> {
  try {
    const output = await open(instance, takes(instance));
    if (instance.sizeBytes > aheadBytesMax) return { instance, output };
    const pieces: Uint8Array[] = [];
    let heldBytes = 0;
    const coming = output.pieces[Symbol.asyncIterator]();
    for (let next = await coming.next(); next.done !== true; next = await coming.next()) {
      pieces.push(next.value);
      heldBytes += next.value.byteLength;
      // Decoded it may be many times what is stored.
      if (heldBytes > aheadBytesMax) return { instance, output: { ...output, pieces: follows(pieces, coming) } };
    }
    return { instance, output: { ...output, pieces } };
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error;
    return { instance, output: undefined, failure: error };
  }
}

async function* follows(
  held: readonly Uint8Array[],
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* held;
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}
