import type { BillingNotice } from '../../contract/billing.ts';
import { findSubscription } from '../db/subscriptions.ts';
import { findBoxOfUser, type UserVpsRow } from '../db/user-vps.ts';
import type { Deps } from '../deps.ts';
import { presentNotice } from '../presenters/billing.ts';

/**
 * The notice of a person, as it is now.
 * @param known their box, where it has just been read
 */
export async function findNotice(
  deps: Pick<Deps, 'config' | 'db' | 'now'>,
  user: { id: string },
  known?: UserVpsRow,
): Promise<BillingNotice | undefined> {
  const subscription = await findSubscription(deps.db, user.id);
  if (subscription === undefined) return undefined;
  const box = known ?? (await findBoxOfUser(deps.db, user.id));
  return presentNotice(subscription, box, { now: deps.now(), baseUrl: deps.config.BASE_URL });
}
