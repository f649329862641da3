// Settled instances: what bundles tell of a series, read from the catalog's copies of them.
//
// Invariants: a settled instance has no row of its own; it is a member of exactly one bundle's row, and in `settled_uids` the first 8 bytes of its UID's
// SHA-256 name its series, which may name others by chance: a member is believed when its whole UID is the one that was asked for. A bundle's body never changes;
// which of its members count is told beside it (`gone`), and which of those are not shown (`hidden`). Decoded bodies are kept up to `membersKeptMax` members.
// Left out on purpose: how members come and go (apply-bundles.ts).

import type { KeyGroup, RecordId, WriterId } from '../base/index.ts';
import { assert, idOfBytes, sha256, tenantId, utf8Bytes, viewOf, writerId } from '../base/index.ts';
import type { SqlTx } from '../sql/index.ts';
import { inList, inListMax, inValues, pieces } from '../sql/index.ts';
import { unpackBody } from './bundle-body.ts';
import type { BundledContent, BundledMember } from './changes.ts';
import { groupIdOf, textValue } from './storable.ts';

/** What the plain bytes of a bundle say of its members; `project()` knows. */
export type ReadBundle = (plain: Uint8Array, group: KeyGroup) => readonly BundledMember[];

/** About a kilobyte each. */
export const membersKeptMax = 65_536;

export type SettledBundle = {
  readonly no: number;
  readonly seriesNo: number;
  readonly studyNo: number;
  readonly group: KeyGroup;
  /** The bundle's record. */
  readonly record: RecordId;
  readonly hybrid: bigint;
  readonly generation: number;
  readonly headers: BundledContent | undefined;
  readonly thumbnail: BundledContent | undefined;
  readonly gone: ReadonlySet<number>;
  readonly hidden: ReadonlySet<number>;
  readonly members: readonly BundledMember[];
  /** Where each member's text begins. */
  readonly textAt: readonly number[];
};

/** A member that counts. */
export type SettledMember = {
  readonly bundle: SettledBundle;
  readonly index: number;
  readonly member: BundledMember;
  readonly shown: boolean;
};

/** Which bundles of which series are asked for. */
export type BundleRange = { readonly where: string; readonly values: readonly (number | string | Uint8Array)[] };

type Decoded = { readonly members: readonly BundledMember[]; readonly textAt: readonly number[] };

type SelectedBundle = {
  bundle_no: bigint;
  series_no: bigint;
  study_no: bigint;
  tenant: bigint;
  year: bigint;
  group_id: Uint8Array;
  writer: Uint8Array;
  rec_seq: bigint;
  hybrid: bigint;
  generation: bigint;
  headers_writer: Uint8Array | null;
  headers_seq: bigint | null;
  headers_bytes: bigint | null;
  picture_writer: Uint8Array | null;
  picture_seq: bigint | null;
  picture_bytes: bigint | null;
  gone: string;
  hidden: string;
};

const select = `SELECT b.bundle_no, b.series_no, e.study_no, g.tenant, g.year, g.group_id, vw.id AS writer, b.rec_seq, b.hybrid,
    b.generation, hw.id AS headers_writer, b.headers_seq, b.headers_bytes, pw.id AS picture_writer, b.picture_seq,
    b.picture_bytes, b.gone, b.hidden
  FROM bundles b JOIN series e ON e.series_no = b.series_no JOIN key_groups g ON g.group_no = b.group_no
    JOIN writers vw ON vw.writer_no = b.rec_writer_no LEFT JOIN writers hw ON hw.writer_no = b.headers_writer_no
    LEFT JOIN writers pw ON pw.writer_no = b.picture_writer_no`;

/** What stands for a UID in the table of settled instances. */
export function uidHash(instanceUid: string): bigint {
  return viewOf(sha256(utf8Bytes(textValue(instanceUid)))).getBigInt64(0);
}

export class SettledSeries {
  readonly #read: ReadBundle | undefined;
  readonly #kept = new Map<string, Decoded>();
  #keptMembers = 0;

  constructor(read: ReadBundle | undefined) {
    this.#read = read;
  }

  /** What is remembered goes: of a group that was shredded nothing stays. */
  forget(): void {
    this.#kept.clear();
    this.#keptMembers = 0;
  }

