import type { BootState, BootStep } from '../../contract/boot.ts';
import type { Db } from './connect.ts';

/** The token of the set-up that a box is going through. */
export interface BootTokenRow {
  user_vps_id: string;
  token_hash: string;
  /** Sealed, so that a machine that is asked for again is given the same one. */
  token_sealed: string;
  /** The last state of each step that was reported. */
  steps: Partial<Record<BootStep, BootState>>;
  /** Why the set-up failed, in words for the customer. */
  failure: string | null;
  created_at: Date;
  expires_at: Date;
}

export async function findBootToken(db: Db, boxId: string): Promise<BootTokenRow | undefined> {
  return db<BootTokenRow>('boot_tokens').where('user_vps_id', boxId).first();
}

/** Looked up by its hash: how long that takes tells nothing of the token. */
export async function findBootTokenByHash(db: Db, tokenHash: string): Promise<BootTokenRow | undefined> {
  return db<BootTokenRow>('boot_tokens').where('token_hash', tokenHash).first();
}

export async function insertBootToken(
  db: Db,
  row: Pick<BootTokenRow, 'user_vps_id' | 'token_hash' | 'token_sealed' | 'created_at' | 'expires_at'>,
): Promise<void> {
  await db<BootTokenRow>('boot_tokens').insert(row);
}

export async function updateBootToken(
  db: Db,
  boxId: string,
  change: Partial<Pick<BootTokenRow, 'failure' | 'expires_at'>> & { steps?: BootTokenRow['steps'] },
): Promise<void> {
  const { steps, ...rest } = change;
  const written = steps === undefined ? rest : { ...rest, steps: JSON.stringify(steps) as unknown as typeof steps };
  await db<BootTokenRow>('boot_tokens').where('user_vps_id', boxId).update(written);
}

/** From now on the token is good for nothing. */
export async function deleteBootToken(db: Db, boxId: string): Promise<void> {
  await db<BootTokenRow>('boot_tokens').where('user_vps_id', boxId).delete();
}

export async function deleteExpiredBootTokens(db: Db, now: Date): Promise<number> {
  return db<BootTokenRow>('boot_tokens').where('expires_at', '<=', now).delete();
}
