import { SpoqError } from '../../contract/errors.ts';
import { findPendingGrant, updateDeviceGrant, type DeviceGrantRow } from '../db/device-grants.ts';
import { findBoxOfUser } from '../db/user-vps.ts';
import type { Deps } from '../deps.ts';
import { recordAudit } from './audit.ts';

export interface Decision {
  user: { id: string };
  wordCode: string;
  decision: 'approve' | 'deny';
  ip: string;
}

/**
 * A person's answer to a device that asks. Undefined when no grant waits under the code: it never existed, has expired or has
 * been decided, and nobody is told which.
 * @throws SpoqError `no_box` when somebody without a box approves
 */
export async function decideDeviceGrant(
  deps: Pick<Deps, 'db' | 'now'>,
  { user, wordCode, decision, ip }: Decision,
): Promise<DeviceGrantRow | undefined> {
  const now = deps.now();
  return deps.db.transaction(async (tx) => {
    const grant = await findPendingGrant(tx, wordCode, now, { lock: true });
    if (grant === undefined) return undefined;
    if (decision === 'approve' && (await findBoxOfUser(tx, user.id)) === undefined) throw new SpoqError('no_box');
    const status = decision === 'approve' ? 'approved' : 'denied';
    await updateDeviceGrant(tx, grant.id, { status, user_id: user.id });
    await recordAudit(tx, {
      at: now,
      actor: `user:${user.id}`,
      user_id: user.id,
      action: `device.${status}`,
      detail: { grant_id: grant.id, device: grant.hostname, device_ip: grant.ip },
      ip,
    });
    return { ...grant, status, user_id: user.id };
  });
}
