// What every database behind `Sql` must do: one suite, run for SQLite always and for PostgreSQL where a server can be had.
//
// Each test gets an empty database from the factory and closes it. Left out on purpose: speed (bench/) and a database's own files
// and settings (sqlite.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AssertionFault, isArchiveError } from '../base/index.ts';
import { defineMigration, migrate } from './migrations.ts';
import type { Sql, SqlTransaction } from './sql.ts';
import { clearTables, defineTable, dumpTables } from './tables.ts';

export type OpenEmpty = () => Promise<Sql>;

const notesTable = defineTable({
  name: 'marks',
  room: 'trial',
  class: 'fact',
  columns: { mark_no: 'integer', name: 'text', body: 'bytes', time: 'hybrid' },
  dump: 'SELECT name, body, time FROM marks',
});

const first = defineMigration({
  room: 'trial',
  number: 1,
  name: 'marks',
  statements: [
    `CREATE TABLE marks (mark_no INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, body BLOB, time INTEGER NOT NULL DEFAULT 0) STRICT`,
    `CREATE TABLE pairs (a INTEGER NOT NULL, b TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (a, b)) WITHOUT ROWID, STRICT`,
  ],
});

const second = defineMigration({
  room: 'trial',
  number: 2,
  name: 'marks have a weight',
  statements: ['ALTER TABLE marks ADD COLUMN weight INTEGER'],
});

type Marks = { marks: { mark_no: number; name: string; body: Uint8Array | null; time: number } };

const insert = 'INSERT INTO marks (name, body, time) VALUES (?, ?, ?)';
const insertNew = `${insert} ON CONFLICT (name) DO NOTHING`;

async function names(sql: { all: Sql['all'] }): Promise<string[]> {
  return (await sql.all<{ name: string }>('SELECT name FROM marks ORDER BY name')).map((row) => row.name);
}

/** A promise and the function that resolves it. */
function gate(): { opened: Promise<void>; open: () => void } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

