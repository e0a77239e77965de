import { randomUUID } from 'node:crypto';
import { importJWK, SignJWT } from 'jose';
import type { AccessTokenClaims } from '../../contract/auth.ts';
import type { Deps } from '../deps.ts';
import { unsealJwtSecret } from '../jwt-secret.ts';
import { loadSigningKey } from './signing-keys.ts';

/** What of a box a token needs. */
export interface TokenBox {
  id: string;
  hostname: string;
  jwt_secret: string;
}

/**
 * Signs an access token (RFC 9068) that one box takes from its owner, valid for JWT_ACCESS_TOKEN_EXPIRY_SECS: RS256 with the
 * key in use, or HS256 with the box's own secret.
 */
export async function issueAccessToken(
  deps: Pick<Deps, 'cipher' | 'config' | 'db' | 'now'>,
  user: { id: string },
  box: TokenBox,
): Promise<{ token: string; expires_in: number }> {
  const { JWT_ALGORITHM: alg, JWT_ACCESS_TOKEN_EXPIRY_SECS: expiresIn, BASE_URL: issuer } = deps.config;
  const issuedAt = Math.floor(deps.now().getTime() / 1000);
  const claims: AccessTokenClaims = {
    iss: issuer,
    sub: user.id,
    aud: box.hostname,
    iat: issuedAt,
    nbf: issuedAt,
    exp: issuedAt + expiresIn,
    jti: randomUUID(),
    user_id: user.id,
    vps_hostname: box.hostname,
  };
  if (alg === 'HS256') {
    const secret = new TextEncoder().encode(unsealJwtSecret(deps.cipher, box));
    const token = await new SignJWT(claims).setProtectedHeader({ alg, typ: 'at+jwt' }).sign(secret);
    return { token, expires_in: expiresIn };
  }
  const { kid, jwk } = await loadSigningKey(deps);
  const token = await new SignJWT(claims)
    .setProtectedHeader({ alg, typ: 'at+jwt', kid })
    .sign(await importJWK(jwk, alg));
  return { token, expires_in: expiresIn };
}
