import type { BootPart } from '../../contract/boot.ts';
import type { StepName } from '../../contract/vps.ts';
import type { Db } from './connect.ts';

export interface VpsEventRow {
  user_vps_id: string;
  seq: number;
  step: StepName;
  state: 'started' | 'progress' | 'done' | 'failed';
  message: string;
  /** The step of the box's own that this is about; null when the control plane itself tells. */
  part: BootPart | null;
  at: Date;
}

/** The channel on which every new event and status of a box is told; the payload is the box's id. */
export const VPS_CHANNEL = 'spoq_vps';

/** Adds the next line of a box's progress and tells listeners when the transaction commits. Lock the box's row first. */
export async function appendVpsEvent(
  tx: Db,
  boxId: string,
  event: Pick<VpsEventRow, 'step' | 'state' | 'message' | 'at'> & { part?: BootPart },
): Promise<void> {
  await tx.raw(
    `INSERT INTO vps_events (user_vps_id, seq, step, state, message, part, at)
     SELECT :boxId, COALESCE(MAX(seq), 0) + 1, :step, :state, :message, :part, :at FROM vps_events WHERE user_vps_id = :boxId`,
    { boxId, ...event, part: event.part === undefined ? null : JSON.stringify(event.part) },
  );
  await notifyBox(tx, boxId);
}

/** Tells listeners that something about a box has changed. */
export async function notifyBox(tx: Db, boxId: string): Promise<void> {
  await tx.raw('SELECT pg_notify(?, ?)', [VPS_CHANNEL, boxId]);
}

/** The events after `seq`, in order. */
export async function listVpsEvents(db: Db, boxId: string, after = 0): Promise<VpsEventRow[]> {
  return db<VpsEventRow>('vps_events').where('user_vps_id', boxId).andWhere('seq', '>', after).orderBy('seq');
}
