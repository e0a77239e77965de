import type { SessionData } from '../middleware/session.ts';
import type { Db } from './connect.ts';

/** What only a person has, and nobody else needs: rows that go as a whole. */
const THEIRS = ['ssh_passwords', 'device_grants', 'authorization_codes', 'refresh_tokens', 'known_browsers'] as const;

/**
 * Takes everything that is about a person out of the database. What remains is what machines and money are accounted by: ids, dates,
 * amounts. `forgetRemains` sees to the rest.
 * @param note what the browsers that are still open are told
 */
export async function eraseUser(tx: Db, id: string, now: Date, note: SessionData): Promise<void> {
  for (const table of THEIRS) await tx(table).where('user_id', id).delete();
  await tx('sessions')
    .where('user_id', id)
    .update({ user_id: null, ip: null, user_agent: null, data: tx.raw('?::jsonb', [JSON.stringify(note)]) });
  const boxes = tx('user_vps').where('user_id', id);
  await tx('vps_events').whereIn('user_vps_id', boxes.clone().select('id')).delete();
  await boxes.clone().update({
    ip_address: null,
    ssh_host_key_fingerprint: null,
    ssh_password_hash: '',
    ssh_password_crypt: null,
    failure: null,
    operation_failure: null,
  });
  await tx('checkouts').where('user_id', id).update({ session_hash: '', email: null, claim_hash: null });
  await tx('users')
    .where('id', id)
    .update({ github_id: `deleted:${id}`, username: 'deleted', email: null, avatar_url: null, deleted_at: now });
}

/**
 * Forgets what could not go with a person: their mails once they are sent, the address of a payment that came late, and the names of
 * their boxes once others may have them. Answers how many rows it changed.
 */
export async function forgetRemains(db: Db, restedSince: Date): Promise<number> {
  const gone = db('users').whereNotNull('deleted_at').select('id');
  const mails = await db('mails')
    .whereIn('user_id', gone)
    .where((done) => done.whereNotNull('sent_at').orWhereNotNull('failure').orWhereNull('to_address'))
    .delete();
  const checkouts = await db('checkouts').whereIn('user_id', gone).whereNotNull('email').update({ email: null });
  const names = await db('user_vps')
    .whereIn('user_id', gone)
    .andWhere('terminated_at', '<', restedSince)
    .whereRaw("hostname <> 'deleted-' || id")
    .update({ hostname: db.raw("'deleted-' || id") });
  return mails + checkouts + names;
}
