// Bundles of a batch: settled instances leave their rows, and come back to them for as long as a change concerns them.
//
// Invariants: an instance is a row or a member of one bundle, never both, at every commit; it is a member exactly while its object's version is the one that
// a bundle tells, of several bundles the one whose record is the latest. Before a batch is applied, members that it concerns (same instance UID) become
// rows; afterwards every row whose version a bundle tells becomes a member again. So all that is decided about instances is decided among rows, whichever
// came first, and the tables end the same. Counts and totals belong to instances, not to rows: neither way changes them. A bundle of instances that
// nobody heard of before, as a rebuild meets it, goes in without rows.
// Left out on purpose: references that a `reencoded` event moves: content that a bundle names moves with bundles alone (FORMAT.md 6.1).

import type { RecordId, TenantId } from '../base/index.ts';
import { bytesOfId, defined, hexOf, recordIdText, sameRecord, utf8Bytes } from '../base/index.ts';
import type { SqlTx, SqlValue } from '../sql/index.ts';
import { inList, inListMax, inValues, pieces } from '../sql/index.ts';
import { countInstances, restoreInstances } from './apply-instances.ts';
import { countObjects, restoreObjects } from './apply-objects.ts';
import { applyOddities } from './apply-quality.ts';
import { rejectedOf } from './apply-rejections.ts';
import { seriesNumber } from './apply-studies.ts';
import { packBody } from './bundle-body.ts';
import type {
  BundleChange,
  BundledContent,
  BundledMember,
  CatalogChange,
  InstanceChange,
  ObjectChange,
  Version,
} from './changes.ts';
import { instanceUidOfKey } from './instance-bucket.ts';
import type { NumbersTx } from './numbers.ts';
import { listText } from './refresh-studies.ts';
import { type SettledBundle, type SettledSeries, uidHash } from './settled-series.ts';
import { countValue, hybridValue, sequenceValue, textValue } from './storable.ts';
import { laterVersion } from './versions.ts';

/** A bundle as this batch leaves it. */
type Bundle = {
  readonly no: number | undefined;
  readonly version: Version;
  readonly members: readonly BundledMember[];
  readonly change: BundleChange | undefined;
  readonly gone: Set<number>;
  readonly hidden: Set<number>;
  isChanged: boolean;
};

/** A place in a bundle. */
type Place = { readonly bundle: Bundle; readonly index: number; readonly member: BundledMember };

type Rows = {
  /** Objects by id. */
  readonly objects: ReadonlyMap<string, { hybrid: bigint; rec_writer_no: bigint; rec_seq: bigint }>;
  /** Instances by tenant and UID. */
  readonly instances: ReadonlyMap<string, readonly { id: string; shown: boolean }[]>;
  readonly rejected: ReadonlySet<string>;
};

const nameOf = (tenant: TenantId, instanceUid: string): string => `${tenant}/${textValue(instanceUid)}`;

export class BundleBatch {
  readonly #tx: SqlTx;
  readonly #numbers: NumbersTx;
  readonly #settled: SettledSeries;
  readonly #bundles = new Map<string, Bundle>();
  /** Members that count, by tenant and UID. */
  readonly #members = new Map<string, Place[]>();
  /** Rows that may become members when all was applied. */
  readonly #waiting: Place[] = [];

  constructor(tx: SqlTx, numbers: NumbersTx, settled: SettledSeries) {
    this.#tx = tx;
    this.#numbers = numbers;
    this.#settled = settled;
  }

  /** Before anything else is applied. What it gives goes with the batch's own objects and instances. */
  async begin(changes: readonly CatalogChange[]): Promise<{ objects: ObjectChange[]; instances: InstanceChange[] }> {
    const told = changes.filter((change) => change.kind === 'bundle');
    const named = namesIn(changes);
    const more = { objects: [] as ObjectChange[], instances: [] as InstanceChange[] };
    if (told.length === 0 && named.size === 0) return more;
    const uids = [...named.values(), ...told.flatMap(({ members }) => members.map(uidOf))];
    for (const { bundle, index } of await this.#settled.withUids(this.#tx, uids)) this.#know(bundle, index);
    const concerned = new Set(named.keys());
    for (const change of told) {
      for (const { object, instance } of await this.#take(change, concerned)) {
        more.objects.push(object);
        more.instances.push(instance);
      }
    }
    await this.#toRows([...concerned].flatMap((name) => this.#members.get(name) ?? []));
    return more;
  }

  #know(known: SettledBundle, index: number): void {
    const id = recordIdText(known.record);
    let bundle = this.#bundles.get(id);
    if (bundle === undefined) {
      bundle = {
        no: known.no,
        version: { time: known.hybrid, record: known.record },
        members: known.members,
        change: undefined,
        gone: new Set(known.gone),
        hidden: new Set(known.hidden),
        isChanged: false,
      };
      this.#bundles.set(id, bundle);
    }
    this.#count({ bundle, index, member: defined(bundle.members[index], 'a member has a place') });
  }

