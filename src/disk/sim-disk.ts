// The fault-injecting twin of RealDisk: a disk in memory that behaves like a page cache over a medium, and breaks when
// it is told to.
//
// What it keeps of a real disk: nothing survives a power cut unless it was synced, and what was not may survive in
// part, out of order and torn (sim-inode.ts for bytes, sim-names.ts for names). Every call is made of numbered steps
// (sim-steps.ts) at which the world can stop or fail. Same seed and same calls, same run. Left out: time (nothing takes
// any), permissions, and space held by removed files that are still open.

import { ArchiveError, assert, defined, type Random } from '../base/index.ts';
import {
  type Disk,
  type DiskFile,
  type DiskLock,
  type DiskSpace,
  type FileFacts,
  filesOpenMaxDefault,
  type OpenMode,
} from './disk.ts';
import { type DiskAction, diskError, poisonedFile, tooLarge, tooManyOpen } from './disk-errors.ts';
import { checkFolder, checkPath, folderOf, foldersDownTo, isReservedName, writingSuffix } from './disk-path.ts';
import { FileHealths } from './file-health.ts';
import { PathQueue } from './path-queue.ts';
import { SimFile } from './sim-file.ts';
import { SimInode, type SimSurvival } from './sim-inode.ts';
import { SimNames } from './sim-names.ts';
import { type SimFault, SimSteps, type SimStepsOptions } from './sim-steps.ts';
import { isCrash, type SimMachine, SimWorld, simCapacityBytesDefault, simError } from './sim-world.ts';

export type SimDiskOptions = SimStepsOptions & {
  /** Decides what tears, what survives and where things land. One to each disk, or runs depend on each other. */
  readonly random: Random;
  readonly label?: string;
  readonly capacityBytes?: number;
  readonly filesOpenMax?: number;
  /** Calls under way at once finish in an order drawn by chance: each takes up to this many turns of the queue. */
  readonly turnsMax?: number;
};

export type SimRebootOptions = SimStepsOptions & {
  /** Of what was not synced: 'none', 'all', or a random part of it ('random', the default). */
  readonly survive?: SimSurvival;
  /** For choosing what survives and for the new disk; the old disk's own when left out. */
  readonly random?: Random;
  /** How the medium tears; drawn when left out. */
  readonly sectorBytes?: 512 | 4096;
  /**
   * One in so many sectors that were being written is garbage (16 when left out); 0 for a medium that never tears a
   * sector.
   */
  readonly tornOneIn?: number;
};

const tornOneInDefault = 16;
const modifiedEpochMs = Date.UTC(2020, 0, 1);

export class SimDisk implements Disk {
  readonly label: string;
  readonly #options: SimDiskOptions;
  readonly #world: SimWorld;
  readonly #filesOpenMax: number;
  readonly #healths = new FileHealths();
  readonly #replacing = new PathQueue();
  readonly #foldersMade = new Set<string>();
  readonly #foldersSynced = new Set<string>();
  #filesOpen = 0;
  #locked = false;

