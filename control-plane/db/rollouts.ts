import type { Db } from './connect.ts';
import type { UserVpsRow } from './user-vps.ts';

export type RolloutState = 'running' | 'stopped' | 'failed' | 'done';
export type RolloutBoxState = 'waiting' | 'running' | 'done' | 'failed' | 'passed_over';

/** One release on its way to the boxes. At most one is running. */
export interface RolloutRow {
  id: string;
  version: string;
  /** So many boxes that fail stop it. */
  max_failures: number;
  state: RolloutState;
  created_at: Date;
  ended_at: Date | null;
}

/** A box's place in a rollout. */
export interface RolloutBoxRow {
  rollout_id: string;
  user_vps_id: string;
  /** From 1. */
  wave: number;
  /** The order of boxes, from 1. */
  position: number;
  state: RolloutBoxState;
  reason: string | null;
  started_at: Date | null;
  ended_at: Date | null;
}

/** Boxes that are ready, switched on, and were not seen to run `version`, the oldest first. */
export async function listBoxesWithout(
  db: Db,
  version: string,
): Promise<Pick<UserVpsRow, 'id' | 'user_id' | 'hostname'>[]> {
  return db<UserVpsRow>('user_vps')
    .where('status', 'ready')
    .whereNull('suspended_at')
    .whereRaw('release_version IS DISTINCT FROM ?', [version])
    .orderBy(['created_at', 'id'])
    .select('id', 'user_id', 'hostname');
}

/** How many ready boxes run `version`, and how many boxes are neither ready nor gone. */
export async function countOthers(db: Db, version: string): Promise<{ upgraded: number; not_ready: number }> {
  const row = await db<UserVpsRow>('user_vps')
    .whereNot('status', 'terminated')
    .first(
      db.raw(`count(*) FILTER (WHERE status = 'ready' AND release_version = ?)::int AS upgraded`, [version]),
      db.raw(`count(*) FILTER (WHERE status <> 'ready' OR suspended_at IS NOT NULL)::int AS not_ready`),
    );
  return row as unknown as { upgraded: number; not_ready: number };
}

export async function insertRollout(
  tx: Db,
  rollout: Pick<RolloutRow, 'version' | 'max_failures' | 'created_at'>,
  boxes: Pick<RolloutBoxRow, 'user_vps_id' | 'wave' | 'position'>[],
): Promise<RolloutRow> {
  const [row] = await tx<RolloutRow>('rollouts').insert(rollout).returning('*');
  if (row === undefined) throw new Error('insert of a rollout returned no row');
  await tx.batchInsert(
    'rollout_boxes',
    boxes.map((box) => ({ ...box, rollout_id: row.id })),
  );
  return row;
}

/** The rollout that was begun last. */
export async function findLastRollout(db: Db): Promise<RolloutRow | undefined> {
  return db<RolloutRow>('rollouts').orderBy('created_at', 'desc').first();
}

export async function findRollout(db: Db, id: string): Promise<RolloutRow | undefined> {
  return db<RolloutRow>('rollouts').where('id', id).first();
}

/** Locks a rollout: whoever decides what comes next does so alone. */
export async function lockRollout(tx: Db, id: string): Promise<RolloutRow | undefined> {
  return tx<RolloutRow>('rollouts').where('id', id).forUpdate().first();
}

export async function endRollout(tx: Db, id: string, state: RolloutState, at: Date): Promise<void> {
  await tx<RolloutRow>('rollouts').where('id', id).update({ state, ended_at: at });
}

/** Every place of a rollout in order, with the box's host name and owner. */
export async function listRolloutBoxes(
  db: Db,
  id: string,
): Promise<(RolloutBoxRow & Pick<UserVpsRow, 'hostname' | 'user_id'>)[]> {
  return db('rollout_boxes')
    .join('user_vps', 'user_vps.id', 'rollout_boxes.user_vps_id')
    .where('rollout_id', id)
    .orderBy('position')
    .select('rollout_boxes.*', 'user_vps.hostname', 'user_vps.user_id');
}

/** The place that a job of this box works on. */
export async function findRunningPlace(db: Db, boxId: string): Promise<RolloutBoxRow | undefined> {
  return db<RolloutBoxRow>('rollout_boxes').where({ user_vps_id: boxId, state: 'running' }).first();
}

/** Whether any box is being worked on, for a rollout that has been stopped too. */
export async function countRunningPlaces(db: Db): Promise<number> {
  const row = await db<RolloutBoxRow>('rollout_boxes').where('state', 'running').count({ count: '*' }).first();
  return Number(row?.count ?? 0);
}

export async function updatePlace(
  tx: Db,
  place: Pick<RolloutBoxRow, 'rollout_id' | 'user_vps_id'>,
  change: Partial<RolloutBoxRow>,
): Promise<void> {
  const { rollout_id, user_vps_id } = place;
  await tx<RolloutBoxRow>('rollout_boxes').where({ rollout_id, user_vps_id }).update(change);
}
