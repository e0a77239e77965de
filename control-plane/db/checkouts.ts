import type { PlanName } from '../../contract/billing.ts';
import type { Db } from './connect.ts';

/** A checkout that was begun in a browser. Paid before anybody signed in, bound to a user afterwards. */
export interface CheckoutRow {
  id: string;
  session_hash: string;
  plan: PlanName;
  stripe_session_id: string | null;
  stripe_customer_id: string | null;
  stripe_subscription_id: string | null;
  email: string | null;
  /** `returned`: nobody has claimed it, and its money goes back. */
  status: 'open' | 'paid' | 'bound' | 'expired' | 'returned';
  /** Who was signed in when it was begun, or claimed it since. The payment is theirs once it arrives. */
  user_id: string | null;
  created_at: Date;
  paid_at: Date | null;
  bound_at: Date | null;
  /** Of the token in the mail by which another browser claims it. */
  claim_hash: string | null;
  claim_mailed_at: Date | null;
}

export async function insertCheckout(
  db: Db,
  row: Pick<CheckoutRow, 'session_hash' | 'plan' | 'email' | 'user_id' | 'created_at'>,
): Promise<CheckoutRow> {
  const [created] = await db<CheckoutRow>('checkouts').insert(row).returning('*');
  if (created === undefined) throw new Error('insert of a checkout returned no row');
  return created;
}

export async function findCheckout(db: Db, id: string): Promise<CheckoutRow | undefined> {
  return db<CheckoutRow>('checkouts').where('id', id).first();
}

export async function findCheckoutByStripeSession(db: Db, stripeSessionId: string): Promise<CheckoutRow | undefined> {
  return db<CheckoutRow>('checkouts').where('stripe_session_id', stripeSessionId).first();
}

export async function findCheckoutBySubscription(db: Db, subscriptionId: string): Promise<CheckoutRow | undefined> {
  return db<CheckoutRow>('checkouts').where('stripe_subscription_id', subscriptionId).first();
}

/** The newest checkout of this browser for that plan that was begun after `since` and not yet paid. */
export async function findOpenCheckout(
  db: Db,
  sessionHash: string,
  plan: PlanName,
  since: Date,
): Promise<CheckoutRow | undefined> {
  return db<CheckoutRow>('checkouts')
    .where({ session_hash: sessionHash, plan, status: 'open' })
    .andWhere('created_at', '>', since)
    .orderBy('created_at', 'desc')
    .first();
}

/** Whether this browser has paid and the payment is nobody's yet. */
export async function findPaidCheckout(db: Db, sessionHash: string): Promise<CheckoutRow | undefined> {
  return db<CheckoutRow>('checkouts').where({ session_hash: sessionHash, status: 'paid' }).first();
}

export async function updateCheckout(db: Db, id: string, change: Partial<CheckoutRow>): Promise<void> {
  await db<CheckoutRow>('checkouts').where('id', id).update(change);
}

/** Gives this browser's unpaid checkouts to whoever signed in on it. */
export async function claimOpenCheckouts(db: Db, sessionHash: string, userId: string): Promise<void> {
  await db<CheckoutRow>('checkouts').where({ session_hash: sessionHash, status: 'open' }).update({ user_id: userId });
}

export async function listPaidCheckouts(db: Db, sessionHash: string): Promise<CheckoutRow[]> {
  return db<CheckoutRow>('checkouts')
    .where({ session_hash: sessionHash, status: 'paid' })
    .orderBy('created_at')
    .forUpdate();
}

/** Payments by somebody who gave this address, which nobody has claimed. */
export async function listPaidCheckoutsOfEmail(tx: Db, email: string): Promise<CheckoutRow[]> {
  return tx<CheckoutRow>('checkouts')
    .where('status', 'paid')
    .whereRaw('lower(email) = lower(?)', [email])
    .orderBy('created_at')
    .forUpdate();
}

/** Payments that are nobody's yet, the oldest first. */
export async function listUnboundCheckouts(db: Db): Promise<Pick<CheckoutRow, 'id'>[]> {
  return db<CheckoutRow>('checkouts').where('status', 'paid').orderBy('paid_at').select('id');
}

export async function lockCheckout(tx: Db, id: string): Promise<CheckoutRow | undefined> {
  return tx<CheckoutRow>('checkouts').where('id', id).forUpdate().first();
}

export async function findCheckoutByClaim(db: Db, claimHash: string): Promise<CheckoutRow | undefined> {
  return db<CheckoutRow>('checkouts').where('claim_hash', claimHash).first();
}

/** Checkouts of which Stripe has said neither that they are paid nor that they never will be, however old: money may wait in them. */
export async function listOpenCheckouts(db: Db): Promise<CheckoutRow[]> {
  return db<CheckoutRow>('checkouts').where('status', 'open').whereNotNull('stripe_session_id').orderBy('created_at');
}

/** Whose payment a customer of Stripe's is. */
export async function findUserOfCustomer(db: Db, customerId: string): Promise<string | undefined> {
  const row = await db<CheckoutRow>('checkouts')
    .where('stripe_customer_id', customerId)
    .whereNotNull('user_id')
    .first('user_id');
  return row?.user_id ?? undefined;
}

/** Ids of every subscription that a person has paid for through us, the newest first. */
export async function listBoundSubscriptions(db: Db, userId: string): Promise<string[]> {
  const rows = await db<CheckoutRow>('checkouts')
    .where({ user_id: userId, status: 'bound' })
    .orderBy('bound_at', 'desc')
    .select('stripe_subscription_id');
  return rows.flatMap((row) => row.stripe_subscription_id ?? []);
}

/** Forgets checkouts that came to nothing at Stripe; of all others Stripe says when they have lapsed. */
export async function expireOldCheckouts(db: Db, begunBefore: Date): Promise<number> {
  return db<CheckoutRow>('checkouts')
    .where('status', 'open')
    .whereNull('stripe_session_id')
    .andWhere('created_at', '<', begunBefore)
    .update({ status: 'expired' });
}

/** The address that a person has given last when they paid. */
export async function findPaymentEmail(db: Db, userId: string): Promise<string | null> {
  const row = await db<CheckoutRow>('checkouts')
    .where('user_id', userId)
    .whereNotNull('email')
    .orderBy('created_at', 'desc')
    .first('email');
  return row?.email ?? null;
}
