import { randomUUID } from 'node:crypto';
import type { TokenResponse } from '../../contract/auth.ts';
import { hashToken, randomToken } from '../cipher.ts';
import type { UserVpsRow } from '../db/user-vps.ts';
import { insertRefreshToken } from '../db/refresh-tokens.ts';
import type { UserRow } from '../db/users.ts';
import type { Deps } from '../deps.ts';
import { issueAccessToken } from './issue-access-token.ts';

export type TokenDeps = Pick<Deps, 'cipher' | 'config' | 'db' | 'now'>;

/** The device that holds a chain of refresh tokens. A new one begins a family. */
export interface TokenDevice {
  familyId?: string;
  label: string | null;
  ip: string;
}

/** Stores the hash of a new refresh token and answers the token: `spoq_` and 32 random bytes in base64url. */
export async function createRefreshToken(deps: TokenDeps, userId: string, device: TokenDevice): Promise<string> {
  const token = `spoq_${randomToken()}`;
  const now = deps.now();
  await insertRefreshToken(deps.db, {
    user_id: userId,
    family_id: device.familyId ?? randomUUID(),
    token_hash: hashToken(token),
    device_label: device.label,
    ip: device.ip,
    expires_at: new Date(now.getTime() + deps.config.JWT_REFRESH_TOKEN_EXPIRY_DAYS * 86_400_000),
    created_at: now,
  });
  return token;
}

/** The answer of the token endpoints (RFC 6749 §5.1): a fresh access token for the box beside the refresh token. */
export async function createTokenResponse(
  deps: TokenDeps,
  user: Pick<UserRow, 'id' | 'username'>,
  box: UserVpsRow,
  refreshToken: string,
): Promise<TokenResponse> {
  const access = await issueAccessToken(deps, user, box);
  return {
    access_token: access.token,
    token_type: 'Bearer',
    expires_in: access.expires_in,
    refresh_token: refreshToken,
    user_id: user.id,
    username: user.username,
    vps_hostname: deps.config.BOX_URL_TEMPLATE.replaceAll('{hostname}', box.hostname),
    vps_status: box.status,
  };
}
