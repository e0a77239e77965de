import type { TokenResponse } from '../../contract/auth.ts';
import { hashToken, randomToken } from '../cipher.ts';
import { lockInTransaction } from '../db/locks.ts';
import type { UserVpsRow } from '../db/user-vps.ts';
import { insertRefreshToken } from '../db/refresh-tokens.ts';
import type { UserRow } from '../db/users.ts';
import type { Deps } from '../deps.ts';
import { findNotice } from './find-notice.ts';
import { issueAccessToken } from './issue-access-token.ts';
import { onNewDevice } from './on-new-device.ts';

export type TokenDeps = Pick<Deps, 'boss' | 'cipher' | 'config' | 'db' | 'now'>;

/** The device that holds a chain of refresh tokens. */
export interface TokenDevice {
  familyId: string;
  label: string | null;
  ip: string;
  /** When it signed in. */
  signedInAt: Date;
}

/** Stores the hash of a new refresh token and answers the token: `spoq_` and 32 random bytes in base64url. */
export async function createRefreshToken(deps: TokenDeps, userId: string, device: TokenDevice): Promise<string> {
  const token = `spoq_${randomToken()}`;
  const now = deps.now();
  await insertRefreshToken(deps.db, {
    user_id: userId,
    family_id: device.familyId,
    token_hash: hashToken(token),
    device_label: device.label,
    ip: device.ip,
    signed_in_at: device.signedInAt,
    expires_at: new Date(now.getTime() + deps.config.JWT_REFRESH_TOKEN_EXPIRY_DAYS * 86_400_000),
    created_at: now,
  });
  return token;
}

/**
 * Signs a new device in: its first tokens. `deps.db` is the transaction of whatever let it in. A sign-out of all devices that
 * goes on waits for it, or is waited for.
 */
export async function signInDevice(
  deps: TokenDeps,
  user: Pick<UserRow, 'id' | 'username'>,
  box: UserVpsRow,
  { familyId, label, ip }: Omit<TokenDevice, 'signedInAt'>,
): Promise<TokenResponse> {
  await lockInTransaction(deps.db, devicesLock(user.id));
  const at = deps.now();
  const refreshToken = await createRefreshToken(deps, user.id, { familyId, label, ip, signedInAt: at });
  const tokens = await createTokenResponse(deps, user, box, { familyId, refreshToken });
  await onNewDevice(deps, deps.db, { user_id: user.id, family_id: familyId, label, ip, at });
  return tokens;
}

/** The name of the lock under which a person's devices become more, or none. */
export function devicesLock(userId: string): string {
  return `devices:${userId}`;
}

/** The answer of the token endpoints (RFC 6749 §5.1): a fresh access token for the box beside the refresh token. */
export async function createTokenResponse(
  deps: TokenDeps,
  user: Pick<UserRow, 'id' | 'username'>,
  box: UserVpsRow,
  { familyId, refreshToken }: { familyId: string; refreshToken: string },
): Promise<TokenResponse> {
  const notice = await findNotice(deps, user, box);
  const access = await issueAccessToken(deps, user, box, familyId);
  return {
    access_token: access.token,
    token_type: 'Bearer',
    expires_in: access.expires_in,
    refresh_token: refreshToken,
    user_id: user.id,
    username: user.username,
    vps_hostname: deps.config.BOX_URL_TEMPLATE.replaceAll('{hostname}', box.hostname),
    vps_status: box.status,
    ...(notice === undefined ? {} : { notice }),
  };
}
