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
  /** When the device signed in: of the family's first token. */
  signed_in_at: Date;
  expires_at: Date;
  revoked_at: Date | null;
  created_at: Date;
}

export type NewRefreshToken = Pick<
  RefreshTokenRow,
  'user_id' | 'family_id' | 'token_hash' | 'device_label' | 'ip' | 'signed_in_at' | 'expires_at' | 'created_at'
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

/** Ends every token of a device; answers how many were still in force. */
export async function revokeFamily(tx: Db, familyId: string, now: Date): Promise<number> {
  return tx('refresh_tokens')
    .where('family_id', familyId)
    .whereNull('revoked_at')
    .update({ revoked_at: now, successor_sealed: null });
}

/** The newest token of every device of a person that is signed in. The device last used first. */
export async function listLivingFamilies(db: Db, userId: string, now: Date): Promise<RefreshTokenRow[]> {
  return db<RefreshTokenRow>('refresh_tokens')
    .where('user_id', userId)
    .whereNull('revoked_at')
    .whereNull('used_at')
    .andWhere('expires_at', '>', now)
    .orderBy('created_at', 'desc');
}

/** Any token of a person's device that is still in force; undefined when it is somebody else's device, or signed out. */
export async function findLivingToken(db: Db, userId: string, familyId: string): Promise<RefreshTokenRow | undefined> {
  return db<RefreshTokenRow>('refresh_tokens')
    .where({ user_id: userId, family_id: familyId })
    .whereNull('revoked_at')
    .orderBy('created_at', 'desc')
    .first();
}

/** The devices of a person that were signed out after `since`, the last one first. */
export async function listRevokedFamilies(
  db: Db,
  userId: string,
  since: Date,
): Promise<{ family_id: string; revoked_at: Date }[]> {
  return db('refresh_tokens')
    .where('user_id', userId)
    .andWhere('revoked_at', '>', since)
    .groupBy('family_id')
    .orderByRaw('max(revoked_at) DESC')
    .select<{ family_id: string; revoked_at: Date }[]>('family_id', db.raw('max(revoked_at) AS revoked_at'));
}

export async function deleteExpiredRefreshTokens(db: Db, now: Date): Promise<number> {
  return db('refresh_tokens').where('expires_at', '<', now).delete();
}
