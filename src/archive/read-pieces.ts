// Pieces of a source, read into memory that is used again where the source can fill memory of ours.
//
// Why: a source that hands out its own buffers gives them away for ever; for objects of half a megabyte that arrive a thousand a second their
// collection costs more than everything else the main thread does.
// Invariants: a piece is good until the next is asked for; memory that is lent goes back when the reading ends, however it ends; what is kept is bounded.

/** Bytes from outside: pieces, and where the source can do it, filling a buffer (at least one byte at a time, 0 at the end). */
export type ByteSource = AsyncIterable<Uint8Array> & {
  readonly read?: ((target: Uint8Array) => Promise<number>) | undefined;
};

const pieceBytes = 128 * 1024;
const keptMax = 32;
const kept: Uint8Array[] = [];

export async function* readPieces(source: ByteSource): AsyncGenerator<Uint8Array> {
  if (source.read === undefined) {
    yield* source;
    return;
  }
  const target = kept.pop() ?? new Uint8Array(pieceBytes);
  try {
    for (let count = await source.read(target); count > 0; count = await source.read(target)) {
      yield target.subarray(0, count);
    }
  } finally {
    if (kept.length < keptMax) kept.push(target);
  }
}
