import type { Db } from './connect.ts';

export interface SshPasswordRow {
  user_id: string;
  argon2_hash: string;
  crypt_sealed: string;
  updated_at: Date;
}

export async function findSshPassword(db: Db, userId: string): Promise<SshPasswordRow | undefined> {
  return db<SshPasswordRow>('ssh_passwords').where('user_id', userId).first();
}

export async function upsertSshPassword(db: Db, row: SshPasswordRow): Promise<void> {
  await db<SshPasswordRow>('ssh_passwords').insert(row).onConflict('user_id').merge();
}