  /** `machine` is what `reboot` and `restart` hand on; a new disk is empty. */
  constructor(options: SimDiskOptions, machine?: SimMachine) {
    this.label = options.label ?? 'sim';
    this.#options = options;
    this.#filesOpenMax = options.filesOpenMax ?? filesOpenMaxDefault;
    this.#world = new SimWorld({
      label: this.label,
      random: options.random,
      steps: new SimSteps(options),
      turnsMax: options.turnsMax ?? 1,
      machine: machine ?? {
        names: new SimNames(),
        sequence: 0,
        missing: false,
        readOnly: false,
        capacityBytes: options.capacityBytes ?? simCapacityBytesDefault,
      },
    });
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    checkPath(path);
    const at = this.#at(`open for ${mode}`, path);
    await this.#world.turn();
    if (mode === 'write' && this.#healths.isPoisoned(path)) throw poisonedFile(at);
    if (this.#filesOpen >= this.#filesOpenMax) throw tooManyOpen(at, this.#filesOpenMax);
    const inode = mode === 'create' ? this.#create(at, path) : this.#find(at, path);
    if (mode === 'create') this.#healths.removed(path);
    if (mode === 'create') await this.#syncFolder(at, folderOf(path));
    else if (mode === 'write') await this.#syncFolderOnce(at, folderOf(path));
    const health = this.#healths.take(path);
    this.#filesOpen += 1;
    const onClose = (): void => {
      this.#filesOpen -= 1;
      this.#healths.give(health);
    };
    return new SimFile({ path, mode, world: this.#world, inode, health, onClose });
  }

  #find(at: DiskAction, path: string): SimInode {
    this.#world.begin('look', at);
    const inode = this.#world.names.file(path);
    this.#world.end();
    if (inode !== undefined) return inode;
    if (this.#world.names.isFolder(path)) throw diskError(simError('EISDIR'), at);
    throw diskError(simError('ENOENT'), at);
  }

  #create(at: DiskAction, path: string): SimInode {
    this.#world.begin('entry', at);
    this.#checkParent(at, path);
    if (this.#world.names.file(path) !== undefined || this.#world.names.isFolder(path)) {
      throw diskError(simError('EEXIST'), at);
    }
    const inode = new SimInode();
    inode.modifiedStep = this.#world.machine.sequence;
    this.#world.names.link(path, inode);
    this.#world.end();
    return inode;
  }

  async stat(path: string): Promise<FileFacts | undefined> {
    checkPath(path);
    await this.#look('stat', path);
    const inode = this.#world.names.file(path);
    if (inode === undefined) return undefined;
    return { sizeBytes: inode.sizeBytes, modifiedMs: modifiedEpochMs + inode.modifiedStep };
  }

  async list(folder: string): Promise<string[]> {
    checkFolder(folder);
    await this.#look('list', folder);
    return this.#world.names.namesIn(folder).filter((name) => !isReservedName(name));
  }

  async makeFolder(path: string): Promise<void> {
    checkPath(path);
    const at = this.#at('make the folder', path);
    await this.#world.turn();
    for (const each of foldersDownTo(path)) {
      if (this.#foldersMade.has(each)) continue;
      this.#world.begin('entry', { ...at, path: each });
      if (this.#world.names.file(each) !== undefined) throw diskError(simError('EEXIST'), at);
      if (!this.#world.names.isFolder(each)) this.#world.names.makeFolder(each);
      this.#world.end();
      await this.#syncFolder(at, folderOf(each));
      this.#foldersMade.add(each);
    }
  }

  async rename(from: string, to: string): Promise<void> {
    checkPath(from);
    checkPath(to);
    const at = this.#at('rename', from);
    await this.#world.turn();
    await this.#rename(at, from, to);
  }

  async #rename(at: DiskAction, from: string, to: string): Promise<void> {
    this.#world.begin('entry', at);
    if (this.#world.names.file(from) === undefined) throw diskError(simError('ENOENT'), at);
    this.#checkParent(at, to);
    if (this.#world.names.isFolder(to)) throw diskError(simError('EISDIR'), at);
    this.#world.names.rename(from, to);
    this.#world.end();
    this.#healths.renamed(from, to);
    await this.#syncFolder(at, folderOf(to));
    if (folderOf(from) !== folderOf(to)) await this.#syncFolder(at, folderOf(from));
  }

  async remove(path: string): Promise<void> {
    checkPath(path);
    const at = this.#at('remove', path);
    await this.#world.turn();
    this.#world.begin('entry', at);
    if (this.#world.names.isFolder(path)) throw diskError(simError('EISDIR'), at);
    const found = this.#world.names.file(path) !== undefined;
    if (found) this.#world.names.unlink(path);
    this.#world.end();
    if (found) this.#healths.removed(path);
    if (this.#world.names.isFolder(folderOf(path))) await this.#syncFolder(at, folderOf(path));
  }

  async readWhole(path: string, sizeBytesMax: number): Promise<Uint8Array | undefined> {
    checkPath(path);
    const at = this.#at('read', path);
    await this.#world.turn();
    this.#world.begin('read', at);
    const inode = this.#world.names.file(path);
    try {
      if (inode === undefined) return undefined;
      if (inode.sizeBytes > sizeBytesMax) throw tooLarge(at, inode.sizeBytes, sizeBytesMax);
      return inode.read(0, inode.sizeBytes);
    } catch (error) {
      throw this.#world.asSeen(error, at);
    } finally {
      this.#world.end();
    }
  }

  async writeWhole(path: string, bytes: Uint8Array): Promise<void> {
    checkPath(path);
    return this.#replacing.run(path, () => this.#replace(this.#at('replace', path), path, bytes));
  }

  /** The steps of RealDisk: write a temporary file, sync it, rename it, sync the folder. */
  async #replace(at: DiskAction, path: string, bytes: Uint8Array): Promise<void> {
    await this.#world.turn();
    const temporary = `${path}${writingSuffix}`;
    const inode = this.#linkTemporary(at, temporary);
    const health = this.#healths.take(temporary);
    const onClose = (): void => this.#healths.give(health);
    const file = new SimFile({ path: temporary, mode: 'create', world: this.#world, inode, health, onClose });
    try {
      await file.write(0, [bytes]);
      await file.sync();
      await this.#rename({ ...at, path: temporary }, temporary, path);
    } catch (error) {
      if (!isCrash(error) && this.#world.names.file(temporary) === inode) this.#unlinkTemporary(at, temporary);
      throw error;
    } finally {
      await file.close();
    }
  }

  #linkTemporary(at: DiskAction, temporary: string): SimInode {
    this.#world.begin('entry', at);
    this.#checkParent(at, temporary);
    const left = this.#world.names.file(temporary);
    const inode = left ?? new SimInode();
    if (left === undefined) this.#world.names.link(temporary, inode);
    else left.truncate(0, this.#world.nextSequence());
    this.#world.end();
    this.#healths.removed(temporary);
    return inode;
  }

  #unlinkTemporary(at: DiskAction, temporary: string): void {
    try {
      this.#world.begin('entry', { ...at, path: temporary });
      this.#world.names.unlink(temporary);
      this.#world.end();
    } catch (error) {
      if (!(error instanceof ArchiveError)) throw error; // what stays is taken over by the next one
    }
  }

  async space(): Promise<DiskSpace> {
    await this.#look('measure', '');
    const { capacityBytes } = this.#world.machine;
    return { freeBytes: Math.max(0, capacityBytes - this.#world.usedBytes()), totalBytes: capacityBytes };
  }

  async lock(): Promise<DiskLock> {
    await this.#look('lock', '');
    if (this.#locked) throw new ArchiveError('DATA_LOCKED', `disk ${this.label}: held by process ${process.pid}`);
    this.#locked = true;
    let held = true;
    return {
      release: () => {
        if (held) this.#locked = false;
        held = false;
        return Promise.resolve();
      },
    };
  }

  // What follows is for tests.

  /** Steps so far: run a scenario once, and there are so many places to crash or fail it. */
  steps(): number {
    return this.#world.steps.count;
  }

  crashed(): boolean {
    return this.#world.steps.crashed;
  }

  /**
   * The disk as it may be found after a power cut, now or at the crash that happened. This disk is dead; it can be
   * asked again.
   */
  reboot(options: SimRebootOptions = {}): SimDisk {
    this.#world.steps.stop();
    const random = options.random ?? this.#options.random;
    const survive = options.survive ?? 'random';
    const drawn = random.below(2) === 0 ? 512 : 4096;
    const rules = {
      survive,
      sectorBytes: options.sectorBytes ?? drawn,
      tornOneIn: survive === 'random' ? (options.tornOneIn ?? tornOneInDefault) : 0,
    } as const;
    const names = this.#world.names.afterCrash(survive, random, (inode) => inode.afterCrash(rules, random));
    return this.#successor(options, { ...this.#world.machine, names });
  }

  /**
   * The process died and the machine did not: names and bytes are as they were, synced or not; locks and poison are
   * gone.
   */
  restart(options: SimStepsOptions & { readonly random?: Random } = {}): SimDisk {
    this.#world.steps.stop();
    return this.#successor(options, this.#world.machine);
  }

  #successor(options: SimStepsOptions & { readonly random?: Random }, machine: SimMachine): SimDisk {
    const { crashAt: _crashAt, failAt: _failAt, onStep: _onStep, ...kept } = this.#options;
    const next: SimDiskOptions = {
      ...kept,
      random: options.random ?? kept.random,
      ...(options.crashAt === undefined ? {} : { crashAt: options.crashAt }),
      ...(options.failAt === undefined ? {} : { failAt: options.failAt }),
      ...(options.onStep === undefined ? {} : { onStep: options.onStep }),
    };
    return new SimDisk(next, machine);
  }

  /** Adds a fault to those given at the start; its step counts from the disk's first. */
  fail(fault: SimFault): void {
    this.#world.steps.addFault(fault);
  }

  /** Every file, those the disk keeps for itself included. */
  paths(): string[] {
    return this.#world.names.filePaths();
  }

  /** What the medium holds of the file, unsynced bytes left out. */
  mediaBytes(path: string): Uint8Array {
    return this.#inode(path).mediaBytes();
  }

  /** Rot: one bit of the medium. A cached page goes on reading well. */
  flipBit(path: string, offset: number, bit?: number): void {
    const chosen = bit ?? this.#world.random.below(8);
    assert(chosen >= 0 && chosen < 8, 'a byte has eight bits');
    this.#inode(path).flipMediaBit(offset, chosen);
  }

  /** A latent error: the page around `offset` cannot be read from the medium until it is written again. */
  makeUnreadable(path: string, offset: number): void {
    this.#inode(path).makeUnreadable(offset);
  }

  truncateMedia(path: string, sizeBytes: number): void {
    this.#inode(path).truncateMedia(sizeBytes);
  }

  /** Memory pressure: clean pages are read from the medium again. */
  dropCache(): void {
    for (const inode of this.#world.names.files()) inode.dropCache();
  }

  setMissing(missing: boolean): void {
    this.#world.machine.missing = missing;
  }

  setReadOnly(readOnly: boolean): void {
    this.#world.machine.readOnly = readOnly;
  }

  setCapacity(capacityBytes: number): void {
    this.#world.machine.capacityBytes = capacityBytes;
  }

  #inode(path: string): SimInode {
    return defined(this.#world.names.file(path), `the simulated disk has a file ${path}`);
  }

  #at(action: string, path: string): DiskAction {
    return { label: this.label, action, path };
  }

  async #look(action: string, path: string): Promise<DiskAction> {
    const at = this.#at(action, path);
    await this.#world.turn();
    this.#world.begin('look', at);
    this.#world.end();
    return at;
  }

  #checkParent(at: DiskAction, path: string): void {
    if (!this.#world.names.isFolder(folderOf(path))) throw diskError(simError('ENOENT'), at);
  }

  async #syncFolderOnce(at: DiskAction, folder: string): Promise<void> {
    if (this.#foldersSynced.has(folder)) return;
    await this.#syncFolder(at, folder);
    this.#foldersSynced.add(folder);
  }

  async #syncFolder(at: DiskAction, folder: string): Promise<void> {
    await this.#world.turn();
    this.#world.begin('syncFolder', { ...at, path: folder });
    this.#world.end();
    this.#world.names.syncFolder(folder);
  }
}
