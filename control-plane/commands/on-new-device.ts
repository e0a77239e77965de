import type { Db } from '../db/connect.ts';
import type { Deps } from '../deps.ts';
import { newDevice } from '../mail/messages.ts';
import { recordAudit } from './audit.ts';
import { queueMail } from './queue-mail.ts';

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
export async function onNewDevice(
  deps: Pick<Deps, 'boss' | 'config' | 'now'>,
  tx: Db,
  device: NewDevice,
): Promise<void> {
  const { BASE_URL: baseUrl } = deps.config;
  const name = device.label === null ? 'A device' : `The device “${device.label}”`;
  await queueMail(deps, tx, {
    to: { userId: device.user_id },
    kind: 'new_device',
    key: `new_device:${device.family_id}`,
    message: newDevice({ baseUrl, device: `${name} at ${device.ip}`, at: device.at }),
  });
  await recordAudit(tx, {
    at: device.at,
    actor: 'device',
    user_id: device.user_id,
    action: 'device.signed_in',
    detail: { family_id: device.family_id, device: device.label },
    ip: device.ip,
  });
}
