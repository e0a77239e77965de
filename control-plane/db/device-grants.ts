import type { Db } from './connect.ts';

export interface DeviceGrantRow {
  id: string;
  device_code_hash: string;
  word_code: string;
  /** What the device calls itself. */
  hostname: string | null;
  ip: string | null;
  user_agent: string | null;
  user_id: string | null;
  /** `used`: its tokens have been handed out. */
  status: 'pending' | 'approved' | 'denied' | 'used';
  interval_seconds: number;
  last_polled_at: Date | null;
  expires_at: Date;
  created_at: Date;
}

export type NewDeviceGrant = Pick<
  DeviceGrantRow,
  'device_code_hash' | 'word_code' | 'hostname' | 'ip' | 'user_agent' | 'interval_seconds' | 'expires_at' | 'created_at'
>;

/** False when a pending grant has the same words. */
export async function insertDeviceGrant(db: Db, row: NewDeviceGrant): Promise<boolean> {
  const inserted = await db('device_grants').insert(row).onConflict().ignore().returning('id');
  return inserted.length === 1;
}

/** The grant that waits for a person's decision under these words; locked until the end of the transaction if asked. */
export async function findPendingGrant(
  db: Db,
  wordCode: string,
  now: Date,
  options: { lock?: boolean } = {},
): Promise<DeviceGrantRow | undefined> {
  const query = db<DeviceGrantRow>('device_grants')
    .where({ word_code: wordCode, status: 'pending' })
    .andWhere('expires_at', '>', now)
    .first();
  return options.lock === true ? query.forUpdate() : query;
}

/** The grant of a device code, locked until the end of the transaction. */
export async function lockGrantByDeviceCode(tx: Db, deviceCodeHash: string): Promise<DeviceGrantRow | undefined> {
  return tx<DeviceGrantRow>('device_grants').where('device_code_hash', deviceCodeHash).forUpdate().first();
}

export async function updateDeviceGrant(
  tx: Db,
  id: string,
  changes: Partial<Pick<DeviceGrantRow, 'status' | 'user_id' | 'interval_seconds' | 'last_polled_at'>>,
): Promise<void> {
  await tx<DeviceGrantRow>('device_grants').where('id', id).update(changes);
}

/** Takes back what a person has approved and no device has fetched yet. */
export async function denyApprovedGrants(tx: Db, userId: string): Promise<void> {
  await tx<DeviceGrantRow>('device_grants').where({ user_id: userId, status: 'approved' }).update({ status: 'denied' });
}

/** Removes grants that nobody can ask about any more. */
export async function deleteExpiredGrants(db: Db, now: Date): Promise<number> {
  return db('device_grants')
    .where('expires_at', '<', new Date(now.getTime() - 86_400_000))
    .delete();
}
