import { SpoqError } from '../../contract/errors.ts';
import { hashToken, randomToken } from '../cipher.ts';
import { findBootToken, insertBootToken, updateBootToken } from '../db/boot-tokens.ts';
import { lockFence, type UserVpsRow } from '../db/user-vps.ts';
import type { Deps } from '../deps.ts';

const contextOf = (boxId: string): string => `boot_tokens:${boxId}`;

/**
 * The token with which a box about to boot for the first time reports its set-up: made now, or the one that an earlier attempt at
 * the same set-up has given its machine. Good for twice PROVISION_DEADLINE_SECONDS from now: for the machine, and for the box on it.
 * @throws SpoqError `stack_busy` when another run has taken the box over
 */
export async function openBootToken(
  deps: Pick<Deps, 'db' | 'cipher' | 'config' | 'now'>,
  box: Pick<UserVpsRow, 'id' | 'fence'>,
): Promise<string> {
  const now = deps.now();
  const expires_at = new Date(now.getTime() + 2_000 * deps.config.PROVISION_DEADLINE_SECONDS);
  return deps.db.transaction(async (tx) => {
    if (!(await lockFence(tx, box.id, box.fence))) throw new SpoqError('stack_busy');
    const present = await findBootToken(tx, box.id);
    if (present !== undefined) {
      await updateBootToken(tx, box.id, { expires_at });
      return deps.cipher.decrypt(present.token_sealed, contextOf(box.id));
    }
    const token = `spoq_boot_${randomToken()}`;
    await insertBootToken(tx, {
      user_vps_id: box.id,
      token_hash: hashToken(token),
      token_sealed: deps.cipher.encrypt(token, contextOf(box.id)),
      created_at: now,
      expires_at,
    });
    return token;
  });
}
