import { z } from 'zod';
import { deleteUnusedCodes } from '../db/authorization-codes.ts';
import { denyApprovedGrants } from '../db/device-grants.ts';
import { lockInTransaction } from '../db/locks.ts';
import { findLivingToken, listLivingFamilies, revokeFamily } from '../db/refresh-tokens.ts';
import { markDevicesSignedOut } from '../db/users.ts';
import type { Deps } from '../deps.ts';
import { recordAudit } from './audit.ts';
import { devicesLock } from './issue-tokens.ts';
import { familyLock } from './rotate-refresh-token.ts';

/** A device that is signed in. */
export interface Device {
  family_id: string;
  kind: 'cli';
  /** What it calls itself; null when it gave no name. Not to be trusted. */
  label: string | null;
  /** From where it was last seen. */
  ip: string | null;
  signed_in_at: Date;
  /** When it last renewed its tokens: in use, every ten minutes. */
  last_used_at: Date;
}

type Person = { id: string };

/** The devices of a person that are signed in, the one that was used last first. */
export async function listDevices(deps: Pick<Deps, 'db' | 'now'>, userId: string): Promise<Device[]> {
  const rows = await listLivingFamilies(deps.db, userId, deps.now());
  return rows.map((row) => ({
    family_id: row.family_id,
    kind: 'cli',
    label: row.device_label,
    ip: row.ip,
    signed_in_at: row.signed_in_at,
    last_used_at: row.created_at,
  }));
}

/** Signs one device out. False when it isn't a device of this person, or is signed out already. */
export async function revokeDevice(
  deps: Pick<Deps, 'db' | 'now'>,
  user: Person,
  familyId: string,
  ip: string,
): Promise<boolean> {
  if (!z.uuid().safeParse(familyId).success) return false;
  return deps.db.transaction(async (tx) => {
    await lockInTransaction(tx, familyLock(familyId));
    const token = await findLivingToken(tx, user.id, familyId);
    if (token === undefined) return false;
    const at = deps.now();
    await revokeFamily(tx, familyId, at);
    await recordAudit(tx, {
      at,
      actor: `user:${user.id}`,
      user_id: user.id,
      action: 'device.revoked',
      detail: { family_id: familyId, device: token.device_label },
      ip,
    });
    return true;
  });
}

/**
 * Signs every device of a person out, those that were let in and have not fetched their tokens too. Answers how many were
 * signed in.
 */
export async function revokeAllDevices(
  deps: Pick<Deps, 'db' | 'now'>,
  user: Person,
  ip: string | null,
): Promise<number> {
  return deps.db.transaction(async (tx) => {
    // Before the lock, since who exchanges one of these holds its row and then waits for the lock.
    await denyApprovedGrants(tx, user.id);
    await deleteUnusedCodes(tx, user.id);
    await lockInTransaction(tx, devicesLock(user.id));
    const at = deps.now();
    const families = (await listLivingFamilies(tx, user.id, at)).map((row) => row.family_id);
    // In order, so that two of these don't wait for each other.
    for (const familyId of families.toSorted()) {
      await lockInTransaction(tx, familyLock(familyId));
      await revokeFamily(tx, familyId, at);
    }
    await markDevicesSignedOut(tx, user.id, at);
    await recordAudit(tx, {
      at,
      actor: `user:${user.id}`,
      user_id: user.id,
      action: 'device.all_revoked',
      detail: { devices: families.length },
      ip,
    });
    return families.length;
  });
}
