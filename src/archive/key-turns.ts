// One at a time by name: whoever reads something, decides and writes does so without another in between.
//
// Invariant: what is kept is bounded by the work under way; work that fails lets the next one in.

export class KeyTurns {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Runs `work` when those before it under this name are done. */
  async inTurn<T>(name: string, work: () => Promise<T>): Promise<T> {
    const mine = (this.#last.get(name) ?? Promise.resolve()).then(work, work);
    this.#last.set(name, mine);
    try {
      return await mine;
    } finally {
      if (this.#last.get(name) === mine) this.#last.delete(name);
    }
  }
}
