import type { Db } from './connect.ts';

/** Why a subscription is ended at Stripe by us. */
export type SettlementReason =
  /** Paid, and nobody ever signed in for it. */
  | 'unclaimed'
  /** Its payer has another one that is paid. */
  | 'paid_twice'
  /** Its payer has subscribed anew while this one was not paid. */
  | 'replaced'
  /** Ended without ever having given a box. */
  | 'no_box'
  | 'grace_over'
  /** The bank has taken the money back. */
  | 'disputed'
  /** Its owner has deleted the account. */
  | 'deleted';

/** What is to be undone at Stripe. The row is written first; see commands/settle.ts. */
export interface SettlementRow {
  id: string;
  stripe_subscription_id: string;
  user_id: string | null;
  checkout_id: string | null;
  reason: SettlementReason;
  /** Give back what was paid since `refund_since`; everything when that is null. */
  refund: boolean;
  refund_since: Date | null;
  /** What was given back, in the currency's smallest unit. */
  refunded_amount: number;
  currency: string | null;
  created_at: Date;
  done_at: Date | null;
}

/** One of each reason for a subscription: undefined when there is one already. */
export async function insertSettlement(
  tx: Db,
  row: Omit<SettlementRow, 'id' | 'refunded_amount' | 'currency' | 'done_at'>,
): Promise<SettlementRow | undefined> {
  const [created] = await tx<SettlementRow>('settlements')
    .insert(row)
    .onConflict(['stripe_subscription_id', 'reason'])
    .ignore()
    .returning('*');
  return created;
}

export async function findSettlement(db: Db, id: string): Promise<SettlementRow | undefined> {
  return db<SettlementRow>('settlements').where('id', id).first();
}

/** Whether a subscription is being ended for that reason, or was. */
export async function hasSettlement(db: Db, subscriptionId: string, reason: SettlementReason): Promise<boolean> {
  const row = await db<SettlementRow>('settlements')
    .where({ stripe_subscription_id: subscriptionId, reason })
    .first('id');
  return row !== undefined;
}

/** Whether something of a person's is still to be undone. */
export async function hasOpenSettlements(db: Db, userId: string): Promise<boolean> {
  return (
    (await db<SettlementRow>('settlements').where('user_id', userId).whereNull('done_at').first('id')) !== undefined
  );
}

export async function updateSettlement(tx: Db, id: string, change: Partial<SettlementRow>): Promise<void> {
  await tx<SettlementRow>('settlements').where('id', id).update(change);
}

/** What hasn't been carried out yet, and was decided before `before`. */
export async function listOpenSettlements(db: Db, before: Date): Promise<SettlementRow[]> {
  return db<SettlementRow>('settlements')
    .whereNull('done_at')
    .andWhere('created_at', '<', before)
    .orderBy('created_at');
}
