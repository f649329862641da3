// The index of a pack that is still written to: the rows its footer will hold, kept in memory until it is sealed.
//
// Invariants: at most `packRecordsMax` rows of 96 bytes, in the order of their offsets; a record is found by its id without a walk.
// Bounded by the pack, and there are few open packs.

import { assert, defined, type HybridTime, type RecordId, type WriterId } from '../base/index.ts';
import {
  decodeIndexRow,
  encodeIndexRow,
  type IndexRow,
  indexRowBytes,
  indexRowKind,
  isFactKind,
  MerkleRoot,
  packRecordsMax,
  type SequenceRun,
} from '../format/index.ts';

const rowsAtFirst = 1024;

/** By sequence; `rows` says where each stands. */
type WriterRows = { readonly sequences: number[]; readonly rows: number[] };

export class OpenIndex {
  #bytes = new Uint8Array(rowsAtFirst * indexRowBytes);
  #count = 0;
  #factCount = 0;
  #hybridLeast: HybridTime | undefined;
  #hybridGreatest: HybridTime | undefined;
  readonly #tree = new MerkleRoot();
  readonly #byWriter = new Map<WriterId, WriterRows>();

  get count(): number {
    return this.#count;
  }

  get factCount(): number {
    return this.#factCount;
  }

  /** Of all records; there is one. */
  get hybridRange(): { readonly least: HybridTime; readonly greatest: HybridTime } {
    return {
      least: defined(this.#hybridLeast, 'an index with a record'),
      greatest: defined(this.#hybridGreatest, 'an index with a record'),
    };
  }

  add(row: IndexRow): void {
    assert(this.#count < packRecordsMax, 'an open pack keeps to its limit of records');
    const at = this.#count * indexRowBytes;
    if (at === this.#bytes.byteLength) {
      const grown = new Uint8Array(this.#bytes.byteLength * 2);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    encodeIndexRow(row, this.#bytes, at);
    this.#tree.add(row.leaf);
    const sequence = Number(row.id.sequence);
    let rows = this.#byWriter.get(row.id.writer);
    if (rows === undefined) {
      rows = { sequences: [], rows: [] };
      this.#byWriter.set(row.id.writer, rows);
    }
    insert(rows, sequence, this.#count);
    this.#count += 1;
    if (isFactKind(row.kind)) this.#factCount += 1;
    if (this.#hybridLeast === undefined || row.hybrid < this.#hybridLeast) this.#hybridLeast = row.hybrid;
    if (this.#hybridGreatest === undefined || row.hybrid > this.#hybridGreatest) this.#hybridGreatest = row.hybrid;
  }

  #row(index: number): IndexRow {
    assert(index >= 0 && index < this.#count, 'a row that is there');
    return decodeIndexRow(this.#bytes, index);
  }

  find(id: RecordId): IndexRow | undefined {
    const rows = this.#byWriter.get(id.writer);
    if (rows === undefined) return undefined;
    const sequence = Number(id.sequence);
    const place = placeOf(rows.sequences, sequence);
    return rows.sequences[place] === sequence ? this.#row(rows.rows[place] as number) : undefined;
  }

  /** Rows as a footer holds them, in the order of record ids, at most so many at a time. A copy of the whole is never made. */
  *sortedPages(rowsMax: number): Generator<Uint8Array> {
    let page = new Uint8Array(Math.min(rowsMax, this.#count) * indexRowBytes);
    let filled = 0;
    let left = this.#count;
    for (const { rows } of this.#writers()) {
      for (const row of rows) {
        page.set(this.#bytes.subarray(row * indexRowBytes, (row + 1) * indexRowBytes), filled);
        filled += indexRowBytes;
        left -= 1;
        if (filled < page.byteLength) continue;
        yield page;
        page = new Uint8Array(Math.min(rowsMax, left) * indexRowBytes);
        filled = 0;
      }
    }
  }

  /** The root over the leaves in the order of their offsets. */
  root(): Uint8Array {
    return this.#tree.root();
  }

  /** Unbroken runs of each writer's sequences: by them a record's pack is found. */
  runs(): SequenceRun[] {
    const runs: SequenceRun[] = [];
    for (const { writer, sequences } of this.#writers()) {
      let first = sequences[0] as number;
      let last = first;
      for (const sequence of sequences) {
        if (sequence > last + 1) {
          runs.push({ writer, first: BigInt(first), last: BigInt(last) });
          first = sequence;
        }
        last = sequence;
      }
      runs.push({ writer, first: BigInt(first), last: BigInt(last) });
    }
    return runs;
  }

  /** Rows of facts, in the order of their offsets. */
  *factRows(): Generator<IndexRow> {
    for (let index = 0; index < this.#count; index += 1) {
      if (isFactKind(indexRowKind(this.#bytes, index))) yield this.#row(index);
    }
  }

  /** In the order in which ids are sorted. */
  #writers(): ({ readonly writer: WriterId } & WriterRows)[] {
    const writers = [...this.#byWriter].map(([writer, rows]) => ({ writer, ...rows }));
    return writers.sort((a, b) => (a.writer < b.writer ? -1 : 1));
  }
}

/** Nearly always the end: within a group records may lie in any order, groups follow one another. */
function insert({ sequences, rows }: WriterRows, sequence: number, row: number): void {
  const last = sequences.at(-1);
  const place = last === undefined || last < sequence ? sequences.length : placeOf(sequences, sequence);
  if (place === sequences.length) {
    sequences.push(sequence);
    rows.push(row);
  } else {
    sequences.splice(place, 0, sequence);
    rows.splice(place, 0, row);
  }
}

/** Where the first sequence stands that is not below the wanted one. */
function placeOf(sequences: readonly number[], wanted: number): number {
  let low = 0;
  let high = sequences.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sequences[middle] as number) < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}
