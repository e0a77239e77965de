import { randomUUID } from 'node:crypto';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import type { CryptoKey, JWK, JWTHeaderParameters } from 'jose';

export const OWNER_ID = '3f0c9f5e-6f6b-4c39-9c4d-0a7d3c2b1a10';
export const STRANGER_ID = '7b1e2d3c-4a5b-4c6d-8e7f-90a1b2c3d4e5';
/** The device that tokens are for. */
export const DEVICE_ID = 'c0a1e6d2-58b3-4f0e-8a77-1d2e3f405162';
export const HOSTNAME = 'alice.spoq.test';
export const ISSUER = 'https://spoq.test';

export interface SigningKey {
  kid: string;
  privateKey: CryptoKey;
  /** As published in a JWKS. */
  jwk: JWK & { kid: string };
}

/** A fresh RSA key pair as the control plane makes them. */
export async function createSigningKey(kid: string): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
  return { kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: 'RS256', use: 'sig' } };
}

export interface TokenChanges {
  header?: Partial<JWTHeaderParameters>;
  /** Claims that differ; undefined leaves one out. */
  claims?: Record<string, unknown>;
  /** Seconds by which iat, nbf and exp are moved. */
  shift?: number;
  key?: CryptoKey | Uint8Array;
}

/** A token of the owner that is right in every way but the changes. */
export async function signToken(key: SigningKey, changes: TokenChanges = {}): Promise<string> {
  const claims = createClaims(changes);
  const header = { alg: 'RS256', kid: key.kid, typ: 'at+jwt', ...changes.header };
  return new SignJWT(claims).setProtectedHeader(header).sign(changes.key ?? key.privateKey);
}

export function createClaims({ claims, shift = 0 }: TokenChanges = {}): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1000) + shift;
  return {
    iss: ISSUER,
    sub: OWNER_ID,
    aud: HOSTNAME,
    iat: now,
    nbf: now,
    exp: now + 600,
    jti: randomUUID(),
    client_id: 'spoq-cli',
    sid: DEVICE_ID,
    user_id: OWNER_ID,
    vps_hostname: HOSTNAME,
    ...claims,
  };
}

/** A list of revocations that is right in every way but the changes. */
export async function signRevocations(
  key: SigningKey,
  list: { revoked: string[]; not_before?: number },
  changes: TokenChanges = {},
): Promise<string> {
  const now = Math.floor(Date.now() / 1000) + (changes.shift ?? 0);
  const claims = { iss: ISSUER, aud: HOSTNAME, iat: now, exp: now + 120, ...list, ...changes.claims };
  const header = { alg: 'RS256', kid: key.kid, typ: 'revocations+jwt', ...changes.header };
  return new SignJWT(claims).setProtectedHeader(header).sign(changes.key ?? key.privateKey);
}

/** A token of `alg: none`, made by hand since no library makes one. */
export function forgeUnsignedToken(kid: string): string {
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
  return `${encode({ alg: 'none', kid, typ: 'at+jwt' })}.${encode(createClaims())}.`;
}
