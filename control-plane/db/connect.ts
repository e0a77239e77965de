import createKnex, { type Knex } from 'knex';
import { lockInTransaction } from './locks.ts';
import { migrationSource } from './migrations/index.ts';

export type { Knex } from 'knex';
/** The database, or a transaction on it: what every query takes first. */
export type Db = Knex;

/** Opens a pool of at most `poolSize` connections on a `postgres://` URL. Nothing is dialled until the first query. */
export function connectDb(url: string, poolSize = 10): Db {
  return createKnex({
    client: 'pg',
    connection: { connectionString: url, application_name: 'spoq' },
    pool: { min: 0, max: poolSize },
    acquireConnectionTimeout: 10_000,
    migrations: { migrationSource, tableName: 'migrations' },
    // Knex prints as plain text what it throws besides; whoever catches it logs it.
    log: { warn: () => {}, error: () => {} },
  });
}

/**
 * Brings the schema up to date. Replicas that start at once wait for each other on an advisory lock, which
 * a process that dies lets go of; so the mark that it may have left in knex's lock table can be wiped.
 * @param installMore what else is installed under the same lock
 */
export async function migrate(db: Db, installMore: () => Promise<void> = async () => {}): Promise<void> {
  await db.transaction(async (tx) => {
    await lockInTransaction(tx, 'migrations');
    if (await db.schema.hasTable('migrations_lock')) await db.migrate.forceFreeMigrationsLock();
    await db.migrate.latest();
    await installMore();
  });
}
