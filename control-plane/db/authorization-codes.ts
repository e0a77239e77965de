import type { Db } from './connect.ts';

export interface AuthorizationCodeRow {
  code_hash: string;
  user_id: string;
  client_id: string;
  redirect_uri: string;
  /** PKCE, S256. */
  code_challenge: string;
  /** What the device calls itself. */
  device_label: string | null;
  /** When it was first brought, rightly or not. */
  used_at: Date | null;
  /** The device that was signed in with it. */
  family_id: string | null;
  expires_at: Date;
  created_at: Date;
}

export async function insertAuthorizationCode(
  db: Db,
  row: Omit<AuthorizationCodeRow, 'used_at' | 'family_id'>,
): Promise<void> {
  await db('authorization_codes').insert(row);
}

/** The row of a code, locked until the end of the transaction. */
export async function lockAuthorizationCode(tx: Db, codeHash: string): Promise<AuthorizationCodeRow | undefined> {
  return tx<AuthorizationCodeRow>('authorization_codes').where('code_hash', codeHash).forUpdate().first();
}

export async function updateAuthorizationCode(
  tx: Db,
  codeHash: string,
  changes: Pick<AuthorizationCodeRow, 'used_at' | 'family_id'>,
): Promise<void> {
  await tx<AuthorizationCodeRow>('authorization_codes').where('code_hash', codeHash).update(changes);
}

/** Takes back what a person has approved and no program has fetched yet. */
export async function deleteUnusedCodes(tx: Db, userId: string): Promise<void> {
  await tx('authorization_codes').where('user_id', userId).whereNull('used_at').delete();
}

/** Removes codes a day after their end: until then a second use is noticed. */
export async function deleteExpiredCodes(db: Db, now: Date): Promise<number> {
  return db('authorization_codes')
    .where('expires_at', '<', new Date(now.getTime() - 86_400_000))
    .delete();
}
