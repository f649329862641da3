// Work on one path in the order it was asked for; work on different paths side by side.
//
// Invariant: what fails does not stop what waits behind it. A path that nothing waits for is forgotten.

export class PathQueue {
  readonly #last = new Map<string, Promise<void>>();

  async run(path: string, work: () => Promise<void>): Promise<void> {
    const before = this.#last.get(path) ?? Promise.resolve();
    const mine = before.then(work, work);
    this.#last.set(path, mine);
    try {
      await mine;
    } finally {
      if (this.#last.get(path) === mine) this.#last.delete(path);
    }
  }
}