  /** Bundles with members that count, a series' bundles in the order in which they became known, one after the other. */
  async *bundles(sql: SqlTx, { where, values }: BundleRange): AsyncGenerator<SettledBundle> {
    const rows = await sql.all<SelectedBundle>(
      `${select} WHERE ${where} AND b.member_count > 0 ORDER BY b.series_no, b.bundle_no`,
      values,
      'bigint',
    );
    for (const row of rows) yield await this.#bundleOf(sql, row);
  }

  ofSeries(sql: SqlTx, seriesNo: number): AsyncGenerator<SettledBundle> {
    return this.bundles(sql, { where: 'b.series_no = ?', values: [seriesNo] });
  }

  /** Members of any tenant with these instance UIDs. */
  async withUids(sql: SqlTx, instanceUids: readonly string[]): Promise<SettledMember[]> {
    const series = new Set<number>();
    const wanted = new Set(instanceUids.map(textValue));
    for (const piece of pieces([...wanted].map(uidHash), inListMax)) {
      const rows = await sql.all<{ series_no: number }>(
        `SELECT DISTINCT series_no FROM settled_uids WHERE uid_hash IN ${inList(piece.length)}`,
        inValues(piece),
      );
      for (const row of rows) series.add(row.series_no);
    }
    const found: SettledMember[] = [];
    for (const seriesNo of series) {
      for await (const bundle of this.ofSeries(sql, seriesNo)) {
        found.push(...membersOf(bundle).filter(({ member }) => wanted.has(textValue(member.instance.instanceUid))));
      }
    }
    return found;
  }

  async #bundleOf(sql: SqlTx, row: SelectedBundle): Promise<SettledBundle> {
    const writer = writerId(idOfBytes(row.writer));
    const group = {
      tenant: tenantId(Number(row.tenant)),
      year: Number(row.year),
      group: groupIdOf(row.group_id),
    };
    return {
      no: Number(row.bundle_no),
      seriesNo: Number(row.series_no),
      studyNo: Number(row.study_no),
      group,
      record: { writer, sequence: row.rec_seq },
      hybrid: row.hybrid,
      generation: Number(row.generation),
      headers: contentOf(row.headers_writer, row.headers_seq, row.headers_bytes),
      thumbnail: contentOf(row.picture_writer, row.picture_seq, row.picture_bytes),
      gone: new Set(JSON.parse(row.gone) as number[]),
      hidden: new Set(JSON.parse(row.hidden) as number[]),
      ...(await this.#decoded(sql, { no: row.bundle_no, writer, sequence: row.rec_seq, group })),
    };
  }

  async #decoded(
    sql: SqlTx,
    bundle: { no: bigint; writer: WriterId; sequence: bigint; group: KeyGroup },
  ): Promise<Decoded> {
    const name = `${bundle.writer}.${bundle.sequence}`;
    const kept = this.#kept.get(name);
    if (kept !== undefined) {
      // The end of the map is what was used last.
      this.#kept.delete(name);
      this.#kept.set(name, kept);
      return kept;
    }
    const row = await sql.one<{ body: Uint8Array }>('SELECT body FROM bundles WHERE bundle_no = ?', [bundle.no]);
    const read = this.#read;
    assert(read !== undefined, 'a catalog with bundles can read them');
    const members = row === undefined ? [] : read(unpackBody(row.body), bundle.group);
    let at = 0;
    const textAt = members.map(({ textBytes }) => {
      at += textBytes;
      return at - textBytes;
    });
    const decoded = { members, textAt };
    this.#keep(name, decoded);
    return decoded;
  }

  #keep(name: string, decoded: Decoded): void {
    if (decoded.members.length === 0 || this.#kept.has(name)) return;
    this.#kept.set(name, decoded);
    this.#keptMembers += decoded.members.length;
    for (const [oldest, each] of this.#kept) {
      if (this.#keptMembers <= membersKeptMax) return;
      this.#kept.delete(oldest);
      this.#keptMembers -= each.members.length;
    }
  }
}

/** The members of a bundle that count. */
export function membersOf(bundle: SettledBundle): SettledMember[] {
  const members: SettledMember[] = [];
  for (const [index, member] of bundle.members.entries()) {
    if (!bundle.gone.has(index)) members.push({ bundle, index, member, shown: !bundle.hidden.has(index) });
  }
  return members;
}

function contentOf(writer: Uint8Array | null, seq: bigint | null, size: bigint | null): BundledContent | undefined {
  if (writer === null || seq === null) return undefined;
  return { ref: { writer: writerId(idOfBytes(writer)), sequence: seq }, sizeBytes: Number(size ?? 0n) };
}
