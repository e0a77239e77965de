import type { Db } from './connect.ts';

export interface RefreshTokenRow {
  id: string;
  user_id: string;
  /** One device's chain of tokens. */
  family_id: string;
  token_hash: string;
  device_label: string | null;
  ip: string | null;
  /** The token that replaced this one, sealed; kept for a short while in case the answer was lost. */
  successor_sealed: string | null;
  /** When it was replaced. */
  used_at: Date | null;
  last_used_at: Date | null;
  expires_at: Date;
  revoked_at: Date | null;
  created_at: Date;
}

export interface LivingFamily {
  family_id: string;
  label: string | null;
  ip: string | null;
  signed_in_at: Date;
  last_used_at: Date;
}

export type NewRefreshToken = Pick<
  RefreshTokenRow,
  'user_id' | 'family_id' | 'token_hash' | 'device_label' | 'ip' | 'expires_at' | 'created_at'
>;

export async function findRefreshToken(db: Db, tokenHash: string): Promise<RefreshTokenRow | undefined> {
  return db<RefreshTokenRow>('refresh_tokens').where('token_hash', tokenHash).first();
}

export async function insertRefreshToken(db: Db, row: NewRefreshToken): Promise<void> {
  await db('refresh_tokens').insert(row);
}

export async function updateRefreshToken(
  tx: Db,
  id: string,
  changes: Partial<Pick<RefreshTokenRow, 'successor_sealed' | 'used_at' | 'last_used_at'>>,
): Promise<void> {
  await tx<RefreshTokenRow>('refresh_tokens').where('id', id).update(changes);
}

/** Forgets the sealed successors of tokens that were replaced before `before`. */
export async function forgetSuccessors(tx: Db, familyId: string, before: Date): Promise<void> {
  await tx('refresh_tokens')
    .where('family_id', familyId)
    .andWhere('used_at', '<', before)
    .whereNotNull('successor_sealed')
    .update({ successor_sealed: null });
}

/** Chains of tokens of which one is in force, as the devices they stand for; the one that was used last first. */
export async function listLivingFamilies(db: Db, userId: string, now: Date): Promise<LivingFamily[]> {
  const { rows } = await db.raw<{ rows: LivingFamily[] }>(
    `SELECT family_id, min(created_at) AS signed_in_at, max(coalesce(last_used_at, created_at)) AS last_used_at,
       (array_agg(device_label ORDER BY created_at DESC))[1] AS label, (array_agg(ip ORDER BY created_at DESC))[1] AS ip
     FROM refresh_tokens WHERE user_id = ?
     GROUP BY family_id HAVING bool_or(revoked_at IS NULL AND used_at IS NULL AND expires_at > ?)
     ORDER BY last_used_at DESC, family_id`,
    [userId, now],
  );
  return rows;
}

/** Ends every token of a device; answers how many were still in force. */
export async function revokeFamily(tx: Db, familyId: string, now: Date): Promise<number> {
  return tx('refresh_tokens')
    .where('family_id', familyId)
    .whereNull('revoked_at')
    .update({ revoked_at: now, successor_sealed: null });
}

export async function deleteExpiredRefreshTokens(db: Db, now: Date): Promise<number> {
  return db('refresh_tokens').where('expires_at', '<', now).delete();
}
