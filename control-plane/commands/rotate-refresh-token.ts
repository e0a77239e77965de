import type { TokenResponse } from '../../contract/auth.ts';
import { hashToken } from '../cipher.ts';
import { findBoxOfUser } from '../db/user-vps.ts';
import { lockInTransaction } from '../db/locks.ts';
import {
  findRefreshToken,
  forgetSuccessors,
  revokeFamily,
  updateRefreshToken,
  type RefreshTokenRow,
} from '../db/refresh-tokens.ts';
import { findUser } from '../db/users.ts';
import { OAuthFailure } from '../oauth-failure.ts';
import { recordAudit } from './audit.ts';
import { createRefreshToken, createTokenResponse, type TokenDeps } from './issue-tokens.ts';

/** So long after its replacement a token still answers its successor: the answer may have been lost, or two programs asked at once. */
const GRACE_MS = 30_000;

const REFUSED = 'The refresh token is not in force. Sign in again.';

/**
 * Replaces a refresh token (RFC 6749 §6). A token that was replaced longer than 30 seconds ago is in two hands: its whole
 * family ends (RFC 9700 §4.14.2).
 * @throws OAuthFailure `invalid_grant`
 */
export async function rotateRefreshToken(deps: TokenDeps, token: string, ip: string): Promise<TokenResponse> {
  const found = await findRefreshToken(deps.db, hashToken(token));
  if (found === undefined) throw new OAuthFailure('invalid_grant', REFUSED);
  // A refusal is returned and thrown after the commit, or the revocation would be rolled back with it.
  const outcome = await deps.db.transaction(async (tx) => {
    // The family and not the row: a successor that is being inserted right now must not escape a revocation.
    await lockInTransaction(tx, familyLock(found.family_id));
    const row = await findRefreshToken(tx, found.token_hash);
    return row === undefined ? undefined : await useToken({ ...deps, db: tx }, row, ip);
  });
  if (outcome === undefined) throw new OAuthFailure('invalid_grant', REFUSED);
  return outcome;
}

/** The name of the lock under which a family of tokens changes. */
export function familyLock(familyId: string): string {
  return `refresh_tokens:${familyId}`;
}

/** `deps.db` is the transaction that holds the family's lock. Undefined: refused. */
async function useToken(deps: TokenDeps, row: RefreshTokenRow, ip: string): Promise<TokenResponse | undefined> {
  const now = deps.now();
  if (row.revoked_at !== null || row.expires_at <= now) return undefined;
  const isLate = row.used_at !== null && now.getTime() - row.used_at.getTime() > GRACE_MS;
  if (isLate) return endFamily(deps, row, ip);
  const user = await findUser(deps.db, row.user_id);
  const box = await findBoxOfUser(deps.db, row.user_id);
  if (user === undefined || box === undefined) return undefined;
  if (row.successor_sealed !== null) {
    await updateRefreshToken(deps.db, row.id, { last_used_at: now });
    const refreshToken = deps.cipher.decrypt(row.successor_sealed, sealContext(row));
    return createTokenResponse(deps, user, box, { familyId: row.family_id, refreshToken });
  }
  const device = { familyId: row.family_id, label: row.device_label, ip, signedInAt: row.signed_in_at };
  const successor = await createRefreshToken(deps, user.id, device);
  const sealed = deps.cipher.encrypt(successor, sealContext(row));
  await forgetSuccessors(deps.db, row.family_id, new Date(now.getTime() - GRACE_MS));
  await updateRefreshToken(deps.db, row.id, { used_at: now, last_used_at: now, successor_sealed: sealed });
  return createTokenResponse(deps, user, box, { familyId: row.family_id, refreshToken: successor });
}

async function endFamily(deps: TokenDeps, row: RefreshTokenRow, ip: string): Promise<undefined> {
  const now = deps.now();
  await revokeFamily(deps.db, row.family_id, now);
  await recordAudit(deps.db, {
    at: now,
    actor: 'device',
    user_id: row.user_id,
    action: 'refresh_token.reused',
    detail: { family_id: row.family_id, device: row.device_label },
    ip,
  });
  return undefined;
}

const sealContext = (row: RefreshTokenRow) => `refresh_tokens.successor:${row.id}`;
