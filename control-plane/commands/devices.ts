import { lockInTransaction } from '../db/locks.ts';
import { listLivingFamilies, revokeFamily } from '../db/refresh-tokens.ts';
import type { Deps } from '../deps.ts';
import { recordAudit } from './audit.ts';
import { familyLock } from './rotate-refresh-token.ts';

/** A computer on which the spoq command is signed in. */
export interface Device {
  family_id: string;
  /** What it calls itself; null when it gave no name. Not to be trusted. */
  label: string | null;
  /** From where it was last seen. */
  ip: string | null;
  signed_in_at: Date;
  last_used_at: Date;
}

/** The devices of a person that are signed in, the one that was used last first. */
export async function listDevices(deps: Pick<Deps, 'db' | 'now'>, userId: string): Promise<Device[]> {
  return listLivingFamilies(deps.db, userId, deps.now());
}

/** Signs one device out. False when it isn't a device of this person, or is signed out already. */
export async function revokeDevice(
  deps: Pick<Deps, 'db' | 'now'>,
  user: { id: string },
  familyId: string,
  ip: string,
): Promise<boolean> {
  const at = deps.now();
  return deps.db.transaction(async (tx) => {
    await lockInTransaction(tx, familyLock(familyId));
    const device = (await listLivingFamilies(tx, user.id, at)).find((one) => one.family_id === familyId);
    if (device === undefined) return false;
    await revokeFamily(tx, familyId, at);
    await recordAudit(tx, {
      at,
      actor: `user:${user.id}`,
      user_id: user.id,
      action: 'device.revoked',
      detail: { family_id: familyId, device: device.label },
      ip,
    });
    return true;
  });
}

/** Signs every device of a person out; answers how many there were. */
export async function revokeAllDevices(
  deps: Pick<Deps, 'db' | 'now'>,
  user: { id: string },
  ip: string,
): Promise<number> {
  let ended = 0;
  for (const { family_id: familyId } of await listDevices(deps, user.id))
    if (await revokeDevice(deps, user, familyId, ip)) ended += 1;
  return ended;
}
