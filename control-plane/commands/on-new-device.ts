import type { Db } from '../db/connect.ts';
import type { Deps } from '../deps.ts';
import { recordAudit } from './audit.ts';

export interface NewDevice {
  user_id: string;
  /** The `sid` of its access tokens. */
  family_id: string;
  /** What it calls itself; null when it gave no name. Not to be trusted. */
  label: string | null;
  ip: string;
  at: Date;
}

/**
 * Called in the transaction that issues the first tokens of a device, last in it: what is written here is there exactly when
 * the device is.
 */
export async function onNewDevice(_deps: Pick<Deps, 'config'>, tx: Db, device: NewDevice): Promise<void> {
  await recordAudit(tx, {
    at: device.at,
    actor: 'device',
    user_id: device.user_id,
    action: 'device.signed_in',
    detail: { family_id: device.family_id, device: device.label },
    ip: device.ip,
  });
}
