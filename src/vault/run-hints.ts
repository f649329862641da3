// Where records were found last: the run of sequences, its pack and the disk that answered, so that reading on costs no query.
//
// Invariants: a hint is where to look first and never an answer: whoever finds nothing there asks the register; what is kept is bounded.

import type { DiskId, PackId, RecordId, WriterId } from '../base/index.ts';
import { Recent } from './cache.ts';

export type RunHint = {
  readonly first: bigint;
  readonly last: bigint;
  readonly pack: PackId;
  readonly disk: DiskId;
};

const writersMax = 256;
const runsOfWriterMax = 32;

export class RunHints {
  readonly #byWriter = new Recent<WriterId, RunHint[]>(writersMax);

  find({ writer, sequence }: RecordId): RunHint | undefined {
    return this.#byWriter.get(writer)?.find(({ first, last }) => first <= sequence && sequence <= last);
  }

  note(writer: WriterId, hint: RunHint): void {
    const others = (this.#byWriter.get(writer) ?? []).filter(({ first }) => first !== hint.first);
    this.#byWriter.set(writer, [hint, ...others.slice(0, runsOfWriterMax - 1)]);
  }

  drop(writer: WriterId, hint: RunHint): void {
    const others = (this.#byWriter.get(writer) ?? []).filter((each) => each !== hint);
    this.#byWriter.set(writer, others);
  }
}
