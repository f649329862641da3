// A simulated file: what the page cache shows, what the medium holds, and every version of each page in between.
//
// Invariants: pages are never changed in place, so versions, the cache and the medium share them; a page with unsynced
// versions is in the cache; what a power cut may leave of a sector is its bytes on the medium, any unsynced version of
// it, or garbage (a torn sector, the older bytes in it included), each sector on its own; the size is any of its values
// since the last sync, whatever became of the bytes.

import { assert, type Random } from '../base/index.ts';

export const simPageBytes = 4096;
const zeroPage = new Uint8Array(simPageBytes);

/** Raised for an unreadable page; SimFile and SimDisk make an ArchiveError of it. */
export class SimMediumError extends Error {}

/** What becomes of a page on its way to the medium, against the drive's word. */
export type SimFate =
  | { readonly kind: 'lost' }
  | { readonly kind: 'flipped'; readonly bit: number }
  | { readonly kind: 'misdirected'; readonly inode: SimInode; readonly page: number };

export type SimSurvival = 'none' | 'all' | 'random';

/** Sectors are 512 bytes or a whole page; which, is drawn at the crash. One dirty sector in `tornOneIn` is garbage. */
export type SimCrashRules = {
  readonly survive: SimSurvival;
  readonly sectorBytes: 512 | 4096;
  readonly tornOneIn: number;
};

type PageVersion = { readonly sequence: number; readonly bytes: Uint8Array };
type SizeVersion = { readonly sequence: number; readonly sizeBytes: number };

export class SimInode {
  modifiedStep = 0;
  #sizeBytes = 0;
  #mediaSizeBytes = 0;
  readonly #cache = new Map<number, Uint8Array>();
  readonly #media = new Map<number, Uint8Array>();
  readonly #unsynced = new Map<number, PageVersion[]>();
  readonly #fates = new Map<number, SimFate>();
  readonly #unreadable = new Set<number>();
  #sizes: SizeVersion[] = [];

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  read(offset: number, length: number): Uint8Array {
    return this.#gather(offset, length, (page) => this.#cachedPage(page));
  }

