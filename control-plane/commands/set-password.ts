import { SpoqError } from '../../contract/errors.ts';
import type { Deps } from '../deps.ts';
import { upsertSshPassword } from '../db/ssh-passwords.ts';
import type { UserRow } from '../db/users.ts';
import { hashArgon2, hashCrypt, sealPasswordCrypt } from '../password/hash.ts';
import { describeRule, findMissedRules } from '../password/rules.ts';
import { recordAudit } from './audit.ts';

/**
 * Keeps the hashes of an SSH password: argon2id to check it, crypt (sealed) for the box. The password itself is kept nowhere.
 * @throws SpoqError `weak_password` with every rule that it misses
 */
export async function setPassword(
  deps: Pick<Deps, 'db' | 'cipher' | 'now'> & { knownPassword: (password: string) => boolean },
  user: UserRow,
  password: string,
  ip: string,
): Promise<void> {
  const missed = findMissedRules(password, deps.knownPassword, [user.username, 'spoq']);
  if (missed.length > 0)
    throw new SpoqError('weak_password', {
      detail: 'The password was not kept.',
      faults: missed.map((rule) => ({ field: 'password', message: describeRule(rule) })),
    });
  const row = {
    user_id: user.id,
    argon2_hash: await hashArgon2(password),
    crypt_sealed: sealPasswordCrypt(deps.cipher, user.id, hashCrypt(password)),
    updated_at: deps.now(),
  };
  await deps.db.transaction(async (tx) => {
    await upsertSshPassword(tx, row);
    await recordAudit(tx, {
      at: deps.now(),
      actor: `user:${user.id}`,
      user_id: user.id,
      action: 'ssh_password.set',
      ip,
    });
  });
}
