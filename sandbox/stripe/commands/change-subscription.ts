import type { Change } from '../account.ts';
import { refuseMissing } from '../errors.ts';
import { mergeMetadata } from '../params.ts';
import type { Subscription } from '../state.ts';
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
function findSubscription(change: Change, id: string): Subscription {
  const subscription = change.state.subscriptions[id];
  if (subscription === undefined) throw refuseMissing('subscription', id);
  return subscription;
}

/** POST /v1/subscriptions/{id}: ends the renewal or moves it, pauses collection, or takes that back; changes words. */
export function changeSubscription(change: Change, id: string, changes: SubscriptionChanges): Subscription {
  const subscription = findSubscription(change, id);
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
  emitUpdate(change, before, subscription);
  return subscription;
}

/** Ends a subscription now. Throws Stripe's 404 when it has ended already. */
export function endSubscription(change: Change, id: string, details: Record<string, unknown> = {}): Subscription {
  const subscription = findSubscription(change, id);
  if (subscription.status === 'canceled') throw refuseMissing('subscription', id);
  Object.assign(subscription['cancellation_details'] as object, { reason: 'cancellation_requested', ...details });
  Object.assign(subscription, {
    status: 'canceled',
    canceled_at: subscription['canceled_at'] ?? change.now,
    ended_at: change.now,
  });
  change.emit('customer.subscription.deleted', subscription);
  return subscription;
}

/** Sets a status from outside (a control of the sandbox): what a failed payment or a bank would have brought about. */
export function setSubscriptionStatus(change: Change, id: string, status: Subscription['status']): Subscription {
  if (status === 'canceled') return endSubscription(change, id, { reason: 'payment_failed' });
  const subscription = findSubscription(change, id);
  const before = structuredClone(subscription);
  Object.assign(subscription, { status, ended_at: null });
  emitUpdate(change, before, subscription);
  return subscription;
}

/** Emits customer.subscription.updated with the former values of what changed; nothing when nothing did. */
function emitUpdate(change: Change, before: Subscription, after: Subscription): void {
  const previous = Object.fromEntries(
    Object.entries(before).filter(([field, value]) => JSON.stringify(value) !== JSON.stringify(after[field])),
  );
  if (Object.keys(previous).length > 0) change.emit('customer.subscription.updated', after, previous);
}
