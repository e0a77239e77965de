import { createLocalJWKSet, decodeJwt, errors, jwtVerify } from 'jose';
import { AccessTokenClaims } from '../../contract/auth.ts';
import { findLiveBoxByHostname } from '../db/user-vps.ts';
import type { Deps } from '../deps.ts';
import { unsealJwtSecret } from '../jwt-secret.ts';
import { listPublicKeys } from './signing-keys.ts';

type ReadDeps = Pick<Deps, 'cipher' | 'config' | 'db' | 'now'>;

/** The claims of an access token of ours that has not expired; undefined for anything else. */
export async function readAccessToken(deps: ReadDeps, token: string): Promise<AccessTokenClaims | undefined> {
  const { JWT_ALGORITHM: alg, BASE_URL: issuer } = deps.config;
  const options = { issuer, typ: 'at+jwt', algorithms: [alg], requiredClaims: ['exp'], currentDate: deps.now() };
  try {
    const { payload } =
      alg === 'HS256'
        ? await jwtVerify(token, await findSecret(deps, token), options)
        : await jwtVerify(token, createLocalJWKSet(await listPublicKeys(deps)), options);
    return AccessTokenClaims.safeParse(payload).data;
  } catch (error) {
    if (error instanceof errors.JOSEError) return undefined;
    throw error;
  }
}

/** The secret of the box that the token says it is for. Its owner knows it, and can sign for nobody else with it. */
async function findSecret(deps: ReadDeps, token: string): Promise<Uint8Array> {
  const { aud, sub } = decodeJwt(token);
  const box = typeof aud === 'string' ? await findLiveBoxByHostname(deps.db, aud) : undefined;
  if (box === undefined || box.user_id !== sub) throw new errors.JWTInvalid('there is no such box');
  return new TextEncoder().encode(unsealJwtSecret(deps.cipher, box));
}
