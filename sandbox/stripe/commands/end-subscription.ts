import type { Change } from '../account.ts';
import { refuseMissing } from '../errors.ts';
import type { Subscription } from '../state.ts';
import { findSubscription } from './change-subscription.ts';
import { emitUpdate } from './emit-update.ts';

/** Ends a subscription now. Throws Stripe's 404 when it has ended already. */
export function endSubscription(outer: Change, id: string, details: Record<string, unknown> = {}): Subscription {
  const subscription = findSubscription(outer, id);
  const change = outer.of(subscription.customer);
  if (subscription.status === 'canceled') throw refuseMissing('subscription', id);
  Object.assign(subscription['cancellation_details'] as object, { reason: 'cancellation_requested', ...details });
  Object.assign(subscription, {
    status: 'canceled',
    canceled_at: subscription['canceled_at'] ?? change.now,
    ended_at: change.now,
  });
  // Nobody is asked any more for what stayed unpaid.
  for (const invoice of Object.values(change.state.invoices)) {
    if (invoice.parent.subscription_details.subscription === id && invoice.status === 'open')
      Object.assign(invoice, { auto_advance: false, next_payment_attempt: null });
  }
  change.emit('customer.subscription.deleted', subscription);
  return subscription;
}

/** Sets a status from outside (a control of the sandbox): what a failed payment or a bank would have brought about. */
export function setSubscriptionStatus(outer: Change, id: string, status: Subscription['status']): Subscription {
  if (status === 'canceled') return endSubscription(outer, id, { reason: 'payment_failed' });
  const subscription = findSubscription(outer, id);
  const change = outer.of(subscription.customer);
  const before = structuredClone(subscription);
  Object.assign(subscription, { status, ended_at: null });
  emitUpdate(change, 'customer.subscription.updated', before, subscription);
  return subscription;
}
