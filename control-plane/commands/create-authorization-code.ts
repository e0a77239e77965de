import { SpoqError } from '../../contract/errors.ts';
import type { CodeRequest } from '../../contract/auth.ts';
import { hashToken, randomToken } from '../cipher.ts';
import { cleanLabel } from '../clean-label.ts';
import { insertAuthorizationCode } from '../db/authorization-codes.ts';
import { findBoxOfUser } from '../db/user-vps.ts';
import type { Deps } from '../deps.ts';
import { recordAudit } from './audit.ts';

/** The program waits for it on the same computer. RFC 6749 §4.1.2 allows ten minutes. */
const CODE_SECONDS = 60;

export interface CodeApproval {
  user: { id: string };
  request: CodeRequest;
  ip: string;
}

/**
 * A person's yes to a program on their computer: a code that is good once, for a minute, for this client, redirect_uri and
 * challenge. Only its hash is kept.
 * @throws SpoqError `no_box` when there is nothing to sign in to
 */
export async function createAuthorizationCode(
  deps: Pick<Deps, 'db' | 'now'>,
  { user, request, ip }: CodeApproval,
): Promise<string> {
  const code = randomToken();
  const now = deps.now();
  const label = cleanLabel(request.hostname);
  await deps.db.transaction(async (tx) => {
    if ((await findBoxOfUser(tx, user.id)) === undefined) throw new SpoqError('no_box');
    await insertAuthorizationCode(tx, {
      code_hash: hashToken(code),
      user_id: user.id,
      client_id: request.client_id,
      redirect_uri: request.redirect_uri,
      code_challenge: request.code_challenge,
      device_label: label,
      expires_at: new Date(now.getTime() + CODE_SECONDS * 1000),
      created_at: now,
    });
    await recordAudit(tx, {
      at: now,
      actor: `user:${user.id}`,
      user_id: user.id,
      action: 'device.approved',
      detail: { device: label, device_ip: ip, redirect_uri: request.redirect_uri },
      ip,
    });
  });
  return code;
}
