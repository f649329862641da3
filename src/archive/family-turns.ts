// One family at a time: the names being written now, which group each gets, and whose turn it is to decide.
//
// Invariants: two writers of one new name get the same group, also when neither has stored anything yet; between a decision on a name and the
// commit of what was decided nobody else decides on it; what is kept is bounded by the writes under way.

import { assert, defined, hexOf, type KeyGroup } from '../base/index.ts';

type Family = { users: number; group: Promise<KeyGroup> | undefined; last: Promise<void> };

export class FamilyTurns {
  readonly #families = new Map<string, Family>();

  get size(): number {
    return this.#families.size;
  }

  /** Lends the family's group, found or drawn by `find`, which runs once for all who write to the family at the time. */
  async withGroup<T>(
    family: Uint8Array,
    find: () => Promise<KeyGroup>,
    work: (group: KeyGroup) => Promise<T>,
  ): Promise<T> {
    const name = hexOf(family);
    const known = this.#families.get(name) ?? { users: 0, group: undefined, last: Promise.resolve() };
    this.#families.set(name, known);
    known.users += 1;
    try {
      // A search that failed is tried again by the next writer.
      known.group ??= find().catch((error: unknown) => {
        known.group = undefined;
        throw error;
      });
      return await work(await known.group);
    } finally {
      known.users -= 1;
      assert(known.users >= 0, 'a family is left as often as it was entered');
      if (known.users === 0) this.#families.delete(name);
    }
  }

  /** Runs `work` when those before it on this family are done. Only within `withGroup`. */
  async inTurn<T>(family: Uint8Array, work: () => Promise<T>): Promise<T> {
    const known = defined(this.#families.get(hexOf(family)), 'a family that is being written to');
    const before = known.last;
    let done = (): void => undefined;
    known.last = new Promise((resolve) => {
      done = resolve;
    });
    try {
      await before;
      return await work();
    } finally {
      done();
    }
  }
}
