import type { Db } from './connect.ts';
import type { ExportedTable } from './exported-tables.ts';

const BATCH = 500;

export type ExportedRow = Record<string, unknown>;

/**
 * A person's rows of a table, in batches and in order. Each batch is a query of its own, so that whoever takes them slowly keeps no
 * connection of the pool.
 */
export async function* readExport(db: Db, table: ExportedTable, userId: string): AsyncGenerator<ExportedRow[]> {
  let after: string[] | undefined;
  for (;;) {
    const rows = await readBatch(db, table, userId, after);
    if (rows.length > 0) yield rows.map(({ export_cursor: _cursor, ...row }) => row);
    if (rows.length < BATCH) return;
    after = rows.at(-1)?.export_cursor;
  }
}

/** The cursor is what a row is ordered by, as text: a Date would round Postgres' microseconds, and repeat rows. */
async function readBatch(
  db: Db,
  { table, columns, computed = {}, where, order }: ExportedTable,
  userId: string,
  after: string[] | undefined,
): Promise<(ExportedRow & { export_cursor: string[] })[]> {
  const list = (mark: string): string => order.map(() => mark).join(', ');
  return db(table)
    .select(columns)
    .select(Object.entries(computed).map(([name, sql]) => db.raw(`${sql} AS "${name}"`, { user: userId })))
    .select(db.raw(`ARRAY[${list('CAST(?? AS text)')}] AS export_cursor`, [...order]))
    .whereRaw(where, { user: userId })
    .modify((query) => {
      if (after !== undefined) void query.whereRaw(`(${list('??')}) > (${list('?')})`, [...order, ...after]);
    })
    .orderBy(order.map((column) => ({ column })))
    .limit(BATCH);
}

/** The customers of Stripe's that a person has paid as. */
export async function listCustomersOf(db: Db, userId: string): Promise<string[]> {
  const of = (table: string) => db(table).where('user_id', userId).whereNotNull('stripe_customer_id');
  const rows = await of('subscriptions')
    .select<{ stripe_customer_id: string }[]>('stripe_customer_id')
    .union(of('checkouts').select('stripe_customer_id'));
  return rows.map((row) => row.stripe_customer_id).toSorted();
}
