import { randomUUID } from 'node:crypto';
import type { TokenResponse } from '../../contract/auth.ts';
import { hashToken } from '../cipher.ts';
import type { Db } from '../db/connect.ts';
import { lockGrantByDeviceCode, updateDeviceGrant, type DeviceGrantRow } from '../db/device-grants.ts';
import { findBoxOfUser } from '../db/user-vps.ts';
import { findUser } from '../db/users.ts';
import { OAuthFailure } from '../oauth-failure.ts';
import { signInDevice, type TokenDeps } from './issue-tokens.ts';

/** RFC 8628 §3.5: each `slow_down` adds five seconds, for this grant and for good. */
const SLOW_DOWN_SECONDS = 5;
const MAX_INTERVAL_SECONDS = 60;
/** A poll may come this much early: timers and networks aren't exact, and a second costs us nothing. */
const MARGIN_MS = 1000;

/**
 * One poll of a device (RFC 8628 §3.4). An approved grant answers exactly one pair of tokens, whoever polls in parallel: the
 * row is locked. A device that lost that answer starts again; keeping the pair for it would mean keeping tokens.
 * @throws OAuthFailure with what RFC 8628 §3.5 says
 */
export async function exchangeDeviceCode(deps: TokenDeps, deviceCode: string, ip: string): Promise<TokenResponse> {
  // A refusal is returned and thrown after the commit: the poll that earned it must be remembered.
  const outcome = await deps.db.transaction(async (tx) => {
    const grant = await lockGrantByDeviceCode(tx, hashToken(deviceCode));
    if (grant === undefined || grant.status === 'used')
      return new OAuthFailure('invalid_grant', 'The device code is unknown or was used. Start again.');
    if (grant.status === 'denied') return new OAuthFailure('access_denied', 'The request was denied on the web page.');
    if (grant.expires_at <= deps.now()) return new OAuthFailure('expired_token', 'The code has expired. Start again.');
    if (grant.status === 'pending') return await recordPoll(deps, tx, grant);
    return await redeemGrant({ ...deps, db: tx }, grant, ip);
  });
  if (outcome instanceof OAuthFailure) throw outcome;
  return outcome;
}

async function recordPoll(deps: TokenDeps, tx: Db, grant: DeviceGrantRow): Promise<OAuthFailure> {
  const now = deps.now();
  const waited = grant.last_polled_at === null ? Infinity : now.getTime() - grant.last_polled_at.getTime();
  if (waited >= grant.interval_seconds * 1000 - MARGIN_MS) {
    await updateDeviceGrant(tx, grant.id, { last_polled_at: now });
    return new OAuthFailure('authorization_pending', 'Nobody has decided on the web page yet.');
  }
  const interval = Math.min(grant.interval_seconds + SLOW_DOWN_SECONDS, MAX_INTERVAL_SECONDS);
  await updateDeviceGrant(tx, grant.id, { last_polled_at: now, interval_seconds: interval });
  return new OAuthFailure('slow_down', `Wait ${interval} seconds between two polls.`);
}

/** `deps.db` is the transaction that holds the grant's lock. */
async function redeemGrant(deps: TokenDeps, grant: DeviceGrantRow, ip: string): Promise<TokenResponse | OAuthFailure> {
  const user = grant.user_id === null ? undefined : await findUser(deps.db, grant.user_id);
  const box = user === undefined ? undefined : await findBoxOfUser(deps.db, user.id);
  if (user === undefined || box === undefined)
    return new OAuthFailure('access_denied', 'There is no box any more. Finish setting up on the web page.');
  await updateDeviceGrant(deps.db, grant.id, { status: 'used' });
  return signInDevice(deps, user, box, { familyId: randomUUID(), label: grant.hostname, ip });
}
