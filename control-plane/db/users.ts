import type { Db } from './connect.ts';

export interface UserRow {
  id: string;
  /** GitHub's numeric id, as text. The login can change and be taken by somebody else; this can't. */
  github_id: string;
  username: string;
  email: string | null;
  avatar_url: string | null;
  /** When all of the person's devices were signed out at once; null when that never was. */
  devices_signed_out_at: Date | null;
  /** When the person asked for the account to be deleted. */
  deletion_asked_at: Date | null;
  /** When that was done: nothing here is about a person any more. */
  deleted_at: Date | null;
  created_at: Date;
  updated_at: Date;
}

export async function findUser(db: Db, id: string): Promise<UserRow | undefined> {
  return db<UserRow>('users').where('id', id).first();
}

/** Creates the person behind a GitHub identity, or brings name, address and picture up to date. */
export async function upsertUser(
  db: Db,
  person: Pick<UserRow, 'github_id' | 'username' | 'email' | 'avatar_url'>,
  now: Date,
): Promise<UserRow> {
  const [row] = await db<UserRow>('users')
    .insert({ ...person, created_at: now, updated_at: now })
    .onConflict('github_id')
    .merge({ username: person.username, email: person.email, avatar_url: person.avatar_url, updated_at: now })
    .returning('*');
  if (row === undefined) throw new Error('upsert of a user returned no row');
  return row;
}

/** A person, locked until the transaction ends. */
export async function lockUser(tx: Db, id: string): Promise<UserRow | undefined> {
  return tx<UserRow>('users').where('id', id).forUpdate().first();
}

/** Notes that a person wants to leave; false when that is noted already. */
export async function markLeaving(tx: Db, id: string, now: Date): Promise<boolean> {
  const noted = await tx<UserRow>('users')
    .where('id', id)
    .whereNull('deletion_asked_at')
    .update({ deletion_asked_at: now });
  return noted === 1;
}

/**
 * When a person asked for their account to be deleted. Until the transaction ends nobody can ask for that any more: what it makes is
 * there before, and found.
 */
export async function findDeletionAsked(tx: Db, id: string): Promise<Date | undefined> {
  const row = await tx<UserRow>('users').where('id', id).forShare().first('deletion_asked_at');
  return row?.deletion_asked_at ?? undefined;
}

/** People whose account is being deleted. */
export async function listLeaving(db: Db): Promise<Pick<UserRow, 'id'>[]> {
  return db<UserRow>('users').whereNotNull('deletion_asked_at').whereNull('deleted_at').select('id');
}

/** From then on boxes refuse access tokens that were issued before. */
export async function markDevicesSignedOut(tx: Db, id: string, now: Date): Promise<void> {
  await tx('users').where('id', id).update({ devices_signed_out_at: now });
}

/** Who goes by a GitHub login, in any case of letters: several, when one has given it up and another has taken it. */
export async function findUsersBy(db: Db, login: string): Promise<UserRow[]> {
  return db<UserRow>('users').whereRaw('lower(username) = ?', [login.toLowerCase()]);
}
