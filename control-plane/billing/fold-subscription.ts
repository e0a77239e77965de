import type Stripe from 'stripe';
import { PLANS, PLAN_NAMES, type PlanName, type SubscriptionStatus } from '../../contract/billing.ts';

/** What Stripe says of a subscription, as far as it matters to a box. */
export interface SubscriptionFacts {
  stripe_subscription_id: string;
  stripe_customer_id: string;
  /** `expired` only for one whose first payment never came. */
  status: SubscriptionStatus;
  plan: PlanName;
  /** The end of what was paid for; of a subscription that has ended, when that was. */
  expires_at: Date | null;
  /** When it ends by its owner's wish, while it is still paid. */
  cancel_at: Date | null;
  started_at: Date;
}

/** Stripe's eight states. What becomes of a box in each of ours is told by life.ts. */
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

/** Folds a subscription as Stripe tells it. Its period stands on its items since the API of 2025-03-31. */
export function foldSubscription(subscription: Stripe.Subscription): SubscriptionFacts {
  const status = STATUSES[subscription.status] ?? 'past_due';
  const { customer, items } = subscription;
  const periodEnd = items.data.length === 0 ? null : Math.max(...items.data.map((item) => item.current_period_end));
  const ended = subscription.ended_at ?? subscription.canceled_at;
  const cancelAt = subscription.cancel_at ?? (subscription.cancel_at_period_end ? periodEnd : null);
  return {
    stripe_subscription_id: subscription.id,
    stripe_customer_id: typeof customer === 'string' ? customer : customer.id,
    plan: planOf(subscription),
    status,
    expires_at: toDate(status === 'cancelled' ? ended : periodEnd),
    cancel_at: status === 'active' || status === 'past_due' ? toDate(cancelAt) : null,
    started_at: new Date(subscription.start_date * 1000),
  };
}

/** The price that is paid says the plan; the metadata is what was chosen at first. */
function planOf(subscription: Stripe.Subscription): PlanName {
  const keys = subscription.items.data.map((item) => item.price.lookup_key);
  const named = subscription.items.data.map((item) => item.price.metadata['plan']);
  const chosen = subscription.metadata['plan'];
  return (
    PLAN_NAMES.find((name) => keys.includes(PLANS[name].lookup_key)) ??
    PLAN_NAMES.find((name) => named.includes(name)) ??
    PLAN_NAMES.find((name) => name === chosen) ??
    'basic'
  );
}

function toDate(seconds: number | null): Date | null {
  return seconds === null ? null : new Date(seconds * 1000);
}
