import type Stripe from 'stripe';
import type { Deps } from '../deps.ts';
import { foldSubscription } from '../billing/fold-subscription.ts';
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
import { findSubscription, upsertSubscription, type SubscriptionFacts } from '../db/subscriptions.ts';
import { findBoxOfUser } from '../db/user-vps.ts';
import { findAtStripe } from '../integrations/stripe-errors.ts';
import { QUEUES, sendBoxJob } from '../jobs/queues.ts';

type SyncDeps = Pick<Deps, 'stripe' | 'boss' | 'now' | 'log'>;

/**
 * Reads a subscription from Stripe and writes down what it says, under a lock on that subscription: whoever comes last has
 * also read last, so neither order nor repetition of the hints that led here can matter.
 */
export async function syncSubscription(deps: SyncDeps, tx: Db, subscriptionId: string): Promise<void> {
  await lockInTransaction(tx, `subscription:${subscriptionId}`);
  const subscription = await findAtStripe('read your subscription', () =>
    deps.stripe.subscriptions.retrieve(subscriptionId),
  );
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
  const facts = foldSubscription(subscription, deps.now());
  const written = await writeSubscription(deps, tx, checkout.user_id, facts);
  if (written && facts.status !== 'active') await fallBack(deps, tx, checkout.user_id, subscriptionId);
}

/**
 * Asks for the job that pauses or resumes collection when it isn't as the person's box would have it: they have subscribed anew
 * while their box was failed, or that job had given up.
 */
async function askForBilling(deps: SyncDeps, tx: Db, userId: string, subscription: Stripe.Subscription): Promise<void> {
  const box = await findBoxOfUser(tx, userId);
  if (box !== undefined && isCollectionWrong(subscription, box)) await sendBoxJob(deps.boss, tx, QUEUES.bill, box);
}

/** Somebody who had paid twice goes on with the other subscription when one ends. */
async function fallBack(deps: SyncDeps, tx: Db, userId: string, ended: string): Promise<void> {
  for (const other of (await listBoundSubscriptions(tx, userId)).filter((id) => id !== ended)) {
    const found = await findAtStripe('read your subscription', () => deps.stripe.subscriptions.retrieve(other));
    const facts = found === undefined ? undefined : foldSubscription(found, deps.now());
    if (facts?.status === 'active') return upsertSubscription(tx, userId, facts, deps.now());
  }
}

/** Binds one paid checkout to a person and writes down their subscription. */
export async function bindPaidCheckout(deps: SyncDeps, tx: Db, checkout: CheckoutRow, userId: string): Promise<void> {
  await updateCheckout(tx, checkout.id, { status: 'bound', user_id: userId, bound_at: deps.now() });
  if (checkout.stripe_subscription_id !== null) await syncSubscription(deps, tx, checkout.stripe_subscription_id);
}

/** A person with two subscriptions keeps the one that is paid; the other one stays in `checkouts`, where support finds it. */
async function writeSubscription(deps: SyncDeps, tx: Db, userId: string, facts: SubscriptionFacts): Promise<boolean> {
  await lockInTransaction(tx, `user-subscription:${userId}`);
  const present = await findSubscription(tx, userId);
  const same = present?.stripe_subscription_id === facts.stripe_subscription_id;
  if (present !== undefined && !same && (present.status === 'active' || facts.status !== 'active')) {
    deps.log.warn({ user_id: userId, subscription_id: facts.stripe_subscription_id }, 'second subscription of a user');
    return false;
  }
  await upsertSubscription(tx, userId, facts, deps.now());
  return true;
}
