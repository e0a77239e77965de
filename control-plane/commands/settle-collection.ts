import type Stripe from 'stripe';
import { planPause, planResume } from '../billing/plan-collection.ts';
import { listBoundSubscriptions } from '../db/checkouts.ts';
import type { Db } from '../db/connect.ts';
import { lockInTransaction } from '../db/locks.ts';
import { findBox, findLastBoxEnd, type UserVpsRow } from '../db/user-vps.ts';
import type { Deps } from '../deps.ts';
import { askStripe, findAtStripe } from '../integrations/stripe-errors.ts';
import { syncSubscription } from './sync-subscription.ts';

type SettleDeps = Pick<Deps, 'db' | 'stripe' | 'boss' | 'now' | 'log' | 'config'>;

/** Stripe lists the newest first; the last paid period is among them. */
const INVOICES = 20;

/**
 * Makes every subscription of a box's owner collect, or not, as the box would have it: paused when the box failed; resumed, and
 * the paid time begun, when it is ready. Says what should be and not what to change, so repeating it is safe.
 * @param attempt differs from one attempt to the next: Stripe would repeat an answer, a failure too, to a key that it knows
 * @throws SpoqError `upstream_failed` or `upstream_refused`
 */
export async function settleCollection(deps: SettleDeps, boxId: string, attempt: string): Promise<void> {
  const box = await findBox(deps.db, boxId);
  if (box === undefined) return;
  for (const id of await listBoundSubscriptions(deps.db, box.user_id))
    await deps.db.transaction((tx) => settleOne(deps, tx, id, { boxId, attempt }));
}

/** Reads box and subscription under the subscription's lock: whoever comes last has also read last. */
async function settleOne(
  deps: SettleDeps,
  tx: Db,
  id: string,
  { boxId, attempt }: { boxId: string; attempt: string },
): Promise<void> {
  await lockInTransaction(tx, `subscription:${id}`);
  const box = await findBox(tx, boxId);
  const subscription = await findAtStripe('read your subscription', () => deps.stripe.subscriptions.retrieve(id));
  if (box === undefined || subscription === undefined) return;
  const change = await planChange(deps, tx, subscription, box);
  if (change === undefined) return;
  await askStripe('change your subscription', () =>
    deps.stripe.subscriptions.update(id, change, { idempotencyKey: `bill-${attempt}-${id}` }),
  );
  deps.log.info({ box_id: boxId, box_status: box.status, subscription_id: id, change }, 'collection is settled');
  await syncSubscription(deps, tx, id);
}

async function planChange(
  deps: SettleDeps,
  tx: Db,
  subscription: Stripe.Subscription,
  box: UserVpsRow,
): Promise<Stripe.SubscriptionUpdateParams | undefined> {
  if (box.status === 'failed') return planPause(subscription, box.id);
  if (box.status !== 'ready') return undefined;
  const since = await findLastBoxEnd(tx, box.user_id);
  return planResume(subscription, { box, since, now: deps.now() }, () => loadPaidUntil(deps, subscription.id));
}

async function loadPaidUntil(deps: SettleDeps, subscription: string): Promise<number> {
  const { data } = await askStripe('read your invoices', () =>
    deps.stripe.invoices.list({ subscription, status: 'paid', limit: INVOICES }),
  );
  return Math.max(0, ...data.flatMap((invoice) => invoice.lines.data.map((line) => line.period.end)));
}
