import type { Db } from './connect.ts';

/** Waits for the lock of that name and holds it until the transaction ends, across all replicas. */
export async function lockInTransaction(tx: Db, name: string): Promise<void> {
  await tx.raw('SELECT pg_advisory_xact_lock(hashtextextended(?, 0))', [name]);
}