  /** What the medium holds; unsynced pages are written back first, as Linux does, though not made durable. */
  readUncached(offset: number, length: number): Uint8Array {
    return this.#gather(offset, length, (page) => {
      const dirty = this.#unsynced.get(page)?.at(-1);
      return dirty === undefined ? this.#mediaPage(page) : dirty.bytes;
    });
  }

  /** `bytes` belongs to the inode from now on. */
  write(offset: number, bytes: Uint8Array, sequence: number): void {
    let done = 0;
    while (done < bytes.byteLength) {
      const page = Math.floor((offset + done) / simPageBytes);
      const from = (offset + done) % simPageBytes;
      const count = Math.min(simPageBytes - from, bytes.byteLength - done);
      if (count === simPageBytes) {
        this.#setPage(page, bytes.subarray(done, done + count), sequence);
      } else {
        const changed = this.#cachedPage(page).slice();
        changed.set(bytes.subarray(done, done + count), from);
        this.#setPage(page, changed, sequence);
      }
      done += count;
    }
    if (offset + done > this.#sizeBytes) this.#setSize(offset + done, sequence);
  }

  truncate(sizeBytes: number, sequence: number): void {
    if (sizeBytes < this.#sizeBytes) {
      const keep = sizeBytes % simPageBytes;
      const first = Math.floor(sizeBytes / simPageBytes);
      for (const page of new Set([...this.#cache.keys(), ...this.#media.keys()])) {
        if (page > first || (page === first && keep === 0)) this.#setPage(page, zeroPage, sequence);
      }
      if (keep > 0) {
        const cut = this.#cachedPage(first).slice();
        cut.fill(0, keep);
        this.#setPage(first, cut, sequence);
      }
    }
    if (sizeBytes !== this.#sizeBytes) this.#setSize(sizeBytes, sequence);
  }

  /** Pages of this range meet `fate` when they next go to the medium. */
  doom(offset: number, length: number, fateOf: (index: number) => SimFate | undefined): void {
    const first = Math.floor(offset / simPageBytes);
    const last = Math.floor((offset + length - 1) / simPageBytes);
    for (let page = first; page <= last; page += 1) {
      const fate = fateOf(page - first);
      if (fate !== undefined) this.#fates.set(page, fate);
    }
  }

  /** Everything up to `sequence` is on the medium. */
  sync(sequence: number): void {
    for (const [page, versions] of this.#unsynced) {
      const latest = versions.findLast((version) => version.sequence <= sequence);
      if (latest === undefined) continue;
      this.#persist(page, latest.bytes);
      const later = versions.filter((version) => version.sequence > sequence);
      if (later.length > 0) this.#unsynced.set(page, later);
      else this.#unsynced.delete(page);
    }
    this.#mediaSizeBytes = this.#sizes.findLast((size) => size.sequence <= sequence)?.sizeBytes ?? this.#mediaSizeBytes;
    this.#sizes = this.#sizes.filter((size) => size.sequence > sequence);
  }

  /** A failed sync: the medium holds any mixture, and the cache believes that all is well. */
  failSync(random: Random): void {
    for (const [page, versions] of this.#unsynced) {
      this.#persist(
        page,
        mixSectors(this.#rawMediaPage(page), versions, { survive: 'random', sectorBytes: 512, tornOneIn: 0 }, random),
      );
    }
    this.#unsynced.clear();
    this.#mediaSizeBytes = this.#drawSize('random', random);
    this.#sizes = [];
  }

  /** The file as it is found after a power cut, with nothing in the cache. */
  afterCrash(rules: SimCrashRules, random: Random): SimInode {
    // A coin for the whole file first: files wholly written or wholly lost beside each other are where bugs hide.
    const whole: SimSurvival[] = ['none', 'all', 'random', 'random'];
    const survive = rules.survive === 'random' ? (whole[random.below(whole.length)] ?? 'random') : rules.survive;
    const after = new SimInode();
    after.modifiedStep = this.modifiedStep;
    for (const [page, bytes] of this.#media) after.#media.set(page, bytes);
    for (const page of this.#unreadable) after.#unreadable.add(page);
    if (survive !== 'none') {
      for (const [page, versions] of this.#unsynced) {
        const fate = this.#fates.get(page);
        if (fate !== undefined) continue; // it never got here; where it went instead, only a finished sync shows
        after.#media.set(page, mixSectors(this.#rawMediaPage(page), versions, { ...rules, survive }, random));
        after.#unreadable.delete(page);
      }
    }
    after.#mediaSizeBytes = this.#drawSize(survive, random);
    after.#sizeBytes = after.#mediaSizeBytes;
    after.#clipMedia();
    return after;
  }

  /** Forgets what the cache holds beyond what it must still write. */
  dropCache(): void {
    for (const page of this.#cache.keys()) if (!this.#unsynced.has(page)) this.#cache.delete(page);
  }

  mediaBytes(): Uint8Array {
    const whole = new Uint8Array(this.#mediaSizeBytes);
    for (const [page, bytes] of this.#media) {
      const start = page * simPageBytes;
      if (start < whole.byteLength)
        whole.set(bytes.subarray(0, Math.min(simPageBytes, whole.byteLength - start)), start);
    }
    return whole;
  }

  flipMediaBit(offset: number, bit: number): void {
    assert(offset >= 0 && offset < this.#mediaSizeBytes, 'a bit is flipped inside what the medium holds');
    const page = Math.floor(offset / simPageBytes);
    this.#media.set(page, flipped(this.#rawMediaPage(page), (offset % simPageBytes) * 8 + bit));
  }

  makeUnreadable(offset: number): void {
    this.#unreadable.add(Math.floor(offset / simPageBytes));
  }

  /** The medium ends early, and the system sees it (its cache included). */
  truncateMedia(sizeBytes: number): void {
    assert(sizeBytes <= this.#mediaSizeBytes, 'a medium is cut, not grown');
    this.#mediaSizeBytes = sizeBytes;
    this.#sizeBytes = sizeBytes;
    this.#sizes = [];
    this.#unsynced.clear();
    this.#cache.clear();
    this.#clipMedia();
  }

  mediaPages(): number {
    return Math.ceil(this.#mediaSizeBytes / simPageBytes);
  }

  #gather(offset: number, length: number, pageOf: (page: number) => Uint8Array): Uint8Array {
    const end = Math.min(offset + length, this.#sizeBytes);
    if (end <= offset) return new Uint8Array(0);
    const into = new Uint8Array(end - offset);
    for (let at = offset; at < end; ) {
      const from = at % simPageBytes;
      const count = Math.min(simPageBytes - from, end - at);
      const page = pageOf(Math.floor(at / simPageBytes));
      into.set(count === simPageBytes ? page : page.subarray(from, from + count), at - offset);
      at += count;
    }
    return into;
  }

  #cachedPage(page: number): Uint8Array {
    let bytes = this.#cache.get(page);
    if (bytes === undefined) {
      bytes = this.#mediaPage(page);
      this.#cache.set(page, bytes);
    }
    return bytes;
  }

  #mediaPage(page: number): Uint8Array {
    if (this.#unreadable.has(page)) throw new SimMediumError('unreadable sector');
    return this.#rawMediaPage(page);
  }

  #rawMediaPage(page: number): Uint8Array {
    return this.#media.get(page) ?? zeroPage;
  }

  #setPage(page: number, bytes: Uint8Array, sequence: number): void {
    this.#cache.set(page, bytes);
    const versions = this.#unsynced.get(page);
    if (versions === undefined) this.#unsynced.set(page, [{ sequence, bytes }]);
    else versions.push({ sequence, bytes });
  }

  #setSize(sizeBytes: number, sequence: number): void {
    this.#sizeBytes = sizeBytes;
    this.#sizes.push({ sequence, sizeBytes });
  }

  #persist(page: number, bytes: Uint8Array): void {
    const fate = this.#fates.get(page);
    this.#fates.delete(page);
    switch (fate?.kind) {
      case undefined:
        this.#media.set(page, bytes);
        this.#unreadable.delete(page); // the drive puts a rewritten sector elsewhere
        return;
      case 'lost':
        return;
      case 'flipped':
        this.#media.set(page, flipped(bytes, fate.bit));
        return;
      case 'misdirected':
        fate.inode.#media.set(fate.page, bytes);
    }
  }

  #drawSize(survive: SimSurvival, random: Random): number {
    if (survive === 'none') return this.#mediaSizeBytes;
    if (survive === 'all') return this.#sizes.at(-1)?.sizeBytes ?? this.#mediaSizeBytes;
    const choice = random.below(this.#sizes.length + 1);
    return this.#sizes[choice]?.sizeBytes ?? this.#mediaSizeBytes;
  }

  /** Bytes beyond the end are gone: a file that grows again shows zeros. */
  #clipMedia(): void {
    const keep = this.#mediaSizeBytes % simPageBytes;
    const last = Math.floor(this.#mediaSizeBytes / simPageBytes);
    for (const [page, bytes] of this.#media) {
      if (page > last || (page === last && keep === 0)) this.#media.delete(page);
      else if (page === last) {
        const cut = bytes.slice();
        cut.fill(0, keep);
        this.#media.set(page, cut);
      }
    }
  }
}

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = bytes.slice();
  const index = Math.floor(bit / 8);
  copy[index] = (copy[index] ?? 0) ^ (1 << (bit % 8));
  return copy;
}

/** One page after a power cut: each sector from the medium, from any unsynced version, or torn. */
function mixSectors(
  old: Uint8Array,
  versions: readonly PageVersion[],
  rules: SimCrashRules,
  random: Random,
): Uint8Array {
  if (rules.survive === 'all') return versions.at(-1)?.bytes ?? old;
  const page = new Uint8Array(simPageBytes);
  for (let start = 0; start < simPageBytes; start += rules.sectorBytes) {
    const end = start + rules.sectorBytes;
    const torn = rules.tornOneIn > 0 && random.below(rules.tornOneIn) === 0 && isTouched(old, versions, start, end);
    if (torn) {
      tearSector(page.subarray(start, end), old, versions, start, random);
      continue;
    }
    const choice = random.below(versions.length + 1);
    const source = versions[choice]?.bytes ?? old;
    page.set(source.subarray(start, end), start);
  }
  return page;
}

/** A sector that nobody changed is not being written, so it cannot tear. */
function isTouched(old: Uint8Array, versions: readonly PageVersion[], start: number, end: number): boolean {
  const before = Buffer.from(old.buffer, old.byteOffset + start, end - start);
  return versions.some(({ bytes }) => before.compare(bytes, start, end) !== 0);
}

/** Zeros, noise, or the beginning of the new and the end of the old: all three were seen on drives that lost power. */
function tearSector(
  into: Uint8Array,
  old: Uint8Array,
  versions: readonly PageVersion[],
  start: number,
  random: Random,
): void {
  const way = random.below(3);
  if (way === 0) return;
  if (way === 1) {
    into.set(random.bytes(into.byteLength));
    return;
  }
  const latest = versions.at(-1)?.bytes ?? old;
  const cut = random.below(into.byteLength);
  into.set(latest.subarray(start, start + cut), 0);
  into.set(old.subarray(start + cut, start + into.byteLength), cut);
}
