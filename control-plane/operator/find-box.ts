import { SpoqError } from '../../contract/errors.ts';
import type { Db } from '../db/connect.ts';
import type { UserVpsRow } from '../db/user-vps.ts';

export interface BoxOfUser extends UserVpsRow {
  username: string;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Every box, newest first; the terminated ones too when asked. */
export async function listBoxes(db: Db, { all }: { all: boolean }): Promise<BoxOfUser[]> {
  const query = db('user_vps').join('users', 'users.id', 'user_vps.user_id').select('user_vps.*', 'users.username');
  if (!all) void query.whereNot('user_vps.status', 'terminated');
  return query.orderBy('user_vps.created_at', 'desc');
}

/**
 * The box that an operator means: by GitHub login, host name, box id, user id, or name of the stack.
 * @throws SpoqError `no_box`, or `conflict` where that could be several people's
 */
export async function findBoxOf(db: Db, who: string): Promise<BoxOfUser> {
  const id = who.replace(/^box-/, '').toLowerCase();
  const query = db('user_vps').join('users', 'users.id', 'user_vps.user_id').select('user_vps.*', 'users.username');
  if (UUID.test(id)) void query.where((q) => q.where('user_vps.id', id).orWhere('users.id', id));
  else
    void query.where((q) =>
      q.whereRaw('lower(users.username) = ?', [who.toLowerCase()]).orWhere('user_vps.hostname', who),
    );
  // A person who came back has terminated boxes too: the living one is meant.
  const rows: BoxOfUser[] = await query.orderByRaw(`(user_vps.status = 'terminated'), user_vps.created_at DESC`);
  const [box] = rows;
  if (box === undefined)
    throw new SpoqError('no_box', { detail: `${who} has no box.`, next: 'See `npm run operator -- list --all`.' });
  // A login that was given up at GitHub can be somebody else's by now, and our record of it old.
  const isLive = (row: BoxOfUser) => row.status !== 'terminated';
  const meant = rows.filter((row) => isLive(row) === isLive(box));
  if (new Set(meant.map((row) => row.user_id)).size > 1)
    throw new SpoqError('conflict', {
      detail: `Several people are known as ${who}: ${meant.map((row) => `box-${row.id} (${row.hostname})`).join(', ')}.`,
      next: 'Name the one you mean by its stack or host name.',
    });
  return box;
}