  #count(place: Place): void {
    const { tenant, instanceUid } = place.member.instance;
    const name = nameOf(tenant, instanceUid);
    const list = this.#members.get(name);
    if (list === undefined) this.#members.set(name, [place]);
    else list.push(place);
  }

  /** Sorts the members of a bundle that came; gives those that have to be applied like entries. */
  async #take(change: BundleChange, concerned: Set<string>): Promise<BundledMember[]> {
    const id = recordIdText(change.version.record);
    if (this.#bundles.has(id) || (await this.#isKnown(change.version.record))) return [];
    const { members } = change;
    const bundle: Bundle = {
      no: undefined,
      version: change.version,
      members,
      change,
      gone: new Set(members.keys()),
      hidden: new Set(),
      isChanged: true,
    };
    this.#bundles.set(id, bundle);
    const rows = await this.#rowsOf(change);
    const [applied, fresh, left]: [BundledMember[], BundledMember[], string[]] = [[], [], []];
    for (const [index, member] of members.entries()) {
      const place = { bundle, index, member };
      const name = nameOf(change.tenant, member.instance.instanceUid);
      const rivals = this.#members.get(name) ?? [];
      const same = rivals.find((each) => each.member.object.id === member.object.id);
      const mine = rows.instances.get(name)?.find((each) => each.id === member.object.id);
      if (concerned.has(name)) {
        applied.push(member);
        this.#waiting.push(place);
      } else if (same !== undefined && sameVersion(same.member.object.version, member.object.version)) {
        if (laterVersion(bundle.version, same.bundle.version)) this.#replace(same, place);
      } else if (mine !== undefined && this.#isTold(rows.objects.get(member.object.id), member)) {
        left.push(member.object.id);
        this.#admit(place, mine.shown);
        this.#count(place);
      } else if (rivals.length === 0 && isUnheardOf(rows, name, member)) {
        fresh.push(member);
        this.#admit(place, true);
        this.#count(place);
      } else {
        concerned.add(name);
        applied.push(member);
        this.#waiting.push(place);
      }
    }
    await this.#dropRows(left);
    await this.#welcome(fresh);
    return applied;
  }

  async #isKnown(record: RecordId): Promise<boolean> {
    const known = 'SELECT 1 AS there FROM bundles WHERE rec_writer_no = ? AND rec_seq = ?';
    const values = [this.#numbers.writer(record.writer), sequenceValue(record.sequence)];
    return (await this.#tx.one(known, values)) !== undefined;
  }

  async #rowsOf({ tenant, members }: BundleChange): Promise<Rows> {
    const objects = new Map<string, { hybrid: bigint; rec_writer_no: bigint; rec_seq: bigint }>();
    const instances = new Map<string, { id: string; shown: boolean }[]>();
    const uids = members.map(uidOf);
    for (const piece of pieces(members, inListMax)) {
      const found = await this.#tx.all<{ id: Uint8Array; hybrid: bigint; rec_writer_no: bigint; rec_seq: bigint }>(
        `SELECT entry_id AS id, hybrid, rec_writer_no, rec_seq FROM objects WHERE entry_id IN ${inList(piece.length)}`,
        inValues(piece.map((member) => bytesOfId(member.object.id))),
        'bigint',
      );
      for (const row of found) objects.set(hexOf(row.id), row);
    }
    for (const piece of pieces(uids, inListMax)) {
      const found = await this.#tx.all<{ id: Uint8Array; instance_uid: string; shown: number }>(
        `SELECT entry_id AS id, instance_uid, shown FROM instances WHERE tenant = ? AND instance_uid IN ${inList(piece.length)}`,
        [tenant, ...inValues(piece)],
      );
      for (const row of found) {
        const name = nameOf(tenant, row.instance_uid);
        const list = instances.get(name) ?? [];
        instances.set(name, list);
        list.push({ id: hexOf(row.id), shown: row.shown === 1 });
      }
    }
    return { objects, instances, rejected: await rejectedOf(this.#tx, tenant, uids) };
  }

  #isTold(
    row: { hybrid: bigint; rec_writer_no: bigint; rec_seq: bigint } | undefined,
    { object: { version } }: BundledMember,
  ): boolean {
    return (
      row !== undefined &&
      row.hybrid === version.time &&
      row.rec_seq === version.record.sequence &&
      Number(row.rec_writer_no) === this.#numbers.writer(version.record.writer)
    );
  }

  /** From now on the member counts. */
  #admit({ bundle, index }: Place, shown: boolean): void {
    bundle.gone.delete(index);
    if (shown) bundle.hidden.delete(index);
    else bundle.hidden.add(index);
    bundle.isChanged = true;
  }

  #dismiss({ bundle, index }: Place): void {
    bundle.gone.add(index);
    bundle.hidden.delete(index);
    bundle.isChanged = true;
  }

  #replace(before: Place, after: Place): void {
    const shown = !before.bundle.hidden.has(before.index);
    this.#dismiss(before);
    this.#admit(after, shown);
    const { tenant, instanceUid } = before.member.instance;
    const list = defined(this.#members.get(nameOf(tenant, instanceUid)), 'a member that is replaced was counted');
    list.splice(list.indexOf(before), 1, after);
  }

  async #dropRows(ids: readonly string[]): Promise<void> {
    const keys = ids.map((id): SqlValue[] => [bytesOfId(id)]);
    await this.#tx.many('DELETE FROM instances WHERE entry_id = ?', keys);
    await this.#tx.many('DELETE FROM objects WHERE entry_id = ?', keys);
  }

  /** Instances that become known as members: counted like those that come as rows. */
  async #welcome(members: readonly BundledMember[]): Promise<void> {
    if (members.length === 0) return;
    const objects = members.map(({ object }) => object);
    const instances = members.map(({ instance }) => instance);
    await this.#numbers.drawBuckets(bucketsOf(objects));
    await countObjects(this.#tx, this.#numbers, objects);
    await countInstances(this.#tx, this.#numbers, instances);
    await applyOddities(this.#tx, this.#numbers, instances);
  }

  async #toRows(places: readonly Place[]): Promise<void> {
    if (places.length === 0) return;
    const objects = places.map(({ member }) => member.object);
    await this.#numbers.drawWriters(
      objects.flatMap(({ version, ref }) => [version.record.writer, ...(ref === undefined ? [] : [ref.writer])]),
    );
    await this.#numbers.drawBuckets(bucketsOf(objects));
    await this.#numbers.recallGroups(objects.map(({ group }) => group));
    await restoreObjects(this.#tx, this.#numbers, objects);
    await restoreInstances(
      this.#tx,
      this.#numbers,
      places.map(({ bundle, index, member }) => ({ change: member.instance, shown: !bundle.hidden.has(index) })),
    );
    for (const place of places) {
      this.#dismiss(place);
      this.#waiting.push(place);
    }
  }

  /** After everything was applied. */
  async end(): Promise<void> {
    await this.#fromRows();
    for (const bundle of this.#bundles.values()) if (bundle.isChanged) await this.#write(bundle);
  }

  async #fromRows(): Promise<void> {
    const left: string[] = [];
    const byId = Map.groupBy(this.#waiting, (place) => place.member.object.id);
    for (const ids of pieces([...byId.keys()], inListMax)) {
      const rows = await this.#tx.all<{
        id: Uint8Array;
        hybrid: bigint;
        rec_writer_no: bigint;
        rec_seq: bigint;
        shown: bigint;
      }>(
        `SELECT o.entry_id AS id, o.hybrid, o.rec_writer_no, o.rec_seq, i.shown
          FROM objects o JOIN instances i ON i.entry_id = o.entry_id WHERE o.entry_id IN ${inList(ids.length)}`,
        inValues(ids.map(bytesOfId)),
        'bigint',
      );
      for (const row of rows) {
        const id = hexOf(row.id);
        const places = defined(byId.get(id), 'a row that was asked for is one of these');
        const telling = places.filter(({ member }) => this.#isTold(row, member));
        const [latest] = telling.sort((a, b) => (laterVersion(a.bundle.version, b.bundle.version) ? -1 : 1));
        if (latest === undefined) continue;
        left.push(id);
        this.#admit(latest, row.shown === 1n);
      }
    }
    await this.#dropRows(left);
  }

  async #write({ no, version, change, members, gone, hidden }: Bundle): Promise<void> {
    const counting = members.filter((_, index) => !gone.has(index));
    const bytes = counting.reduce((sum, { object }) => sum + object.sizeBytes, 0);
    // A bundle none of whose members count is remembered, so that it is taken in once.
    const state = [
      counting.length,
      countValue(bytes),
      counting.length === 0 ? '[]' : JSON.stringify([...gone].sort((a, b) => a - b)),
      JSON.stringify([...hidden].sort((a, b) => a - b)),
    ];
    if (change === undefined) {
      const emptied = counting.length === 0 ? ", body = x''" : '';
      const update = `UPDATE bundles SET member_count = ?, size_bytes = ?, gone = ?, hidden = ?${emptied} WHERE bundle_no = ?`;
      await this.#tx.run(update, [...state, defined(no, 'a bundle that was known has a number')]);
      return;
    }
    const { tenant, group, studyUid, seriesUid } = change;
    const series = await seriesNumber(this.#tx, this.#numbers, change);
    const [first] = members;
    const bucket = defined(first, 'a bundle has members').object.bucket;
    await this.#numbers.drawBuckets([{ tenant, name: bucket }]);
    const classes = [...new Set(members.map(({ instance }) => instance.classUid))].sort();
    await this.#tx.run(insertBundle, [
      tenant,
      this.#numbers.group(group),
      series.no,
      this.#numbers.bucket(tenant, bucket),
      utf8Bytes(`${studyUid}/${seriesUid}/`),
      listText(classes),
      countValue(change.generation),
      ...this.#contentCells(change.headers),
      ...this.#contentCells(change.thumbnail),
      ...state,
      counting.length === 0 ? new Uint8Array(0) : packBody(change.plain),
      hybridValue(version.time),
      this.#numbers.writer(version.record.writer),
      sequenceValue(version.record.sequence),
    ]);
    await this.#tx.many(
      'INSERT INTO settled_uids (uid_hash, series_no) VALUES (?, ?) ON CONFLICT (uid_hash, series_no) DO NOTHING',
      counting.map(({ instance }) => [uidHash(instance.instanceUid), series.no]),
    );
  }

  #contentCells(content: BundledContent | undefined): SqlValue[] {
    if (content === undefined) return [null, null, null];
    const { ref, sizeBytes } = content;
    return [this.#numbers.writer(ref.writer), sequenceValue(ref.sequence), countValue(sizeBytes)];
  }
}

