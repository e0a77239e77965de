import type { PlanName, SubscriptionStatus } from '../../contract/billing.ts';
import type { Db } from './connect.ts';

/** What Stripe says of a person's subscription. One row a person; further payments stay in `checkouts`. */
export interface SubscriptionRow {
  id: string;
  user_id: string;
  stripe_customer_id: string | null;
  stripe_subscription_id: string | null;
  status: SubscriptionStatus;
  plan: PlanName;
  expires_at: Date | null;
  created_at: Date;
  updated_at: Date;
}

export type SubscriptionFacts = Pick<
  SubscriptionRow,
  'stripe_customer_id' | 'stripe_subscription_id' | 'status' | 'plan' | 'expires_at'
>;

export async function findSubscription(db: Db, userId: string): Promise<SubscriptionRow | undefined> {
  return db<SubscriptionRow>('subscriptions').where('user_id', userId).first();
}

/** Writes what Stripe says, whatever was there. Lock the subscription first. */
export async function upsertSubscription(db: Db, userId: string, facts: SubscriptionFacts, now: Date): Promise<void> {
  await db<SubscriptionRow>('subscriptions')
    .insert({ user_id: userId, ...facts, created_at: now, updated_at: now })
    .onConflict('user_id')
    .merge({ ...facts, updated_at: now });
}
