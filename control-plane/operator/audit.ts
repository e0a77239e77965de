import { SpoqError } from '../../contract/errors.ts';
import { verifyAudit } from '../commands/audit.ts';
import { listAuditRowsOf, type AuditRow } from '../db/audit-log.ts';
import type { Db } from '../db/connect.ts';
import { findUsersBy } from '../db/users.ts';
import { printTable } from './print.ts';

export const AUDIT_ACTIONS = ['verify', 'list'] as const;
export type AuditAction = (typeof AUDIT_ACTIONS)[number];

export interface AuditFlags {
  /** Of an earlier walk. */
  head?: string;
  user?: string;
}

export type AuditResult = { rows: number; head: string } | AuditRow[];

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const HASH = /^[0-9a-f]{64}$/;

/**
 * Verifies the audit log, or lists what it says of a person.
 * @throws SpoqError `audit_broken` with the row, `invalid_request`, `not_found`, or `conflict` where a login is several people's
 */
export async function runAudit(db: Db, action: AuditAction, flags: AuditFlags): Promise<AuditResult> {
  if (action === 'list') return listAuditRowsOf(db, await findUserId(db, flags.user));
  if (flags.head !== undefined && !HASH.test(flags.head))
    throw new SpoqError('invalid_request', { detail: 'A head has 64 digits from 0 to f.' });
  const verdict = await verifyAudit(db, flags.head);
  if (!verdict.ok) throw new SpoqError('audit_broken', { detail: `Row ${verdict.id} ${verdict.reason}.` });
  return { rows: verdict.rows, head: verdict.head };
}

export function printAudit(result: AuditResult): string {
  if (!Array.isArray(result)) return `rows: ${result.rows}\nhead: ${result.head}`;
  if (result.length === 0) return 'The audit log says nothing of this person.';
  const rows = result.map(({ id, at, actor, action, ip }) => [id, at.toISOString(), action, actor, ip ?? '-']);
  return printTable(['ROW', 'AT', 'ACTION', 'ACTOR', 'ADDRESS'], rows);
}

async function findUserId(db: Db, who: string | undefined): Promise<string> {
  if (who === undefined)
    throw new SpoqError('invalid_request', { detail: 'Whose? Say it with --user.', next: 'Add --user <login or id>.' });
  // Of somebody who is gone the log still speaks by id.
  if (UUID.test(who)) return who;
  const [user, another] = await findUsersBy(db, who);
  if (user === undefined) throw new SpoqError('not_found', { detail: `Nobody is known as ${who}.` });
  if (another !== undefined)
    throw new SpoqError('conflict', { detail: `Several people are known as ${who}.`, next: 'Name the one by id.' });
  return user.id;
}
