// Made-up changes for tests and benchmarks: deterministic from a Random, with collisions on purpose.
//
// Invariants: versions are unique; ids, groups, names and references are drawn from small sets, so that changes meet; what
// re-encoding makes is new every time, and later than what it was made from, as with real writers.

import type { HybridTime, KeyGroup, Random, RecordId, TenantId, WriterId } from '../base/index.ts';
import { defined, hexOf, tenantId, utf8Bytes, writerId } from '../base/index.ts';
import type { CatalogChange, ObjectChange, Version } from './changes.ts';
import { trialAmendment } from './trial-amendments.ts';

const pick = <T>(random: Random, list: readonly T[]): T =>
  defined(list[random.below(list.length)], 'a list to pick from');

export const trialWriters: readonly WriterId[] = ['a1', '05', 'f0'].map((digits) => writerId(digits.repeat(16)));
const tenants: readonly TenantId[] = [tenantId(1), tenantId(2)];

export function trialGroup(tenant: number, index: number): KeyGroup {
  return { tenant: tenantId(tenant), year: 2024 + (index % 2), group: 0x8000_0000_0000_0000n + BigInt(index) };
}

const digestOf = (index: number): Uint8Array => new Uint8Array(32).fill(index + 1);

/** Names with everything that orders strangely: prefixes of one another, bytes that are not UTF-8, several delimiters. */
export const trialKeys: readonly Uint8Array[] = [
  ...['a', 'a/', 'a/1', 'a/2', 'a/b/1', 'a0', 'b', 'b/c', 'ä', '中/文', '中/文/件'].map(utf8Bytes),
  Uint8Array.of(0x61, 0xff, 0xff),
  Uint8Array.of(0xff),
  Uint8Array.of(0xff, 0xff, 0x2f, 0x01),
];

const buckets = ['alpha', 'beta'];

