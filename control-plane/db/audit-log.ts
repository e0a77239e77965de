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

export async function findLastAuditHash(db: Db): Promise<string | undefined> {
  const row = await db<AuditRow>('audit_log').orderBy('id', 'desc').first('hash');
  return row?.hash;
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
