import { createHash } from 'node:crypto';
import { insertAuditRow, listAuditRows, lockAuditLog, type AuditDetail, type AuditRow } from '../db/audit-log.ts';
import type { Db } from '../db/connect.ts';

/** What the first row hashes instead of one before it. */
const GENESIS = '0'.repeat(64);
const BATCH = 1000;

export interface AuditEntry {
  at: Date;
  /** `user:<id>`, `device`, `system` or `operator`. */
  actor: string;
  user_id?: string | null;
  /** What happened, `<thing>.<verb>`: `device.approved`. */
  action: string;
  /** Never a secret, a token or a code. */
  detail?: AuditDetail;
  ip?: string | null;
}

/**
 * Appends to the audit log, whose every row hashes the one before. Do it last in a transaction: the lock that keeps the rows
 * in one line is held until the commit.
 */
export async function recordAudit(tx: Db, entry: AuditEntry): Promise<void> {
  const previous = await lockAuditLog(tx);
  const row = {
    at: entry.at,
    actor: entry.actor,
    user_id: entry.user_id ?? null,
    action: entry.action,
    detail: entry.detail ?? {},
    ip: entry.ip ?? null,
    previous_hash: previous ?? GENESIS,
  };
  await insertAuditRow(tx, { ...row, hash: hashRow(row) });
}

/** `head` is the last row's hash: kept elsewhere, it also betrays rows that were cut off the end. */
export type AuditVerdict = { ok: true; rows: number; head: string } | { ok: false; id: string; reason: string };

/**
 * Walks the whole log and tells the first row that was changed, put in or follows one that was taken out. `kept` is a head of
 * an earlier walk: a log that has only grown since then still holds it, one whose end was cut off or written anew doesn't.
 */
export async function verifyAudit(db: Db, kept: string = GENESIS): Promise<AuditVerdict> {
  let head = GENESIS;
  let isKeptThere = kept === GENESIS;
  let last = '0';
  let count = 0;
  for (;;) {
    const rows = await listAuditRows(db, last, BATCH);
    for (const row of rows) {
      if (row.previous_hash !== head) return { ok: false, id: row.id, reason: 'does not follow the row before it' };
      if (row.hash !== hashRow(row)) return { ok: false, id: row.id, reason: 'is not what was written' };
      head = row.hash;
      isKeptThere ||= head === kept;
      last = row.id;
      count += 1;
    }
    if (rows.length >= BATCH) continue;
    return isKeptThere
      ? { ok: true, rows: count, head }
      : {
          ok: false,
          id: last,
          reason: 'is not followed by the row whose hash was kept: the end was cut off or rewritten',
        };
  }
}

/** The database keeps the keys of `detail` in an order of its own, so they are sorted here. */
function hashRow(row: Omit<AuditRow, 'id' | 'hash'>): string {
  const detail = Object.entries(row.detail).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const fields = [row.previous_hash, row.at.toISOString(), row.actor, row.user_id, row.action, detail, row.ip];
  return createHash('sha256').update(JSON.stringify(fields)).digest('hex');
}
