import type { Change } from '../account.ts';
import { refuseMissing } from '../errors.ts';
import { mergeMetadata } from '../params.ts';
import type { Subscription } from '../state.ts';
import { emitUpdate } from './emit-update.ts';
import { checkTrial, startTrial } from './start-trial.ts';

export interface SubscriptionChanges {
  cancel_at_period_end?: boolean;
  metadata?: Record<string, string>;
  description?: string;
  cancellation_details?: { comment?: string; feedback?: string };
  pause_collection?: { behavior: 'void' } | null;
  /** Seconds since the epoch. */
  trial_end?: number;
  proration_behavior?: 'always_invoice' | 'create_prorations' | 'none';
}

/** Finds a subscription, or throws Stripe's 404. */
export function findSubscription(change: Change, id: string): Subscription {
  const subscription = change.state.subscriptions[id];
  if (subscription === undefined) throw refuseMissing('subscription', id);
  return subscription;
}

/** POST /v1/subscriptions/{id}: ends the renewal or moves it, pauses collection, or takes that back; changes words. */
export function changeSubscription(outer: Change, id: string, changes: SubscriptionChanges): Subscription {
  const subscription = findSubscription(outer, id);
  const change = outer.of(subscription.customer);
  // Stripe answers a change to an ended subscription as if it weren't there.
  if (subscription.status === 'canceled') throw refuseMissing('subscription', id);
  const before = structuredClone(subscription);
  const { cancel_at_period_end: ending, metadata, description, cancellation_details: details } = changes;
  const { pause_collection: pause, trial_end: trialEnd } = changes;
  if (trialEnd !== undefined) checkTrial(subscription, trialEnd, changes.proration_behavior, change.now);
  if (metadata !== undefined) subscription.metadata = mergeMetadata(subscription.metadata, metadata);
  if (description !== undefined) subscription['description'] = description === '' ? null : description;
  if (details !== undefined) Object.assign(subscription['cancellation_details'] as object, details);
  if (pause !== undefined) subscription.pause_collection = pause && { ...pause, resumes_at: null };
  if (trialEnd !== undefined) startTrial(change, subscription, trialEnd);
  if (ending !== undefined && ending !== subscription.cancel_at_period_end) {
    const end = Math.max(...subscription.items.data.map((item) => item.current_period_end));
    subscription.cancel_at_period_end = ending;
    subscription.cancel_at = ending ? end : null;
    subscription['canceled_at'] = ending ? change.now : null;
    const reason = ending ? 'cancellation_requested' : null;
    Object.assign(subscription['cancellation_details'] as object, { reason });
  }
  emitUpdate(change, 'customer.subscription.updated', before, subscription);
  return subscription;
}

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
