import type { BillingNotice } from '../../contract/billing.ts';
import { findSubscription } from '../db/subscriptions.ts';
import { findBoxOfUser } from '../db/user-vps.ts';
import type { Deps } from '../deps.ts';
import { presentNotice } from '../presenters/billing.ts';

/** The notice of a person, as it is now. */
export async function findNotice(
  deps: Pick<Deps, 'config' | 'db' | 'now'>,
  user: { id: string },
): Promise<BillingNotice | undefined> {
  const subscription = await findSubscription(deps.db, user.id);
  if (subscription === undefined) return undefined;
  const box = await findBoxOfUser(deps.db, user.id);
  return presentNotice(subscription, box, { now: deps.now(), baseUrl: deps.config.BASE_URL });
}
