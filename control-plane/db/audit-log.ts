import type { Db } from './connect.ts';

export type AuditDetail = Record<string, string | number | boolean | null>;

export interface AuditRow {
  /** BIGSERIAL, which pg reads as text. */
  id: string;
  at: Date;
  /** Who did it: `user:<id>`, `device`, `system`, `operator`. */
  actor: string;
  user_id: string | null;
  action: string;
  detail: AuditDetail;
  ip: string | null;
  previous_hash: string;
  hash: string;
}

/**
 * Waits until no other transaction appends, keeps others from it until this one ends, and answers the last row's hash. Everybody waits
 * for everybody here: so both statements go in one trip, and the second sees what was committed while the first waited.
 */
export async function lockAuditLog(tx: Db): Promise<string | undefined> {
  const results: { rows: { hash?: string }[] }[] = await tx.raw(
    `SELECT pg_advisory_xact_lock(hashtextextended('audit_log', 0)); SELECT hash FROM audit_log ORDER BY id DESC LIMIT 1`,
  );
  return results[1]?.rows[0]?.hash;
}

export async function insertAuditRow(db: Db, row: Omit<AuditRow, 'id'>): Promise<void> {
  await db('audit_log').insert({ ...row, detail: JSON.stringify(row.detail) });
}

/** Every row about a person, oldest first. */
export async function listAuditRowsOf(db: Db, userId: string): Promise<AuditRow[]> {
  return db<AuditRow>('audit_log').where('user_id', userId).orderBy('id');
}

/** Up to `limit` rows about a person before the id `before`, the newest first. */
export async function listNewestAuditRowsOf(
  db: Db,
  userId: string,
  { before, limit }: { before: string | undefined; limit: number },
): Promise<AuditRow[]> {
  const rows = db<AuditRow>('audit_log').where('user_id', userId).orderBy('id', 'desc').limit(limit);
  return before === undefined ? rows : rows.andWhere('id', '<', before);
}

/** Up to `limit` rows after the id `after`, oldest first. */
export async function listAuditRows(db: Db, after: string, limit: number): Promise<AuditRow[]> {
  return db<AuditRow>('audit_log').where('id', '>', after).orderBy('id').limit(limit);
}