/** Draws changes one after another; each instance has its own sequence numbers. */
export class TrialChanges {
  readonly #random: Random;
  #time: HybridTime = 1n << 40n;
  #sequence = 0n;
  readonly #refs: { group: KeyGroup; digest: Uint8Array; ref: RecordId; first: bigint }[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  /** Later than all before, or at the same time from another writer. */
  version(writer: WriterId = pick(this.#random, trialWriters)): Version {
    if (this.#random.below(4) > 0) this.#time += 1n;
    this.#sequence += 1n;
    return { time: this.#time, record: { writer, sequence: this.#sequence } };
  }

  #ref(writer: WriterId): RecordId {
    this.#sequence += BigInt(1 + this.#random.below(20));
    return { writer, sequence: this.#sequence };
  }

  object(): ObjectChange {
    const random = this.#random;
    const tenant = pick(random, tenants);
    const group = trialGroup(tenant, random.below(4));
    const state = pick(random, ['live', 'live', 'live', 'marker', 'deleted'] as const);
    const common = {
      kind: 'object' as const,
      group,
      id: hexOf(new Uint8Array(16).fill(random.below(40))),
      bucket: pick(random, buckets),
      key: pick(random, trialKeys),
      createdMs: 1000 + random.below(5),
      state,
    };
    if (state === 'marker') return { ...common, version: this.version(), sizeBytes: 0 };
    const known = this.#refs.filter((each) => each.group.tenant === tenant);
    const reuse = known.length > 0 && random.below(3) === 0;
    const content = reuse ? pick(random, known) : this.#content(group);
    return {
      ...common,
      group: content.group,
      version: this.version(),
      sizeBytes: 10 + random.below(100),
      digest: content.digest,
      ref: content.ref,
      firstSequence: content.first,
      mode: random.below(2) === 0 ? 0o644 : undefined,
      mtimeMs: random.below(2) === 0 ? random.below(5000) : undefined,
      contentType: random.below(2) === 0 ? 'text/plain' : undefined,
      meta: random.below(2) === 0 ? { note: 'nul \0 and more' } : undefined,
    };
  }

  #content(group: KeyGroup): { group: KeyGroup; digest: Uint8Array; ref: RecordId; first: bigint } {
    const first = this.#sequence + 1n;
    const content = {
      group,
      digest: digestOf(this.#random.below(6)),
      ref: this.#ref(pick(this.#random, trialWriters)),
      first,
    };
    this.#refs.push(content);
    return content;
  }

  /** Re-encodes contents of one group, sometimes ones that were re-encoded before or at once by somebody else. */
  reencoded(): CatalogChange {
    const group = this.#refs.length === 0 ? trialGroup(1, 0) : pick(this.#random, this.#refs).group;
    const there = this.#refs.filter((each) => each.group === group && this.#random.below(2) === 0);
    const writer = pick(this.#random, trialWriters);
    const pairs = there.map(({ digest, ref }) => {
      const first = this.#sequence + 1n;
      const to = this.#ref(writer);
      this.#refs.push({ group, digest, ref: to, first });
      return { from: ref, to, toFirstSequence: first, digest };
    });
    const version = this.version(writer);
    return {
      kind: 'reencoded',
      version,
      group,
      pairs,
      settledThrough: this.#random.below(2) === 0 ? this.#time : undefined,
    };
  }

  /** Any other change. */
  other(): CatalogChange {
    const random = this.#random;
    const version = this.version();
    const tenant = pick(random, tenants);
    const group = trialGroup(tenant, random.below(5));
    const patient = { patientId: `P${random.below(3)}`, issuer: pick(random, ['', 'ward']) };
    const studyUid = `1.2.${random.below(4)}`;
    const name = random.below(2) === 0 ? undefined : `Name^${random.below(9)}`;
    switch (random.below(11)) {
      case 0:
        return { kind: 'group', group, family: Uint8Array.of(random.below(3)) };
      case 1:
        return {
          kind: 'bucket',
          version,
          tenant,
          name: pick(random, buckets),
          state: pick(random, ['live', 'deleted']),
          createdMs: 5,
        };
      case 2:
        return {
          kind: 'site',
          version,
          table: 'settings',
          key: `k${random.below(3)}`,
          row: { value: random.below(9) },
        };
      case 3:
        return { kind: 'site', version, table: 'users', key: `k${random.below(3)}`, row: null };
      case 4:
        return { kind: 'export', version, number: BigInt(random.below(3)), generation: 4n, createdMs: random.below(9) };
      case 5:
        return { kind: 'shred', version, group, generation: BigInt(random.below(9)) };
      case 9:
        return {
          kind: 'release',
          version,
          pack: hexOf(new Uint8Array(16).fill(random.below(3))),
          into: Array.from({ length: random.below(3) }, () => hexOf(new Uint8Array(16).fill(random.below(9)))),
        };
      case 6:
        return {
          kind: 'patient',
          version,
          tenant,
          ...patient,
          name,
          nameKeys: name === undefined ? [] : [name.toLowerCase(), `key${random.below(3)}`],
          birthDate: '19700101',
        };
      case 7:
        return {
          kind: 'study',
          version,
          tenant,
          studyUid,
          group,
          patient,
          studyDate: `2024010${random.below(3)}`,
          more: random.below(2) === 0 ? undefined : { PatientAge: '030Y' },
        };
      case 8:
        return {
          kind: 'series',
          version,
          tenant,
          seriesUid: `1.3.${random.below(4)}`,
          studyUid,
          modality: pick(random, ['CT', 'SR', '']),
        };
      default: {
        const document = {
          family: Uint8Array.of(random.below(3)),
          number: 1 + random.below(2),
          entryId: 'ab'.repeat(16),
        };
        return { kind: 'document', version, tenant, ...document, patient, studyUid, createdMs: 7, state: 'live' };
      }
    }
  }

  /** An instance whose UID others have too, in a series that others name otherwise. */
  instance(): CatalogChange {
    const random = this.#random;
    const id = random.below(12);
    return {
      kind: 'instance',
      version: this.version(),
      // A rival of the others of its UID, in one series for ever: an object does not move.
      id: hexOf(new Uint8Array(16).fill(0x80 + id)),
      tenant: defined(tenants[id % 2], 'a tenant'),
      studyUid: `1.2.${id % 3}`,
      seriesUid: `1.3.${id % 2}`,
      instanceUid: `1.4.${id % 5}`,
      classUid: '1.5',
      syntaxUid: '1.6',
      instanceNumber: random.below(2) === 0 ? undefined : random.below(9),
      sizeBytes: 10 + id,
      headBytes: 5,
      createdMs: 1000 + (id % 4),
      rank: random.below(3) - 1,
      source: id % 2 === 0 ? undefined : `AE${id % 3}`,
      odd: id % 3 === 0 ? ['uid-form'] : id % 3 === 1 ? ['other-bytes', 'vr-unknown'] : undefined,
      state: pick(random, ['live', 'live', 'live', 'deleted'] as const),
    };
  }

  rejection(): CatalogChange {
    const random = this.#random;
    return {
      kind: 'rejection',
      version: this.version(),
      tenant: pick(random, tenants),
      noteUid: `1.7.${random.below(2)}`,
      code: '113037',
      instanceUids: [`1.4.${random.below(5)}`, `1.4.${random.below(9)}`],
    };
  }

  /** What is said of the quality of series, whether they are there or not. */
  quality(): CatalogChange {
    const random = this.#random;
    const id = random.below(12);
    const version = this.version();
    const tenant = defined(tenants[id % 2], 'a tenant');
    const series = { version, tenant, studyUid: `1.2.${id % 3}`, seriesUid: `1.3.${id % 2}` };
    const source = `AE${id % 3}`;
    switch (random.below(3)) {
      case 0:
        return {
          kind: 'compared',
          ...series,
          id: hexOf(new Uint8Array(16).fill(0x80 + id)),
          with: hexOf(new Uint8Array(16).fill(0x80)),
          instanceUid: `1.4.${id % 5}`,
          source,
          createdMs: 1000 + (id % 4),
          difference: pick(random, ['syntax', 'header', 'pixels', 'undecided']),
          identity: random.below(2) === 0 ? [] : ['PatientID'],
          paths: ['00100010'],
        };
      case 1:
        return {
          kind: 'quality',
          ...series,
          caseKind: pick(random, ['uid-form', 'other-pixels']),
          state: pick(random, ['closed', 'open']),
          who: 'admin',
          why: 'seen',
          atMs: 1000 + random.below(9),
        };
      default:
        return {
          kind: 'series-device',
          ...series,
          source,
          maker: 'ACME',
          model: '',
          station: pick(random, ['CT1', 'CT2']),
          declared: [],
          read: pick(random, [[], ['GB18030']]),
          how: pick(random, ['plain', 'text', 'setting']),
        };
    }
  }

  some(count: number): CatalogChange[] {
    return Array.from({ length: count }, () => {
      const kind = this.#random.below(15);
      if (kind > 12) return trialAmendment(this.#random, this.version(), pick(this.#random, tenants), trialGroup);
      if (kind === 12) return this.quality();
      if (kind < 6) return this.object();
      if (kind < 8) return this.#random.below(16) === 0 ? this.rejection() : this.instance();
      return kind < 9 ? this.reencoded() : this.other();
    });
  }
}

/** The same changes in another order, some of them twice. */
export function shuffled<T>(random: Random, list: readonly T[]): T[] {
  const out = [...list, ...list.filter(() => random.below(4) === 0)];
  for (let index = out.length - 1; index > 0; index -= 1) {
    const other = random.below(index + 1);
    [out[index], out[other]] = [out[other] as T, out[index] as T];
  }
  return out;
}
