import type { Deps } from '../deps.ts';
import { findPaidCheckout } from '../db/checkouts.ts';
import { findSshPassword } from '../db/ssh-passwords.ts';
import { findSubscription } from '../db/subscriptions.ts';
import { findBoxOfUser } from '../db/user-vps.ts';
import type { UserRow } from '../db/users.ts';

/** The pages of the sign-up, in order. */
export type SetupPath =
  | '/?choose=1#plans'
  | '/welcome'
  | '/setup/password'
  | '/setup/region'
  | '/setup/progress'
  | '/setup/ready';

/** Where this browser's sign-up goes on: the first step that isn't done. */
export async function findSetupPath(
  deps: Pick<Deps, 'db'>,
  browser: { user: UserRow | undefined; idHash: string | undefined },
): Promise<SetupPath> {
  const { user, idHash } = browser;
  if (user === undefined) {
    const paid = idHash === undefined ? undefined : await findPaidCheckout(deps.db, idHash);
    return paid === undefined ? '/?choose=1#plans' : '/welcome';
  }
  const box = await findBoxOfUser(deps.db, user.id);
  if (box !== undefined) return box.status === 'ready' ? '/setup/ready' : '/setup/progress';
  const subscription = await findSubscription(deps.db, user.id);
  if (subscription?.status !== 'active') return '/?choose=1#plans';
  const password = await findSshPassword(deps.db, user.id);
  return password === undefined ? '/setup/password' : '/setup/region';
}
