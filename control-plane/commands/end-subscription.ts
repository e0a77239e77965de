import { SpoqError } from '../../contract/errors.ts';
import { findSubscription } from '../db/subscriptions.ts';
import type { Deps } from '../deps.ts';
import { askStripe } from '../integrations/stripe-errors.ts';
import { recordAudit } from './audit.ts';
import { syncSubscription } from './sync-subscription.ts';

type EndDeps = Pick<Deps, 'db' | 'stripe' | 'boss' | 'now' | 'log' | 'config'>;

/**
 * Lets a subscription end with what is paid for, or takes that back. Doing it again changes nothing.
 * @throws SpoqError `no_subscription`, `conflict` when it has ended already, `upstream_failed`
 */
export async function scheduleEnd(
  deps: EndDeps,
  userId: string,
  { ends, ip }: { ends: boolean; ip: string },
): Promise<void> {
  const row = await findSubscription(deps.db, userId);
  if (row?.stripe_subscription_id == null) throw new SpoqError('no_subscription');
  if (row.status !== 'active' && row.status !== 'past_due')
    throw new SpoqError('conflict', {
      detail: 'Your subscription has ended already. Nothing was changed.',
      next: 'Subscribe again to go on.',
    });
  const id = row.stripe_subscription_id;
  await askStripe(
    ends ? 'end your subscription' : 'go on with your subscription',
    () => deps.stripe.subscriptions.update(id, { cancel_at_period_end: ends }),
    'It is as it was.',
  );
  await deps.db.transaction(async (tx) => {
    await syncSubscription(deps, tx, id);
    await recordAudit(tx, {
      at: deps.now(),
      actor: `user:${userId}`,
      user_id: userId,
      action: ends ? 'subscription.end_asked' : 'subscription.end_taken_back',
      detail: { subscription_id: id },
      ip,
    });
  });
}

/**
 * Opens Stripe's own page for cards, invoices and payments that are due; answers its address.
 * @throws SpoqError `no_subscription` for people who have never paid, `upstream_failed`
 */
export async function openPortal(deps: EndDeps, userId: string): Promise<string> {
  const row = await findSubscription(deps.db, userId);
  if (row?.stripe_customer_id == null) throw new SpoqError('no_subscription');
  const customer = row.stripe_customer_id;
  const session = await askStripe('open your payments', () =>
    deps.stripe.billingPortal.sessions.create({ customer, return_url: `${deps.config.BASE_URL}/account/billing` }),
  );
  return session.url;
}
