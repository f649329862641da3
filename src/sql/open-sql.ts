// Which database an address means.
//
// Invariant: an address is a PostgreSQL URL or the path of a SQLite file, and nothing else is guessed.

import { openPostgres } from './postgres.ts';
import type { Sql } from './sql.ts';
import { openSqlite } from './sqlite.ts';

export function isPostgresUrl(address: string): boolean {
  return /^postgres(ql)?:\/\//.test(address);
}

/** Opens a database by its URL (`postgres://...`) or its file's path. */
export async function openSql(address: string): Promise<Sql> {
  return isPostgresUrl(address) ? await openPostgres({ url: address }) : await openSqlite({ path: address });
}