export function sqlConformance(label: string, openEmpty: OpenEmpty): void {
  const it = (behaviour: string, work: (sql: Sql) => Promise<void>): void => {
    void test(`${label}: ${behaviour}`, async () => {
      const sql = await openEmpty();
      try {
        await migrate(sql, [first]);
        await work(sql);
      } finally {
        await sql.close();
      }
    });
  };

  it('every kind of value comes back as it went in', async (sql) => {
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
    const text = "quote ' question ? backslash \\ 汉字 🩻 \\x00";
    await sql.run(insert, [text, bytes, 2n ** 62n + 3n]);
    await sql.run(insert, ['empty', new Uint8Array(0), 0]);
    await sql.run(insert, ['none', null, -5]);
    const rows = await sql.all<object>('SELECT name, body, time FROM marks ORDER BY mark_no', [], 'bigint');
    assert.deepEqual(
      rows.map((row) => ({ ...row })),
      [
        { name: text, body: bytes, time: 2n ** 62n + 3n },
        { name: 'empty', body: new Uint8Array(0), time: 0n },
        { name: 'none', body: null, time: -5n },
      ],
    );
  });

  it('an integer beyond 2^53 is never rounded', async (sql) => {
    await sql.run(insert, ['large', null, 2n ** 53n + 1n]);
    await assert.rejects(sql.all('SELECT time FROM marks'), AssertionFault);
    assert.equal((await sql.one<{ time: bigint }>('SELECT time FROM marks', [], 'bigint'))?.time, 2n ** 53n + 1n);
  });

  it('counts, sums and comparisons are numbers', async (sql) => {
    await sql.many(insert, [
      ['a', null, 7],
      ['b', null, 8],
    ]);
    const row = await sql.one<object>('SELECT count(*) AS n, sum(time) AS total, max(time) > 7 AS many FROM marks');
    assert.deepEqual({ ...row }, { n: 2, total: 15, many: 1 });
  });

  it('text and bytes are ordered by their bytes', async (sql) => {
    const order = ['A', 'Z', 'a', 'z', 'Ä', '中', '🩻'];
    await sql.many(
      insert,
      order.toReversed().map((name) => [name, Buffer.from(name), 0]),
    );
    assert.deepEqual(await names(sql), order);
    const byBytes = await sql.all<{ name: string }>('SELECT name FROM marks ORDER BY body');
    assert.deepEqual(
      byBytes.map((row) => row.name),
      order,
    );
  });

  it('many is all or none, in order, and counts what changed', async (sql) => {
    const rows = Array.from({ length: 199 }, (_, index) => [`n${index}`, null, index]);
    assert.deepEqual(await sql.many(insert, rows), { changes: 199 });
    assert.deepEqual(
      await sql.many(insertNew, [
        ['n5', null, 1],
        ['new', null, 1],
        ['new', null, 2],
      ]),
      { changes: 1 },
    );
    const [kept] = await sql.all<{ time: number }>("SELECT time FROM marks WHERE name = 'new'");
    assert.equal(kept?.time, 1);
    await assert.rejects(
      sql.many(insert, [
        ['other', null, 1],
        ['n7', null, 1],
      ]),
    );
    assert.equal((await sql.one<{ n: number }>('SELECT count(*) AS n FROM marks'))?.n, 200);
    assert.deepEqual(await sql.many(insert, []), { changes: 0 });
  });

  it('many of any length inserts each row once, and passes over what is there', async (sql) => {
    let total = 0;
    for (const count of [1, 15, 16, 17, 33, 64, 600]) {
      const rows = Array.from({ length: count }, (_, index) => [`${count}-${index}`, null, index]);
      assert.deepEqual(await sql.many(insertNew, [...rows.slice(0, 3), ...rows]), { changes: count });
      assert.deepEqual(await sql.many(insertNew, rows), { changes: 0 });
      total += count;
    }
    assert.equal((await sql.one<{ n: number }>('SELECT count(*) AS n FROM marks'))?.n, total);
    const row = await sql.one<object>("SELECT name, time FROM marks WHERE name = '33-32'");
    assert.deepEqual({ ...row }, { name: '33-32', time: 32 });
  });

  it('many may meet one row several times', async (sql) => {
    const add =
      'INSERT INTO pairs (a, b, n) VALUES (?, ?, ?) ON CONFLICT (a, b) DO UPDATE SET n = pairs.n + excluded.n';
    await sql.many(add, [
      [1, 'x', 1],
      [1, 'x', 10],
      [2, 'x', 5],
      [1, 'x', 100],
    ]);
    const rows = await sql.all<{ n: number }>('SELECT n FROM pairs ORDER BY a');
    assert.deepEqual(
      rows.map((row) => row.n),
      [111, 5],
    );
    assert.deepEqual(
      await sql.many('UPDATE pairs SET n = ? WHERE a = ?', [
        [1, 1],
        [2, 2],
        [3, 3],
      ]),
      { changes: 2 },
    );
  });

  it('a transaction that throws leaves nothing and passes its error on', async (sql) => {
    const ours = new Error('ours');
    await assert.rejects(
      sql.transaction(async (tx) => {
        await tx.run(insert, ['gone', null, 0]);
        assert.deepEqual(await names(tx), ['gone']);
        throw ours;
      }),
      ours,
    );
    assert.deepEqual(await names(sql), []);
  });

  it('a failed statement dooms its transaction, even when its error is swallowed', async (sql) => {
    await sql.run(insert, ['there', null, 0]);
    await assert.rejects(
      sql.transaction(async (tx) => {
        await tx.run(insert, ['before', null, 0]);
        await tx.run(insert, ['there', null, 0]).catch(() => undefined);
      }),
      (error) => isArchiveError(error, 'DATABASE_FAILED'),
    );
    assert.deepEqual(await names(sql), ['there']);
  });

  it('reads outside see a transaction only once it is committed', async (sql) => {
    const written = gate();
    const seen = gate();
    const transaction = sql.transaction(async (tx) => {
      await tx.run(insert, ['new', null, 0]);
      written.open();
      await seen.opened;
    });
    await written.opened;
    assert.deepEqual(await names(sql), []);
    seen.open();
    await transaction;
    assert.deepEqual(await names(sql), ['new']);
  });

  it('transactions under one lock do not overtake each other', async (sql) => {
    await sql.run(insert, ['sum', null, 0]);
    const add = (): Promise<void> =>
      sql.transaction(async (tx) => {
        await tx.lock('sum');
        const row = await tx.one<{ time: number }>("SELECT time FROM marks WHERE name = 'sum'");
        await tx.run("UPDATE marks SET time = ? WHERE name = 'sum'", [(row?.time ?? 0) + 1]);
      });
    await Promise.all(Array.from({ length: 20 }, add));
    assert.equal((await sql.one<{ time: number }>('SELECT time FROM marks'))?.time, 20);
  });

  it('within a transaction only its own object works, and not after its end', async (sql) => {
    let kept: SqlTransaction | undefined;
    await sql.transaction(async (tx) => {
      kept = tx;
      await assert.rejects(sql.run(insert, ['x', null, 0]), AssertionFault);
      await assert.rejects(names(sql), AssertionFault);
      await assert.rejects(
        sql.transaction(async () => undefined),
        AssertionFault,
      );
    });
    await assert.rejects(async () => await kept?.run(insert, ['x', null, 0]), AssertionFault);
    await sql.run(insert, ['after', null, 0]);
    assert.deepEqual(await names(sql), ['after']);
  });

  it('errors repeat no value of a statement', async (sql) => {
    await sql.run(insert, ['Secret^Name', null, 0]);
    const error: unknown = await sql.run(insert, ['Secret^Name', null, 0]).catch((caught: unknown) => caught);
    assert.ok(isArchiveError(error, 'DATABASE_FAILED'));
    const told = [error.message, error.hint, String(error.cause), JSON.stringify(error), error.stack].join('\n');
    assert.ok(!told.includes('Secret'));
    assert.ok(told.includes('INSERT INTO marks'));
    await assert.rejects(sql.all('SELECT nothing FROM nowhere'), (fault) => isArchiveError(fault, 'DATABASE_FAILED'));
  });

  it('the query builder speaks the dialect and obeys transactions', async (sql) => {
    await sql.query<Marks>().insertInto('marks').values({ mark_no: 1, name: 'a', body: null, time: 4 }).execute();
    await assert.rejects(
      sql.transaction(async (tx) => {
        const changed = await tx.query<Marks>().updateTable('marks').set({ time: 9 }).where('name', '=', 'a').execute();
        assert.equal(changed[0]?.numUpdatedRows, 1n);
        throw new Error('back');
      }),
    );
    const query = sql.query<Marks>().selectFrom('marks').select(['name', 'time']).where('name', 'in', ['a', 'b']);
    assert.deepEqual(
      (await query.limit(5).execute()).map((row) => ({ ...row })),
      [{ name: 'a', time: 4 }],
    );
  });

  it('migrations run once, in order, also when started twice at once', async (sql) => {
    const both = await Promise.all([migrate(sql, [first, second]), migrate(sql, [first, second])]);
    assert.deepEqual(
      both.flatMap((each) => each.applied),
      ['trial 2: marks have a weight'],
    );
    assert.deepEqual((await migrate(sql, [first, second])).applied, []);
    await sql.run('UPDATE marks SET weight = 1');
  });

  it('a database of a newer or another form is refused', async (sql) => {
    await migrate(sql, [first, second]);
    await assert.rejects(migrate(sql, [first]), (error) => isArchiveError(error, 'DATABASE_NEWER'));
    const edited = { ...first, statements: [...first.statements, 'SELECT 1'] };
    await assert.rejects(migrate(sql, [edited, second]), (error) => isArchiveError(error, 'DATABASE_FAILED'));
  });

  it('a migration that fails leaves nothing behind', async (sql) => {
    const broken = { ...second, statements: [...second.statements, 'CREATE TABLE marks (x INTEGER) STRICT'] };
    await assert.rejects(migrate(sql, [first, broken]));
    assert.deepEqual((await migrate(sql, [first, second])).applied, ['trial 2: marks have a weight']);
  });

  it('equal content dumps alike whatever its order and surrogate numbers', async (sql) => {
    const fill = async (order: string[]): Promise<unknown> => {
      await sql.transaction((tx) => clearTables(tx, [notesTable]));
      for (const name of order) await sql.run(insert, [name, Buffer.from(name), 2n ** 60n]);
      return await dumpTables(sql, [notesTable], ['fact']);
    };
    const dump = await fill(['a', 'b']);
    assert.deepEqual(dump, await fill(['b', 'a']));
    assert.deepEqual(dump, {
      marks: [
        '{"name":"a","body":"61","time":"1152921504606846976"}',
        '{"name":"b","body":"62","time":"1152921504606846976"}',
      ],
    });
    assert.deepEqual(await dumpTables(sql, [notesTable], ['site']), {});
  });

  it('a check of what is whole says so', async (sql) => {
    assert.equal(await sql.check(), 'good');
  });

  it('checkpoint and close may be repeated, and a closed database says so', async (sql) => {
    await sql.run(insert, ['a', null, 0]);
    await sql.checkpoint();
    await sql.checkpoint();
    await sql.close();
    await sql.close();
    await assert.rejects(names(sql), (error) => isArchiveError(error, 'CLOSED'));
    await assert.rejects(sql.run(insert, ['b', null, 0]), (error) => isArchiveError(error, 'CLOSED'));
  });
}
