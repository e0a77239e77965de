import type { Db } from './connect.ts';

/** A mail that was decided upon; sent_at is null until a mail server has taken it. */
export interface MailRow {
  id: string;
  /** What it is about: there is one mail of each. */
  key: string;
  kind: string;
  user_id: string | null;
  /** Null: no address was known, so it is only on record. */
  to_address: string | null;
  subject: string;
  /** Emptied when it is sent: nobody needs it here any more. */
  text: string;
  html: string;
  created_at: Date;
  sent_at: Date | null;
  /** Why it was refused for good. */
  failure: string | null;
}

/** Undefined when there is one of that key already. */
export async function insertMail(
  tx: Db,
  row: Omit<MailRow, 'id' | 'sent_at' | 'failure'>,
): Promise<MailRow | undefined> {
  const [created] = await tx<MailRow>('mails').insert(row).onConflict('key').ignore().returning('*');
  return created;
}

/** A mail, locked until the transaction ends. */
export async function lockMail(tx: Db, id: string): Promise<MailRow | undefined> {
  return tx<MailRow>('mails').where('id', id).forUpdate().first();
}

export async function findMailByKey(db: Db, key: string): Promise<MailRow | undefined> {
  return db<MailRow>('mails').where('key', key).first();
}

export async function updateMail(
  tx: Db,
  id: string,
  change: Partial<Pick<MailRow, 'sent_at' | 'failure' | 'text' | 'html'>>,
): Promise<void> {
  await tx<MailRow>('mails').where('id', id).update(change);
}

/** Mails that no server has taken yet, written down before `before`. */
export async function listUnsentMails(db: Db, before: Date): Promise<Pick<MailRow, 'id'>[]> {
  return db<MailRow>('mails')
    .whereNull('sent_at')
    .whereNull('failure')
    .whereNotNull('to_address')
    .andWhere('created_at', '<', before)
    .select('id');
}

/** What a person was written is kept for as long as they may ask about it. */
export async function deleteOldMails(db: Db, before: Date): Promise<number> {
  return db<MailRow>('mails').where('created_at', '<', before).delete();
}
