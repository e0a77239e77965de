import type { PlanName, SubscriptionStatus } from '../../contract/billing.ts';
import type { Db } from './connect.ts';

/** A person's subscription. One row a person; further payments stay in `checkouts`. */
export interface SubscriptionRow {
  id: string;
  user_id: string;
  stripe_customer_id: string | null;
  stripe_subscription_id: string | null;
  status: SubscriptionStatus;
  plan: PlanName;
  /** The end of what was paid for. */
  expires_at: Date | null;
  /** When it ends by its owner's wish. */
  cancel_at: Date | null;
  /** When we learned that nothing is paid any more. */
  grace_started_at: Date | null;
  /** When the machine is switched off. */
  suspends_at: Date | null;
  /** When machine and data are given up. */
  grace_ends_at: Date | null;
  /** When it was last read from Stripe. */
  checked_at: Date | null;
  created_at: Date;
  updated_at: Date;
}

export type SubscriptionChange = Omit<SubscriptionRow, 'id' | 'user_id' | 'created_at' | 'updated_at' | 'checked_at'>;

export async function findSubscription(db: Db, userId: string): Promise<SubscriptionRow | undefined> {
  return db<SubscriptionRow>('subscriptions').where('user_id', userId).first();
}

/** Writes what follows from what Stripe says, whatever was there. Lock the subscription first. */
export async function upsertSubscription(db: Db, userId: string, change: SubscriptionChange, now: Date): Promise<void> {
  const row = { ...change, checked_at: now, updated_at: now };
  await db<SubscriptionRow>('subscriptions')
    .insert({ user_id: userId, ...row, created_at: now })
    .onConflict('user_id')
    .merge(row);
}

export async function updateSubscription(
  db: Db,
  userId: string,
  change: Partial<SubscriptionRow>,
  now: Date,
): Promise<void> {
  await db<SubscriptionRow>('subscriptions')
    .where('user_id', userId)
    .update({ ...change, updated_at: now });
}

/** Subscriptions that are in their grace period, the one that ends first before the others. */
export async function listInGrace(db: Db): Promise<SubscriptionRow[]> {
  return db<SubscriptionRow>('subscriptions').whereNotNull('grace_ends_at').orderBy('grace_ends_at');
}

/** A page of all that Stripe may still change, by person. */
export async function listOpenSubscriptions(db: Db, afterUserId: string, limit: number): Promise<SubscriptionRow[]> {
  return db<SubscriptionRow>('subscriptions')
    .whereNot('status', 'expired')
    .andWhere('user_id', '>', afterUserId)
    .orderBy('user_id')
    .limit(limit);
}

/** People whose box is not as their subscription would have it, as far as a query can tell: see steerBox. */
export async function listUnsteered(db: Db, now: Date): Promise<string[]> {
  const rows = await db('user_vps as box')
    .join('subscriptions as paid', 'paid.user_id', 'box.user_id')
    .whereNot('box.status', 'terminated')
    .where((any) =>
      any
        .where('paid.status', 'expired')
        .orWhere((stop) =>
          stop
            .whereIn('paid.status', ['past_due', 'cancelled'])
            .andWhere('paid.suspends_at', '<=', now)
            .andWhere('box.status', 'ready')
            .whereNull('box.suspended_at'),
        )
        .orWhere((run) =>
          run
            .whereNotNull('box.suspended_at')
            .where((paid) => paid.where('paid.status', 'active').orWhere('paid.suspends_at', '>', now)),
        )
        .orWhere((size) =>
          size.where('paid.status', 'active').andWhere('box.status', 'ready').whereRaw('box.plan <> paid.plan'),
        ),
    )
    .select('box.user_id');
  return rows.map((row: { user_id: string }) => row.user_id);
}
