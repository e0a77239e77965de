import type { PendingSignIn, SessionData } from '../middleware/session.ts';
import type { Db } from './connect.ts';

export interface SessionRow {
  /** For pages; opens nothing. */
  id: string;
  id_hash: string;
  user_id: string | null;
  data: SessionData;
  ip: string | null;
  user_agent: string | null;
  created_at: Date;
  last_seen_at: Date;
  expires_at: Date;
}

export async function findSession(db: Db, idHash: string, now: Date): Promise<SessionRow | undefined> {
  return db<SessionRow>('sessions').where('id_hash', idHash).andWhere('expires_at', '>', now).first();
}

export async function insertSession(db: Db, row: Omit<SessionRow, 'id'>): Promise<SessionRow> {
  const [made] = await db('sessions').insert({ ...row, data: JSON.stringify(row.data) }, ['id']);
  if (made === undefined) throw new Error('insert of a session returned no row');
  return { ...row, id: String(made.id) };
}

/** The browsers in which a person is signed in, the one that was used last first. */
export async function listSessionsOf(db: Db, userId: string, now: Date): Promise<SessionRow[]> {
  return db<SessionRow>('sessions')
    .where('user_id', userId)
    .andWhere('expires_at', '>', now)
    .orderBy('last_seen_at', 'desc')
    .orderBy('id');
}

/**
 * Signs a person's session out from afar; answers it, or undefined where it isn't theirs. The row stays, nobody's, until
 * `toldUntil`, so that the browser can be told why it is signed out.
 */
export async function endSession(
  tx: Db,
  userId: string,
  id: string,
  now: Date,
  toldUntil: Date,
): Promise<SessionRow | undefined> {
  const [ended] = await tx<SessionRow>('sessions')
    .where({ id, user_id: userId })
    .andWhere('expires_at', '>', now)
    .update({
      user_id: null,
      data: tx.raw('?::jsonb', [JSON.stringify({ revoked: true })]),
      expires_at: tx.raw('least(expires_at, ?::timestamptz)', [toldUntil]),
    })
    .returning('*');
  return ended;
}

export async function touchSession(db: Db, idHash: string, now: Date): Promise<void> {
  await db('sessions').where('id_hash', idHash).update({ last_seen_at: now });
}

export async function updateSessionData(db: Db, idHash: string, data: SessionData): Promise<void> {
  await db('sessions')
    .where('id_hash', idHash)
    .update({ data: JSON.stringify(data) });
}

/** Takes the pending sign-in that `isWanted` out of a session. Of two callers at once only one gets it: the row is locked. */
export async function takePendingSignIn(
  db: Db,
  idHash: string,
  isWanted: (pending: PendingSignIn) => boolean,
): Promise<PendingSignIn | undefined> {
  return db.transaction(async (tx) => {
    const row = await tx<SessionRow>('sessions').where('id_hash', idHash).forUpdate().first();
    const pending = row?.data.sign_ins ?? [];
    const wanted = pending.find(isWanted);
    if (row === undefined || wanted === undefined) return undefined;
    await updateSessionData(tx, idHash, { ...row.data, sign_ins: pending.filter((one) => one !== wanted) });
    return wanted;
  });
}

/** Hands what belongs to one session (its open checkouts) to its successor and ends the old one. */
export async function moveSession(db: Db, from: string, to: string): Promise<void> {
  await db.transaction(async (tx) => {
    await tx('checkouts').where('session_hash', from).update({ session_hash: to });
    await tx('sessions').where('id_hash', from).delete();
  });
}

export async function deleteSession(db: Db, idHash: string): Promise<void> {
  await db('sessions').where('id_hash', idHash).delete();
}

export async function deleteExpiredSessions(db: Db, now: Date): Promise<number> {
  return db('sessions').where('expires_at', '<=', now).delete();
}
