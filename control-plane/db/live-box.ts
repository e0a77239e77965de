import type { VpsStatus } from '../../contract/vps.ts';
import type { Db } from './connect.ts';

/** What tokens need of a box. */
export interface LiveBox {
  id: string;
  user_id: string;
  hostname: string;
  status: VpsStatus;
  jwt_secret: string;
}

/** The person's one box that isn't terminated, in whatever state. */
export async function findLiveBox(db: Db, userId: string): Promise<LiveBox | undefined> {
  return db<LiveBox>('user_vps')
    .where('user_id', userId)
    .whereNot('status', 'terminated')
    .first('id', 'user_id', 'hostname', 'status', 'jwt_secret');
}
