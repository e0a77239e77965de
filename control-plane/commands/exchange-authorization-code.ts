import { createHash, randomUUID } from 'node:crypto';
import type { CodeTokenRequest, TokenResponse } from '../../contract/auth.ts';
import { hashToken } from '../cipher.ts';
import {
  lockAuthorizationCode,
  updateAuthorizationCode,
  type AuthorizationCodeRow,
} from '../db/authorization-codes.ts';
import { lockInTransaction } from '../db/locks.ts';
import { revokeFamily } from '../db/refresh-tokens.ts';
import { findBoxOfUser } from '../db/user-vps.ts';
import { findUser } from '../db/users.ts';
import { OAuthFailure } from '../oauth-failure.ts';
import { recordAudit } from './audit.ts';
import { signInDevice, type TokenDeps } from './issue-tokens.ts';
import { familyLock } from './rotate-refresh-token.ts';

/** One answer whatever is wrong: it tells a thief nothing. */
const REFUSED = 'The code is unknown, expired, used, or not for this request. Start again.';

/**
 * Tokens for an authorization code (RFC 6749 §4.1.3, RFC 7636 §4.6). The first attempt uses it up, also one with the wrong
 * verifier. One that comes again is in two hands: the tokens made from it end (RFC 6749 §4.1.2).
 * @throws OAuthFailure `invalid_grant`
 */
export async function exchangeAuthorizationCode(
  deps: TokenDeps,
  request: CodeTokenRequest,
  ip: string,
): Promise<TokenResponse> {
  // A refusal is returned and thrown after the commit: the attempt must be remembered.
  const tokens = await deps.db.transaction(async (tx) => {
    const row = await lockAuthorizationCode(tx, hashToken(request.code));
    if (row === undefined) return undefined;
    if (row.used_at !== null) return endFamily({ ...deps, db: tx }, row, ip);
    if (row.expires_at <= deps.now()) return undefined;
    return redeemCode({ ...deps, db: tx }, row, request, ip);
  });
  if (tokens === undefined) throw new OAuthFailure('invalid_grant', REFUSED);
  return tokens;
}

/** `deps.db` is the transaction that holds the code's lock. */
async function redeemCode(
  deps: TokenDeps,
  row: AuthorizationCodeRow,
  request: CodeTokenRequest,
  ip: string,
): Promise<TokenResponse | undefined> {
  const challenge = createHash('sha256').update(request.code_verifier).digest('base64url');
  const isRight =
    row.client_id === request.client_id &&
    row.redirect_uri === request.redirect_uri &&
    row.code_challenge === challenge;
  const user = await findUser(deps.db, row.user_id);
  const box = await findBoxOfUser(deps.db, row.user_id);
  const familyId = isRight && user !== undefined && box !== undefined ? randomUUID() : null;
  await updateAuthorizationCode(deps.db, row.code_hash, { used_at: deps.now(), family_id: familyId });
  if (familyId === null || user === undefined || box === undefined) return undefined;
  return signInDevice(deps, user, box, { familyId, label: row.device_label, ip });
}

async function endFamily(deps: TokenDeps, row: AuthorizationCodeRow, ip: string): Promise<undefined> {
  if (row.family_id === null) return undefined;
  await lockInTransaction(deps.db, familyLock(row.family_id));
  const at = deps.now();
  if ((await revokeFamily(deps.db, row.family_id, at)) === 0) return undefined;
  await recordAudit(deps.db, {
    at,
    actor: 'device',
    user_id: row.user_id,
    action: 'authorization_code.reused',
    detail: { family_id: row.family_id, device: row.device_label },
    ip,
  });
  return undefined;
}
