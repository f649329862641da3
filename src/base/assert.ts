// Assertions for our own mistakes. They stay on in production and cost the process, not the data.
//
// Never asserted: bytes from a peer or a disk. Those are checked, and a failure is an ArchiveError.

export class AssertionFault extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'AssertionFault';
  }
}

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionFault(message);
}

/** The value, which our own reasoning says is there. */
export function defined<T>(value: T | undefined | null, message: string): T {
  if (value === undefined || value === null) throw new AssertionFault(message);
  return value;
}

/** For the default branch of an exhaustive switch. */
export function never(value: never, message: string): never {
  throw new AssertionFault(`${message}: ${String(value)}`);
}