const insertBundle = `INSERT INTO bundles (tenant, group_no, series_no, bucket_no, names, classes, generation,
    headers_writer_no, headers_seq, headers_bytes, picture_writer_no, picture_seq, picture_bytes,
    member_count, size_bytes, gone, hidden, body, hybrid, rec_writer_no, rec_seq)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;

const uidOf = ({ instance }: BundledMember): string => textValue(instance.instanceUid);

function sameVersion(a: Version, b: Version): boolean {
  return a.time === b.time && sameRecord(a.record, b.record);
}

function isUnheardOf(rows: Rows, name: string, { object, instance }: BundledMember): boolean {
  return (
    !rows.objects.has(object.id) && !rows.instances.has(name) && !rows.rejected.has(textValue(instance.instanceUid))
  );
}

/** Instances that other changes of the batch concern, by tenant and UID. */
function namesIn(changes: readonly CatalogChange[]): Map<string, string> {
  const names = new Map<string, string>();
  const add = (tenant: TenantId, uid: string): void => {
    names.set(nameOf(tenant, uid), textValue(uid));
  };
  for (const change of changes) {
    if (change.kind === 'instance') add(change.tenant, change.instanceUid);
    if (change.kind === 'rejection') for (const uid of change.instanceUids) add(change.tenant, uid);
    if (change.kind !== 'object') continue;
    const uid = instanceUidOfKey(change.bucket, change.key);
    if (uid !== undefined) add(change.group.tenant, uid);
  }
  return names;
}

function bucketsOf(objects: readonly ObjectChange[]): { tenant: number; name: string }[] {
  return objects.map(({ group, bucket }) => ({ tenant: group.tenant, name: bucket }));
}

/** Writers that a bundle names. */
export function* writersOfBundle(change: BundleChange): Generator<RecordId['writer']> {
  for (const content of [change.headers, change.thumbnail]) if (content !== undefined) yield content.ref.writer;
  for (const { object } of change.members) {
    yield object.version.record.writer;
    if (object.ref !== undefined) yield object.ref.writer;
  }
}
