// SimDatabase: a database file that can be had again as it was at an earlier moment, or as a power cut leaves it.
//
// Invariants: a copy is taken between two statements, so it is one that some crash could have left; the file proper without its log is exactly what
// the last checkpoint made durable. Files lie in memory where the system has such a folder, and go when the process does.

import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Migration, migrate, openSqlite, type Sql } from '../../src/sql/index.ts';
import { vaultMigrations } from '../../src/vault/index.ts';

let folder: string | undefined;
let count = 0;

function newPath(): string {
  if (folder === undefined) {
    const made = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'stele-sim-'));
    process.on('exit', () => rmSync(made, { recursive: true, force: true }));
    folder = made;
  }
  count += 1;
  return join(folder, `${count}.sqlite`);
}

export class SimDatabase {
  readonly path: string;
  readonly sql: Sql;
  readonly #migrations: readonly Migration[];
  #closed = false;

  private constructor(path: string, sql: Sql, migrations: readonly Migration[]) {
    this.path = path;
    this.sql = sql;
    this.#migrations = migrations;
  }

  /** With the vault's tables, or with those of more rooms. */
  static async make(migrations: readonly Migration[] = vaultMigrations): Promise<SimDatabase> {
    return SimDatabase.at(newPath(), migrations);
  }

  /** A database at a path of the caller's choosing, as a process of its own has it. */
  static async at(path: string, migrations: readonly Migration[] = vaultMigrations): Promise<SimDatabase> {
    const sql = await openSqlite({ path, cacheBytes: 1024 * 1024 });
    await migrate(sql, migrations);
    // What the archive knows: here, every fact by its record's id.
    await sql.run('CREATE TABLE IF NOT EXISTS sim_facts (id TEXT NOT NULL PRIMARY KEY, plain BLOB NOT NULL) STRICT');
    return new SimDatabase(path, sql, migrations);
  }

  /** 'committed': everything that was; 'durable': what the last checkpoint carried over. May be taken while this one is open. */
  snapshot(what: 'committed' | 'durable'): SimSnapshot {
    const path = newPath();
    copyFileSync(this.path, path);
    if (what === 'committed' && existsSync(`${this.path}-wal`)) copyFileSync(`${this.path}-wal`, `${path}-wal`);
    return new SimSnapshot(path, (from) => SimDatabase.at(from, this.#migrations));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.sql.close();
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${this.path}${suffix}`, { force: true });
  }
}

/** A copy that waits to be opened, as often as one likes. */
export class SimSnapshot {
  readonly #path: string;
  readonly #open: (path: string) => Promise<SimDatabase>;

  constructor(path: string, open: (path: string) => Promise<SimDatabase>) {
    this.#path = path;
    this.#open = open;
  }

  async open(): Promise<SimDatabase> {
    const path = newPath();
    copyFileSync(this.#path, path);
    if (existsSync(`${this.#path}-wal`)) copyFileSync(`${this.#path}-wal`, `${path}-wal`);
    return this.#open(path);
  }

  drop(): void {
    for (const suffix of ['', '-wal']) rmSync(`${this.#path}${suffix}`, { force: true });
  }
}
