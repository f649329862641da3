// Which files are poisoned: one record a file, shared by everyone who has it open, kept for as long as the disk is
// open.
//
// Invariants: a record outlives its last close only when poisoned; it follows the file through a rename and ends with a
// remove or a replacement, so a new file under the old name is healthy. Never healed otherwise.

export class FileHealth {
  poisoned = false;
  users = 0;
}

export class FileHealths {
  readonly #byPath = new Map<string, FileHealth>();

  isPoisoned(path: string): boolean {
    return this.#byPath.get(path)?.poisoned === true;
  }

  take(path: string): FileHealth {
    let health = this.#byPath.get(path);
    if (health === undefined) {
      health = new FileHealth();
      this.#byPath.set(path, health);
    }
    health.users += 1;
    return health;
  }

  give(health: FileHealth): void {
    health.users -= 1;
    if (health.users > 0 || health.poisoned) return;
    for (const [path, each] of this.#byPath) {
      if (each === health) {
        this.#byPath.delete(path);
        return;
      }
    }
  }

  renamed(from: string, to: string): void {
    const health = this.#byPath.get(from);
    this.#byPath.delete(from);
    if (health === undefined) this.#byPath.delete(to);
    else this.#byPath.set(to, health);
  }

  removed(path: string): void {
    this.#byPath.delete(path);
  }
}
