import { migrationSource } from './control-plane/db/migrations/index.ts';

/** For the knex command line: `DATABASE_URL=… npx knex migrate:status`. */
export default {
  client: 'pg',
  connection: process.env['DATABASE_URL'],
  migrations: { migrationSource, tableName: 'migrations' },
};
