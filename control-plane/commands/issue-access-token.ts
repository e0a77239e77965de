import { randomUUID } from 'node:crypto';
import { CLI_CLIENT_ID, type AccessTokenClaims } from '../../contract/auth.ts';
import type { Deps } from '../deps.ts';
import { signForBox, type TokenBox } from './sign-for-box.ts';

/**
 * Signs an access token (RFC 9068) that one box takes from its owner's device, valid for JWT_ACCESS_TOKEN_EXPIRY_SECS: RS256
 * with the key in use, or HS256 with the box's own secret.
 */
export async function issueAccessToken(
  deps: Pick<Deps, 'cipher' | 'config' | 'db' | 'now'>,
  user: { id: string },
  box: TokenBox,
  familyId: string,
): Promise<{ token: string; expires_in: number }> {
  const { JWT_ACCESS_TOKEN_EXPIRY_SECS: expiresIn, BASE_URL: issuer } = deps.config;
  const issuedAt = Math.floor(deps.now().getTime() / 1000);
  const claims: AccessTokenClaims = {
    iss: issuer,
    sub: user.id,
    aud: box.hostname,
    iat: issuedAt,
    nbf: issuedAt,
    exp: issuedAt + expiresIn,
    jti: randomUUID(),
    client_id: CLI_CLIENT_ID,
    sid: familyId,
    user_id: user.id,
    vps_hostname: box.hostname,
  };
  return { token: await signForBox(deps, box, 'at+jwt', claims), expires_in: expiresIn };
}
