import type Stripe from 'stripe';
import { PLANS, PLAN_NAMES, type PlanName, type SubscriptionStatus } from '../../contract/billing.ts';
import type { SubscriptionFacts } from '../db/subscriptions.ts';

/** After the end of a subscription its box is kept for so long. */
export const GRACE_DAYS = 7;
const DAY_MS = 86_400_000;

/** Stripe's eight states. `canceled` becomes `expired` when the grace period is over. */
const STATUSES: Record<string, SubscriptionStatus> = {
  active: 'active',
  trialing: 'active',
  past_due: 'past_due',
  unpaid: 'past_due',
  paused: 'past_due',
  incomplete: 'past_due',
  incomplete_expired: 'expired',
  canceled: 'cancelled',
};

/**
 * Folds a subscription as Stripe tells it into what Spoq keeps. `expires_at` is the end of the paid period, which stands on
 * the item since the API of 2025-03-31; for an ended subscription it is the end of the grace period.
 */
export function foldSubscription(subscription: Stripe.Subscription, now: Date): SubscriptionFacts {
  const status = STATUSES[subscription.status] ?? 'past_due';
  const { customer } = subscription;
  const facts = {
    stripe_subscription_id: subscription.id,
    stripe_customer_id: typeof customer === 'string' ? customer : customer.id,
    plan: planOf(subscription),
  };
  const ended = subscription.ended_at ?? subscription.canceled_at;
  if (status === 'cancelled' && ended !== null) {
    const expires = new Date(ended * 1000 + GRACE_DAYS * DAY_MS);
    return { ...facts, status: expires <= now ? 'expired' : 'cancelled', expires_at: expires };
  }
  const periodEnds = subscription.items.data.map((item) => item.current_period_end);
  return { ...facts, status, expires_at: periodEnds.length === 0 ? null : new Date(Math.max(...periodEnds) * 1000) };
}

function planOf(subscription: Stripe.Subscription): PlanName {
  const keys = subscription.items.data.map((item) => item.price.lookup_key);
  const named = subscription.metadata['plan'];
  return PLAN_NAMES.find((name) => keys.includes(PLANS[name].lookup_key) || name === named) ?? 'basic';
}
