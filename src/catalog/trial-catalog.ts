// An empty catalog for a test: how the parts of the catalog's one suite declare their tests, on whichever database.
//
// Each test gets an empty, migrated database from the factory, which is closed after it.

import { test } from 'node:test';
import type { Sql } from '../sql/index.ts';
import { Catalog } from './catalog.ts';

export type OpenEmpty = () => Promise<Sql>;

/** Declares one test, which gets an empty catalog. */
export type DeclareTest = (behaviour: string, work: (catalog: Catalog, sql: Sql) => Promise<void>) => void;

export function declareOn(label: string, openEmpty: OpenEmpty): DeclareTest {
  return (behaviour, work) => {
    void test(`${label}: ${behaviour}`, async () => {
      const sql = await openEmpty();
      try {
        await work(new Catalog(sql), sql);
      } finally {
        await sql.close();
      }
    });
  };
}
