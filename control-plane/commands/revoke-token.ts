import { hashToken } from '../cipher.ts';
import { lockInTransaction } from '../db/locks.ts';
import { findLivingToken, findRefreshToken, revokeFamily, type RefreshTokenRow } from '../db/refresh-tokens.ts';
import type { Deps } from '../deps.ts';
import { recordAudit } from './audit.ts';
import { readAccessToken } from './read-access-token.ts';
import { familyLock } from './rotate-refresh-token.ts';

type RevokeDeps = Pick<Deps, 'cipher' | 'config' | 'db' | 'now'>;

/**
 * Signs a device out: any of its tokens will do, an old refresh token and an access token too. An unknown token is fine (RFC
 * 7009 §2.2), and so is one that was revoked before. Boxes refuse its access tokens as soon as they have read the next list of
 * revocations, within a minute.
 */
export async function revokeToken(deps: RevokeDeps, token: string, ip: string): Promise<void> {
  const found = await findDeviceToken(deps, token);
  if (found === undefined) return;
  const now = deps.now();
  await deps.db.transaction(async (tx) => {
    await lockInTransaction(tx, familyLock(found.family_id));
    const ended = await revokeFamily(tx, found.family_id, now);
    if (ended === 0) return;
    await recordAudit(tx, {
      at: now,
      actor: 'device',
      user_id: found.user_id,
      action: 'refresh_token.revoked',
      detail: { family_id: found.family_id, device: found.device_label },
      ip,
    });
  });
}

async function findDeviceToken(deps: RevokeDeps, token: string): Promise<RefreshTokenRow | undefined> {
  const found = await findRefreshToken(deps.db, hashToken(token));
  if (found !== undefined) return found;
  const claims = await readAccessToken(deps, token);
  return claims === undefined ? undefined : findLivingToken(deps.db, claims.sub, claims.sid);
}
