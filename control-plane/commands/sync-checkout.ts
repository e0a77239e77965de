import type Stripe from 'stripe';
import type { Deps } from '../deps.ts';
import { findCheckout, findCheckoutByStripeSession, updateCheckout, type CheckoutRow } from '../db/checkouts.ts';
import type { Db } from '../db/connect.ts';
import { lockInTransaction } from '../db/locks.ts';
import { findAtStripe } from '../integrations/stripe-errors.ts';
import { bindPaidCheckout } from './sync-subscription.ts';

/**
 * Reads a Checkout session from Stripe and records the payment; binds it at once when it is known whose it is. The browser
 * may be back before the webhook, or never: both come here.
 * @returns the checkout as it is now, or undefined when it isn't one of ours
 */
export async function syncCheckout(
  deps: Pick<Deps, 'stripe' | 'boss' | 'now' | 'log' | 'config'>,
  tx: Db,
  stripeSessionId: string,
): Promise<CheckoutRow | undefined> {
  await lockInTransaction(tx, `checkout:${stripeSessionId}`);
  const known = await findCheckoutByStripeSession(tx, stripeSessionId);
  if (known !== undefined && known.status !== 'open' && known.status !== 'expired') return known;
  const session = await findAtStripe('read your payment', () =>
    deps.stripe.checkout.sessions.retrieve(stripeSessionId),
  );
  if (session === undefined) return undefined;
  const checkout = known ?? (await findNamed(tx, session.client_reference_id));
  if (checkout === undefined) return undefined;
  const change = describeChange(session, deps.now());
  if (change === undefined) return checkout;
  await updateCheckout(tx, checkout.id, { stripe_session_id: stripeSessionId, ...change });
  // Read again under the row's lock: somebody may have signed in and claimed it in the meantime.
  const paid = await findCheckout(tx, checkout.id);
  if (paid?.status === 'paid' && paid.user_id !== null) await bindPaidCheckout(deps, tx, paid, paid.user_id);
  return findCheckout(tx, checkout.id);
}

/** A session can be paid before its id was written down here: then our id on it says which checkout it is. */
async function findNamed(tx: Db, id: string | null): Promise<CheckoutRow | undefined> {
  return id !== null && /^[0-9a-f-]{36}$/.test(id) ? findCheckout(tx, id) : undefined;
}

function describeChange(session: Stripe.Checkout.Session, now: Date): Partial<CheckoutRow> | undefined {
  if (session.status === 'expired') return { status: 'expired' };
  if (session.status !== 'complete' || session.payment_status === 'unpaid') return undefined;
  return {
    status: 'paid',
    paid_at: now,
    stripe_customer_id: idOf(session.customer),
    stripe_subscription_id: idOf(session.subscription),
    email: session.customer_details?.email ?? null,
  };
}

function idOf(value: string | { id: string } | null): string | null {
  return typeof value === 'object' ? (value?.id ?? null) : value;
}
