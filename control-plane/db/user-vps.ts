import type { BoxOutputs } from '../engine/engine.ts';
import type { PlanName } from '../../contract/billing.ts';
import type { OperationName, ProviderName, VpsStatus } from '../../contract/vps.ts';
import type { Db } from './connect.ts';
import type { Move } from './moves.ts';

/** A box, in whatever state. Its id is the stack's: `box-<id>`. */
export interface UserVpsRow {
  id: string;
  user_id: string;
  provider: ProviderName;
  provider_instance_id: string | null;
  hostname: string;
  ip_address: string | null;
  region: string;
  plan: PlanName;
  status: VpsStatus;
  ssh_username: string;
  ssh_password_hash: string;
  /** Sealed; see password/hash.ts. Null once its owner's account is deleted. */
  ssh_password_crypt: string | null;
  ssh_host_key_fingerprint: string | null;
  /** Sealed; see jwt-secret.ts. */
  jwt_secret: string;
  /** Why it failed. While the status is still `provisioning`: why it is being taken down again. */
  failure: string | null;
  /** The release that it was last seen to run well. */
  release_version: string | null;
  released_at: Date | null;
  /** What is being done to it while it is ready, or was tried last and failed; see box-operations.ts. */
  operation: OperationName | null;
  /** Of the last operation that was asked for; 0 before the first. */
  operation_number: number;
  /** Why that operation failed. */
  operation_failure: string | null;
  /** Since when its machine is switched off because nothing is paid. */
  suspended_at: Date | null;
  /** The operation that was to bring it to the size of another plan. */
  resize_number: number | null;
  /** Which of its machines it runs on: the number of the move that brought it there, 0 for the first. */
  machine: number;
  /** What is left to do of a move; see moves.ts. */
  move: Move | null;
  /** Postgres' bigint, as text. */
  fence: string;
  created_at: Date;
  ready_at: Date | null;
  terminated_at: Date | null;
}

/** The stack of a box. */
export function toStackName(boxId: string): string {
  return `box-${boxId}`;
}

export async function findBox(db: Db, id: string): Promise<UserVpsRow | undefined> {
  return db<UserVpsRow>('user_vps').where('id', id).first();
}

/** A box, locked until the transaction ends. */
export async function lockBox(tx: Db, id: string): Promise<UserVpsRow | undefined> {
  return tx<UserVpsRow>('user_vps').where('id', id).forUpdate().first();
}

/** The person's one box that isn't terminated. */
export async function findBoxOfUser(db: Db, userId: string): Promise<UserVpsRow | undefined> {
  return db<UserVpsRow>('user_vps').where('user_id', userId).whereNot('status', 'terminated').first();
}

/** The box that has this host name now. */
export async function findLiveBoxByHostname(db: Db, hostname: string): Promise<UserVpsRow | undefined> {
  return db<UserVpsRow>('user_vps').where('hostname', hostname).whereNot('status', 'terminated').first();
}

/** When the last of a person's boxes that had been ready was terminated; undefined when there was none. */
export async function findLastBoxEnd(db: Db, userId: string): Promise<Date | undefined> {
  const row = await db<UserVpsRow>('user_vps')
    .where({ user_id: userId, status: 'terminated' })
    .whereNotNull('ready_at')
    .max({ ended: 'terminated_at' })
    .first();
  return (row as { ended: Date | null } | undefined)?.ended ?? undefined;
}

/** Whether a person has had a box that was ready, at any time since `since`. */
export async function hasHadBox(db: Db, userId: string, since: Date): Promise<boolean> {
  const row = await db<UserVpsRow>('user_vps')
    .where('user_id', userId)
    .whereNotNull('ready_at')
    .where((lived) => lived.whereNull('terminated_at').orWhere('terminated_at', '>', since))
    .first('id');
  return row !== undefined;
}

/** Boxes that are to become ready, the oldest first. */
export async function listBoxesBeingMade(db: Db): Promise<Pick<UserVpsRow, 'id' | 'user_id' | 'status'>[]> {
  return db<UserVpsRow>('user_vps')
    .whereIn('status', ['pending', 'provisioning'])
    .orderBy('created_at')
    .select('id', 'user_id', 'status');
}

export async function insertBox(
  db: Db,
  row: Omit<
    UserVpsRow,
    | 'fence'
    | 'provider_instance_id'
    | 'ip_address'
    | 'ssh_host_key_fingerprint'
    | 'failure'
    | 'ready_at'
    | 'terminated_at'
    | 'ssh_username'
    | 'release_version'
    | 'released_at'
    | 'operation'
    | 'operation_number'
    | 'machine'
    | 'move'
    | 'operation_failure'
    | 'suspended_at'
    | 'resize_number'
  >,
): Promise<UserVpsRow> {
  const [created] = await db<UserVpsRow>('user_vps').insert(row).returning('*');
  if (created === undefined) throw new Error('insert of a box returned no row');
  return created;
}

/** Host names that are taken: by boxes that live, and by those of others that were terminated after `since`. */
export async function listTakenHostnames(db: Db, userId: string, since: Date): Promise<Set<string>> {
  const rows = await db<UserVpsRow>('user_vps')
    .whereNot('status', 'terminated')
    .orWhere((query) => query.whereNot('user_id', userId).andWhere('terminated_at', '>', since))
    .select('hostname');
  return new Set(rows.map((row) => row.hostname));
}

/** Puts a box that failed back to the start, with the password and region of today. */
export async function resetBox(
  db: Db,
  id: string,
  change: Pick<UserVpsRow, 'region' | 'ssh_password_hash' | 'ssh_password_crypt'>,
): Promise<void> {
  await db<UserVpsRow>('user_vps')
    .where('id', id)
    .update({ ...change, status: 'pending', failure: null, provider_instance_id: null, ip_address: null });
}

/**
 * Takes the lease on a box: the next fence, with which every write of this run is guarded. A run before it can write no more.
 * Undefined when the box is in none of `from`.
 */
export async function takeFence(
  db: Db,
  id: string,
  from: VpsStatus[],
  status: VpsStatus,
): Promise<UserVpsRow | undefined> {
  const [row] = await db<UserVpsRow>('user_vps')
    .where('id', id)
    .whereIn('status', from)
    .update({ fence: db.raw('fence + 1') as unknown as string, status })
    .returning('*');
  return row;
}

/** Locks a box's row as long as `fence` is still the newest. False: another run has taken over. */
export async function lockFence(tx: Db, id: string, fence: string): Promise<boolean> {
  const row = await tx<UserVpsRow>('user_vps').where({ id, fence }).forUpdate().first('id');
  return row !== undefined;
}

/** Writes to a box whose fence is held by this transaction (lockFence). */
export async function updateBox(tx: Db, id: string, change: Partial<UserVpsRow>): Promise<void> {
  await tx<UserVpsRow>('user_vps').where('id', id).update(change);
}

/** The outputs of a stack as columns. */
export function toBoxColumns(
  outputs: BoxOutputs,
): Pick<UserVpsRow, 'ip_address' | 'provider_instance_id' | 'region' | 'ssh_host_key_fingerprint'> {
  const { ip_address, provider_instance_id, region, ssh_host_key_fingerprint } = outputs;
  return { ip_address, provider_instance_id, region, ssh_host_key_fingerprint };
}

/** Postgres' bigint, as text. */
export async function countBoxesByStatus(db: Db): Promise<{ status: VpsStatus; count: string }[]> {
  return db<UserVpsRow>('user_vps').groupBy('status').select('status', db.raw('count(*)'));
}
