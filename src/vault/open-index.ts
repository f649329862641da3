// The index of a pack that is still written to: the rows its footer will hold, kept in memory until it is sealed.
//
// Invariants: at most `packRecordsMax` rows of 96 bytes, in the order of their offsets; a record is found by its id without a walk.
// Bounded by the pack, and there are few open packs.

import { assert, type RecordId, type WriterId } from '../base/index.ts';
import {
  compareRecordIds,
  decodeIndexRow,
  encodeIndexRow,
  type IndexRow,
  indexRowBytes,
  isFactKind,
  MerkleRoot,
  packRecordsMax,
} from '../format/index.ts';

const rowsAtFirst = 1024;

type WriterRows = { sequences: number[]; rows: number[]; ascending: boolean };

export class OpenIndex {
  #bytes = new Uint8Array(rowsAtFirst * indexRowBytes);
  #count = 0;
  #factCount = 0;
  readonly #byWriter = new Map<WriterId, WriterRows>();

  get count(): number {
    return this.#count;
  }

  get factCount(): number {
    return this.#factCount;
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
    const sequence = Number(row.id.sequence);
    let rows = this.#byWriter.get(row.id.writer);
    if (rows === undefined) {
      rows = { sequences: [], rows: [], ascending: true };
      this.#byWriter.set(row.id.writer, rows);
    }
    const last = rows.sequences.at(-1);
    if (last !== undefined && last >= sequence) rows.ascending = false;
    rows.sequences.push(sequence);
    rows.rows.push(this.#count);
    this.#count += 1;
    if (isFactKind(row.kind)) this.#factCount += 1;
  }

  row(index: number): IndexRow {
    assert(index >= 0 && index < this.#count, 'a row that is there');
    return decodeIndexRow(this.#bytes, index);
  }

  find(id: RecordId): IndexRow | undefined {
    const rows = this.#byWriter.get(id.writer);
    if (rows === undefined) return undefined;
    const sequence = Number(id.sequence);
    const place = rows.ascending ? halve(rows.sequences, sequence) : rows.sequences.indexOf(sequence);
    return place < 0 ? undefined : this.row(rows.rows[place] as number);
  }

  /** Rows in the order of record ids, as a footer wants them; a record that is there twice is named once. */
  sorted(): IndexRow[] {
    const rows: IndexRow[] = [];
    for (let index = 0; index < this.#count; index += 1) rows.push(this.row(index));
    rows.sort((a, b) => compareRecordIds(a.id, b.id));
    return rows;
  }

  /** The root over the leaves in the order of their offsets. */
  root(): Uint8Array {
    const tree = new MerkleRoot();
    for (let index = 0; index < this.#count; index += 1) tree.add(this.row(index).leaf);
    return tree.root();
  }

  /** Least and greatest sequence of each writer: the runs by which a record's pack is found. */
  runs(): { writer: WriterId; first: bigint; last: bigint }[] {
    return runsOf(this.sorted());
  }

  *rows(): Generator<IndexRow> {
    for (let index = 0; index < this.#count; index += 1) yield this.row(index);
  }
}

/** Unbroken runs of sequences among rows in the order of ids. */
function runsOf(sorted: Iterable<{ readonly id: RecordId }>): { writer: WriterId; first: bigint; last: bigint }[] {
  const runs: { writer: WriterId; first: bigint; last: bigint }[] = [];
  for (const { id } of sorted) {
    const last = runs.at(-1);
    if (last !== undefined && last.writer === id.writer && id.sequence <= last.last + 1n) last.last = id.sequence;
    else runs.push({ writer: id.writer, first: id.sequence, last: id.sequence });
  }
  return runs;
}

function halve(sequences: readonly number[], wanted: number): number {
  let low = 0;
  let high = sequences.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const value = sequences[middle] as number;
    if (value === wanted) return middle;
    if (value < wanted) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}
