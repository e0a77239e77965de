import { importJWK, SignJWT, type JWTPayload } from 'jose';
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
 * Signs what a box verifies by itself: RS256 with the key in use, or HS256 with the box's own secret. `typ` keeps the kinds apart
 * (RFC 8725 §3.11).
 */
export async function signForBox(
  deps: Pick<Deps, 'cipher' | 'config' | 'db' | 'now'>,
  box: TokenBox,
  typ: 'at+jwt' | 'revocations+jwt',
  claims: JWTPayload,
): Promise<string> {
  const { JWT_ALGORITHM: alg } = deps.config;
  if (alg === 'HS256') {
    const secret = new TextEncoder().encode(unsealJwtSecret(deps.cipher, box));
    return new SignJWT(claims).setProtectedHeader({ alg, typ }).sign(secret);
  }
  const { kid, jwk } = await loadSigningKey(deps);
  return new SignJWT(claims).setProtectedHeader({ alg, typ, kid }).sign(await importJWK(jwk, alg));
}
