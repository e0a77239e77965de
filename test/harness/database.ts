import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client } from 'pg';
import { connectDb, migrate } from '../../control-plane/db/connect.ts';
import type { Db } from '../../control-plane/db/connect.ts';
import { installQueues } from '../../control-plane/jobs/queues.ts';
import { findFreePort } from '../../tools/ports.ts';
import { startPostgres } from '../../tools/postgres.ts';
import type { Postgres } from '../../tools/postgres.ts';

/** A database of a test file's own, migrated, with its queues. */
export interface TestDatabase {
  url: string;
  db: Db;
  /** A second, empty database on the same server, for the engine's state. */
  backendUrl: string;
  /** Closes the pool and drops both databases. */
  close(): Promise<void>;
}

/** A Postgres for tests: durable in nothing, gone with its folder. */
export interface TestPostgres {
  url(database: string): string;
  stop(): Promise<void>;
}

/** `npm test` runs one server for all files and names it here; a file that runs alone has its own while it needs one. */
export const POSTGRES_VARIABLE = 'SPOQ_TEST_POSTGRES';
const TEMPLATE = 'spoq_template';
/** Any number that nobody else locks: makes the template once, however many files begin at the same time. */
const TEMPLATE_LOCK = 5_170_417;

let own: { server: Promise<TestPostgres>; users: number } | undefined;

/** Starts a server on a free port with its files in a temporary folder. */
export async function startTestPostgres(): Promise<TestPostgres> {
  const dir = mkdtempSync(path.join(tmpdir(), 'spoq-postgres-'));
  chmodSync(dir, 0o755); // under root the server is another account, which has to get in
  const server: Postgres = await startPostgres({
    dataDir: path.join(dir, 'data'),
    port: await findFreePort(),
    password: randomBytes(12).toString('hex'),
    logFile: path.join(dir, 'postgres.log'),
    env: process.env,
    fast: true,
  });
  // A test run that is stopped before its `after` must not leave a server behind; SIGQUIT needs nobody to wait for it.
  const quit = (): void => void process.kill(server.pid, 'SIGQUIT');
  process.once('exit', quit);
  return {
    url: server.url,
    async stop() {
      process.off('exit', quit);
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Makes a migrated database of a random name. Call it in `before`, and `close` in `after`. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const server = await useServer();
  const name = `test_${randomBytes(6).toString('hex')}`;
  await ensureTemplate(server.url);
  await run(server.url('postgres'), `create database ${name} template ${TEMPLATE}`, `create database ${name}_engine`);
  const db = connectDb(server.url(name), 5);
  return {
    url: server.url(name),
    backendUrl: server.url(`${name}_engine`),
    db,
    async close() {
      await db.destroy();
      await run(
        server.url('postgres'),
        `drop database if exists ${name} with (force)`,
        `drop database if exists ${name}_engine with (force)`,
      );
      await server.release();
    },
  };
}

interface UsedServer {
  url(database: string): string;
  release(): Promise<void>;
}

async function useServer(): Promise<UsedServer> {
  const given = process.env[POSTGRES_VARIABLE];
  if (given !== undefined)
    return { url: (database) => given.replace('/postgres?', `/${database}?`), release: async () => {} };
  own ??= { server: startTestPostgres(), users: 0 };
  own.users++;
  const { url, stop } = await own.server;
  return {
    url,
    async release() {
      if (own === undefined || --own.users > 0) return;
      own = undefined;
      await stop();
    },
  };
}

async function ensureTemplate(url: (database: string) => string): Promise<void> {
  const admin = new Client({ connectionString: url('postgres') });
  await admin.connect();
  try {
    await admin.query('select pg_advisory_lock($1)', [TEMPLATE_LOCK]);
    const found = await admin.query('select from pg_database where datname = $1 and datistemplate', [TEMPLATE]);
    if (found.rowCount !== 0) return;
    await admin.query(`drop database if exists ${TEMPLATE}`); // half made by a run that was stopped
    await admin.query(`create database ${TEMPLATE}`);
    const db = connectDb(url(TEMPLATE), 4);
    try {
      await migrate(db, () => installQueues(url(TEMPLATE)));
    } finally {
      await db.destroy();
    }
    await admin.query(`alter database ${TEMPLATE} is_template true`);
  } finally {
    await admin.end();
  }
}

async function run(url: string, ...statements: string[]): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}
