import createKnex, { type Knex } from 'knex';
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
  });
}

/** Brings the schema up to date; replicas that start at once wait for each other through knex's lock table. */
export async function migrate(db: Db): Promise<void> {
  await db.migrate.latest();
}
