import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFreePort } from '../../tools/ports.ts';
import { startPostgres } from '../../tools/postgres.ts';
import { connectDb, migrate, type Db } from '../db/connect.ts';

export interface TestDatabase {
  db: Db;
  url: string;
  close(): Promise<void>;
}

/** A Postgres of its own with Spoq's schema, gone when closed. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const folder = mkdtempSync(join(tmpdir(), 'spoq-db-'));
  const postgres = await startPostgres({
    dataDir: join(folder, 'data'),
    port: await findFreePort(),
    password: randomUUID(),
    logFile: join(folder, 'log'),
    env: process.env,
    fast: true,
  });
  await postgres.createDatabase('spoq');
  const url = postgres.url('spoq');
  const db = connectDb(url);
  await migrate(db);
  return {
    db,
    url,
    async close() {
      await db.destroy();
      await postgres.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
