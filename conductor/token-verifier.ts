import { errors, jwtVerify } from 'jose';
import type { CryptoKey, JWTHeaderParameters, JWTVerifyOptions } from 'jose';
import { AccessTokenClaims } from '../contract/auth.ts';
import { SpoqError } from '../contract/errors.ts';
import type { KeyCache } from './key-cache.ts';
import type { Revocations } from './revocations.ts';

export type VerifierKeys = { algorithm: 'RS256'; cache: KeyCache } | { algorithm: 'HS256'; secret: string };

export interface VerifierDeps {
  issuer: string;
  /** The host name of this box: the only audience. */
  hostname: string;
  ownerId: string;
  keys: VerifierKeys;
  revocations: Pick<Revocations, 'includes'>;
  /** Milliseconds since the epoch, of this box. */
  now?: () => number;
}

/** Says whose token it is, or throws `token_invalid`. */
export type VerifyToken = (token: string) => Promise<AccessTokenClaims>;

/** Ours have about 800 bytes; a megabyte isn't worth decoding. */
const MAX_TOKEN_BYTES = 8192;
/** A `kid` is a name, never a path, a URL or a query. */
const KID = /^[\w.-]{1,128}$/;
export const CLOCK_TOLERANCE_SECONDS = 10;
/** A day, whatever `exp` says: access tokens are made for ten minutes. */
const MAX_AGE_SECONDS = 24 * 3600;

/**
 * Checks access tokens (RFC 9068). All of `alg`, `typ`, `kid`, issuer, audience and claims are pinned, since jose by
 * itself accepts tokens without `exp`, `aud`, `iss` and `kid`, of any `typ`, and with several audiences.
 */
export function createTokenVerifier(deps: VerifierDeps): VerifyToken {
  const options: JWTVerifyOptions = {
    algorithms: [deps.keys.algorithm],
    issuer: deps.issuer,
    audience: deps.hostname,
    typ: 'at+jwt',
    requiredClaims: ['exp', 'iat', 'nbf', 'sub', 'jti', 'client_id', 'sid', 'user_id'],
    maxTokenAge: MAX_AGE_SECONDS,
    clockTolerance: CLOCK_TOLERANCE_SECONDS,
  };
  const findKey = createKeyFinder(deps.keys);
  const now = deps.now ?? Date.now;

  return async (token) => {
    if (token.length > MAX_TOKEN_BYTES) throw refuse('The token is too long.');
    const payload = await jwtVerify(token, findKey, { ...options, currentDate: new Date(now()) }).then(
      (result) => result.payload,
      (error: unknown) => {
        throw error instanceof SpoqError ? error : refuse(explain(error, now()), error);
      },
    );
    const claims = AccessTokenClaims.safeParse(payload);
    if (!claims.success) throw refuse('The token lacks claims or has them in the wrong shape.');
    if (claims.data.user_id !== deps.ownerId || claims.data.sub !== deps.ownerId) {
      throw refuse('The token belongs to somebody else.');
    }
    if (await deps.revocations.includes(claims.data)) throw refuse('The device of the token was signed out.');
    return claims.data;
  };
}

/** The key of a token's header: the published one of its `kid`, or the secret of this box. */
export function createKeyFinder(keys: VerifierKeys): (header: JWTHeaderParameters) => Promise<CryptoKey | Uint8Array> {
  if (keys.algorithm === 'HS256') {
    const secret = new TextEncoder().encode(keys.secret);
    return async () => secret;
  }
  return async ({ kid }) => {
    if (kid === undefined || !KID.test(kid)) throw refuse('The token names no key.');
    const key = await keys.cache.find(kid);
    if (key === undefined)
      throw refuse('The token is signed with a key that is not published, or keys cannot be fetched.');
    return key;
  };
}

function refuse(detail: string, cause?: unknown): SpoqError {
  return new SpoqError('token_invalid', { detail, cause });
}

/**
 * One sentence per kind of fault; nothing of the token is repeated. Who holds a token of ours that is refused for its
 * times is told what time it is here: a clock that is off is otherwise hard to find.
 */
function explain(error: unknown, nowMs: number): string {
  const clock = `This box's clock says ${formatTime(nowMs)}.`;
  if (error instanceof errors.JWTExpired) return `The token has expired. ${clock}`;
  if (isAhead(error)) return `The token is not valid yet. ${clock}`;
  if (error instanceof errors.JWTClaimValidationFailed) return `The claim ${error.claim} of the token is not right.`;
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'The signature of the token is not right.';
  if (error instanceof errors.JOSEAlgNotAllowed) return 'The token is signed with an algorithm that is not allowed.';
  return 'The token is not a signed JSON Web Token.';
}

/** `nbf` or `iat` lies in the future. They are there: required claims are checked before times. */
function isAhead(error: unknown): boolean {
  const isTime = error instanceof errors.JWTClaimValidationFailed && ['nbf', 'iat'].includes(error.claim);
  return isTime && error.reason === 'check_failed';
}

function formatTime(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}
