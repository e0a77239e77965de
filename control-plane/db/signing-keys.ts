import type { JWK } from 'jose';
import type { Db } from './connect.ts';

export interface SigningKeyRow {
  /** RFC 7638 thumbprint of the public key. */
  kid: string;
  algorithm: string;
  public_jwk: JWK;
  private_jwk_sealed: string;
  created_at: Date;
  /** Signs nothing from then on; published until its last token has expired. */
  retired_at: Date | null;
  /** It may have leaked: not published from then on. */
  withdrawn_at: Date | null;
}

/** The key that signs, and the one that will. Newest first. */
export async function listUnretiredSigningKeys(db: Db): Promise<SigningKeyRow[]> {
  return db<SigningKeyRow>('signing_keys').whereNull('retired_at').orderBy('created_at', 'desc');
}

/** Every key that a token can still have been signed with: those in use, and those retired after `since`. Newest first. */
export async function listPublishedSigningKeys(db: Db, since: Date): Promise<SigningKeyRow[]> {
  return db<SigningKeyRow>('signing_keys')
    .whereNull('withdrawn_at')
    .andWhere((query) => query.whereNull('retired_at').orWhere('retired_at', '>', since))
    .orderBy('created_at', 'desc');
}

/** Every key there ever was. Newest first. */
export async function listAllSigningKeys(db: Db): Promise<SigningKeyRow[]> {
  return db<SigningKeyRow>('signing_keys').orderBy('created_at', 'desc');
}

export async function insertSigningKey(db: Db, row: SigningKeyRow): Promise<void> {
  await db('signing_keys').insert({ ...row, public_jwk: JSON.stringify(row.public_jwk) });
}

/** Retires every key but one. */
export async function retireOtherSigningKeys(db: Db, kid: string, now: Date): Promise<void> {
  await db('signing_keys').whereNull('retired_at').whereNot('kid', kid).update({ retired_at: now });
}

/** Takes every key but one out of what is published. */
export async function withdrawOtherSigningKeys(db: Db, kid: string, now: Date): Promise<void> {
  await db('signing_keys').whereNull('withdrawn_at').whereNot('kid', kid).update({ withdrawn_at: now });
}
