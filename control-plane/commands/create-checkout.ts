import { SpoqError } from '../../contract/errors.ts';
import type { PlanName } from '../../contract/billing.ts';
import type { Deps } from '../deps.ts';
import { findOpenCheckout, insertCheckout, updateCheckout, type CheckoutRow } from '../db/checkouts.ts';
import { lockInTransaction } from '../db/locks.ts';
import { findSubscription } from '../db/subscriptions.ts';
import type { UserRow } from '../db/users.ts';
import { askStripe } from '../integrations/stripe-errors.ts';
import { ensurePrices } from './ensure-prices.ts';

/** Stripe lets an unpaid session lapse after 24 hours. One that is nearly gone isn't offered again. */
const REUSE_HOURS = 20;

type CheckoutDeps = Pick<Deps, 'config' | 'db' | 'stripe' | 'now'>;

/**
 * Begins to pay for a plan, and answers where. A double click, or a second try in the same browser, leads to the same page
 * of Stripe: the row is the intention, its id is Stripe's idempotency key.
 */
export async function createCheckout(
  deps: CheckoutDeps,
  request: { plan: PlanName; sessionHash: string; user: UserRow | undefined },
): Promise<string> {
  const checkout = await reserveCheckout(deps, request);
  if (checkout.stripe_session_id !== null) {
    const { stripe_session_id: id } = checkout;
    const open = await askStripe('find your payment again', () => deps.stripe.checkout.sessions.retrieve(id));
    if (open.status === 'open' && open.url !== null) return open.url;
    // Paid already: the page after the payment knows what comes next.
    if (open.status === 'complete') return `${deps.config.BASE_URL}/welcome?session_id=${encodeURIComponent(id)}`;
    await updateCheckout(deps.db, checkout.id, { status: 'expired' });
    return createCheckout(deps, request);
  }
  return openSession(deps, checkout);
}

async function reserveCheckout(
  deps: CheckoutDeps,
  { plan, sessionHash, user }: { plan: PlanName; sessionHash: string; user: UserRow | undefined },
): Promise<CheckoutRow> {
  const now = deps.now();
  return deps.db.transaction(async (tx) => {
    await lockInTransaction(tx, `checkouts-of:${sessionHash}`);
    const since = new Date(now.getTime() - REUSE_HOURS * 3_600_000);
    const row = {
      session_hash: sessionHash,
      plan,
      email: user?.email ?? null,
      user_id: user?.id ?? null,
      created_at: now,
    };
    return (await findOpenCheckout(tx, sessionHash, plan, since)) ?? insertCheckout(tx, row);
  });
}

async function openSession(deps: CheckoutDeps, checkout: CheckoutRow): Promise<string> {
  try {
    return await askForSession(deps, checkout);
  } catch (error) {
    // Stripe repeats an answer under the same key for a day, a failure too: the next try must be another intention.
    const status = (error as { cause?: { statusCode?: number } }).cause?.statusCode;
    if (status !== undefined && ![409, 429].includes(status))
      await updateCheckout(deps.db, checkout.id, { status: 'expired' });
    throw error;
  }
}

/** Whoever has paid before is the same customer again: one place for cards and invoices. Stripe makes the others as they pay. */
async function describePayer(
  deps: CheckoutDeps,
  { id, email, user_id: userId }: CheckoutRow,
): Promise<{ customer?: string; customer_email?: string }> {
  const known = userId === null ? undefined : await findSubscription(deps.db, userId);
  if (known?.stripe_customer_id != null) return { customer: known.stripe_customer_id };
  const { STRIPE_TEST_CLOCK: clock } = deps.config;
  if (clock !== undefined) {
    const fields = { test_clock: clock, ...(email === null ? {} : { email }) };
    return { customer: (await deps.stripe.customers.create(fields, { idempotencyKey: `customer-${id}` })).id };
  }
  return email === null ? {} : { customer_email: email };
}

async function askForSession(deps: CheckoutDeps, checkout: CheckoutRow): Promise<string> {
  const prices = await ensurePrices(deps);
  const { BASE_URL: base } = deps.config;
  const payer = await askStripe('begin the payment', () => describePayer(deps, checkout));
  const session = await askStripe('begin the payment', () =>
    deps.stripe.checkout.sessions.create(
      {
        mode: 'subscription',
        line_items: [{ price: prices[checkout.plan], quantity: 1 }],
        client_reference_id: checkout.id,
        metadata: { checkout_id: checkout.id },
        subscription_data: { metadata: { checkout_id: checkout.id, plan: checkout.plan } },
        ...payer,
        success_url: `${base}/welcome?session_id={CHECKOUT_SESSION_ID}`,
        cancel_url: `${base}/?cancelled=1#plans`,
      },
      { idempotencyKey: checkout.id },
    ),
  );
  await updateCheckout(deps.db, checkout.id, { stripe_session_id: session.id });
  if (session.url === null)
    throw new SpoqError('upstream_failed', { detail: 'Stripe answered without a page to pay on.' });
  return session.url;
}
