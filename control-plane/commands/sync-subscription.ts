import type Stripe from 'stripe';
import type { Deps } from '../deps.ts';
import { foldSubscription, type SubscriptionFacts } from '../billing/fold-subscription.ts';
import { isCollectionWrong } from '../billing/plan-collection.ts';
import {
  findCheckout,
  findCheckoutBySubscription,
  listBoundSubscriptions,
  updateCheckout,
  type CheckoutRow,
} from '../db/checkouts.ts';
import type { Db } from '../db/connect.ts';
import { lockInTransaction } from '../db/locks.ts';
import { findSubscription, type SubscriptionRow } from '../db/subscriptions.ts';
import { findBoxOfUser, hasHadBox } from '../db/user-vps.ts';
import { findDeletionAsked } from '../db/users.ts';
import { findAtStripe } from '../integrations/stripe-errors.ts';
import { QUEUES, sendBoxJob } from '../jobs/queues.ts';
import { decideSettlement } from './settle.ts';
import { expireSubscription, writeLife } from './write-life.ts';

export type SyncDeps = Pick<Deps, 'stripe' | 'boss' | 'now' | 'log' | 'config'>;

/**
 * Reads a subscription from Stripe and writes down what follows from it, under a lock on that subscription: whoever comes last has
 * also read last, so neither order nor repetition of the hints that led here can matter.
 */
export async function syncSubscription(deps: SyncDeps, tx: Db, subscriptionId: string): Promise<void> {
  await lockInTransaction(tx, `subscription:${subscriptionId}`);
  const subscription = await readSubscription(deps, subscriptionId);
  if (subscription === undefined) {
    deps.log.warn({ subscription_id: subscriptionId }, 'Stripe knows no such subscription');
    return;
  }
  const named = subscription.metadata['checkout_id'];
  const checkout =
    (await findCheckoutBySubscription(tx, subscriptionId)) ??
    (named === undefined || !/^[0-9a-f-]{36}$/.test(named) ? undefined : await findCheckout(tx, named));
  if (checkout?.user_id == null || checkout.status !== 'bound') return;
  await askForBilling(deps, tx, checkout.user_id, subscription);
  await takeIn(deps, tx, checkout, subscription);
}

function readSubscription(deps: SyncDeps, id: string): Promise<Stripe.Subscription | undefined> {
  return findAtStripe('read your subscription', () => deps.stripe.subscriptions.retrieve(id));
}

/**
 * Asks for the job that pauses or resumes collection when it isn't as the person's box would have it: they have subscribed anew
 * while their box was failed, or that job had given up.
 */
async function askForBilling(deps: SyncDeps, tx: Db, userId: string, subscription: Stripe.Subscription): Promise<void> {
  const box = await findBoxOfUser(tx, userId);
  if (box !== undefined && isCollectionWrong(subscription, box)) await sendBoxJob(deps.boss, tx, QUEUES.bill, box);
}

/** Binds one paid checkout to a person and writes down their subscription. */
export async function bindPaidCheckout(deps: SyncDeps, tx: Db, checkout: CheckoutRow, userId: string): Promise<void> {
  await updateCheckout(tx, checkout.id, {
    status: 'bound',
    user_id: userId,
    bound_at: deps.now(),
    claim_hash: null,
  });
  if (checkout.stripe_subscription_id !== null) await syncSubscription(deps, tx, checkout.stripe_subscription_id);
}

/**
 * Decides which of a person's subscriptions counts: there is one. The one that is paid does; of two that are, the older, and the money
 * of the other goes back.
 */
async function takeIn(deps: SyncDeps, tx: Db, checkout: CheckoutRow, subscription: Stripe.Subscription): Promise<void> {
  const userId = String(checkout.user_id);
  const facts = foldSubscription(subscription);
  await lockInTransaction(tx, `user-subscription:${userId}`);
  const present = await findSubscription(tx, userId);
  const leavingSince = await findDeletionAsked(tx, userId);
  if (leavingSince !== undefined) return letGo(deps, tx, { userId, checkout, present, facts, since: leavingSince });
  const former = present?.stripe_subscription_id ?? undefined;
  if (present === undefined || former === undefined || former === subscription.id) {
    // Somebody who had paid twice goes on with the other subscription when one ends.
    const counts =
      facts.status === 'active' ? facts : ((await findPaidOne(deps, tx, userId, subscription.id)) ?? facts);
    return writeLife(deps, tx, userId, present, counts);
  }
  if (facts.status !== 'active') return;
  const other = await readSubscription(deps, former);
  const isPaid = other !== undefined && foldSubscription(other).status === 'active';
  const about = { subscriptionId: isPaid ? subscription.id : former, userId };
  if (isPaid) {
    deps.log.warn({ user_id: userId, subscription_id: subscription.id }, 'somebody has paid twice');
    await decideSettlement(deps, tx, { ...about, checkoutId: checkout.id, reason: 'paid_twice' });
  } else {
    await decideSettlement(deps, tx, { ...about, reason: 'replaced' });
    await writeLife(deps, tx, userId, present, facts);
  }
}

/**
 * Its owner deletes the account: nothing more is collected, and the box goes. What was paid for a box that was had is kept, all else
 * goes back.
 */
async function letGo(
  deps: SyncDeps,
  tx: Db,
  about: {
    userId: string;
    checkout: CheckoutRow;
    present: SubscriptionRow | undefined;
    facts: SubscriptionFacts;
    since: Date;
  },
): Promise<void> {
  const { userId, checkout, present, facts, since } = about;
  const counts = present?.stripe_subscription_id === facts.stripe_subscription_id;
  const hadBox = counts ? await hasHadBox(tx, userId, facts.started_at) : facts.status !== 'active';
  await decideSettlement(deps, tx, {
    subscriptionId: facts.stripe_subscription_id,
    userId,
    checkoutId: checkout.id,
    reason: hadBox ? 'deleted' : 'no_box',
    since,
  });
  if (present !== undefined && present.status !== 'expired') await expireSubscription(deps, tx, present);
}

/** Another subscription of the same person that is paid. */
async function findPaidOne(
  deps: SyncDeps,
  tx: Db,
  userId: string,
  not: string,
): Promise<SubscriptionFacts | undefined> {
  for (const id of (await listBoundSubscriptions(tx, userId)).filter((other) => other !== not)) {
    const other = await readSubscription(deps, id);
    const facts = other === undefined ? undefined : foldSubscription(other);
    if (facts?.status === 'active') return facts;
  }
  return undefined;
}
