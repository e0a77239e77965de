import { createRehearsal, type Change } from '../account.ts';
import { refuseMissing, refuseParam, StripeError } from '../errors.ts';
import { findDecline } from '../objects/test-cards.ts';
import { mergeMetadata } from '../params.ts';
import type { Subscription } from '../state.ts';
import { billPeriod, findWaitingItems } from './bill-period.ts';
import { changeItems, checkProrationDate, planItems, type ItemChange } from './change-items.ts';
import { emitUpdate } from './emit-update.ts';
import { checkTrial, startTrial } from './start-trial.ts';

export interface SubscriptionChanges {
  cancel_at_period_end?: boolean;
  metadata?: Record<string, string>;
  description?: string;
  cancellation_details?: { comment?: string; feedback?: string };
  pause_collection?: { behavior: 'void' } | null;
  default_payment_method?: string;
  items?: ItemChange[];
  /** What is done when the change has to be paid and can't be; `allow_incomplete` when left out. */
  payment_behavior?: 'allow_incomplete' | 'error_if_incomplete';
  /** Seconds since the epoch. */
  trial_end?: number;
  /** `create_prorations` when left out. */
  proration_behavior?: 'always_invoice' | 'create_prorations' | 'none';
  /** Seconds since the epoch; now when left out. */
  proration_date?: number;
}

/** Finds a subscription, or throws Stripe's refusal: 404, or 400 when a parameter named it. */
export function findSubscription(change: Change, id: string, param?: string): Subscription {
  const subscription = change.state.subscriptions[id];
  if (subscription === undefined) throw refuseMissing('subscription', id, param);
  return subscription;
}

/**
 * POST /v1/subscriptions/{id}: other prices with prorations, ends the renewal or moves it, pauses collection, or takes that
 * back; another card; changes words. Checks everything before it changes anything.
 */
export function changeSubscription(outer: Change, id: string, changes: SubscriptionChanges): Subscription {
  const subscription = findSubscription(outer, id);
  const change = outer.of(subscription.customer);
  // Stripe answers a change to an ended subscription as if it weren't there.
  if (subscription.status === 'canceled') throw refuseMissing('subscription', id);
  const before = structuredClone(subscription);
  const { trial_end: trialEnd, proration_behavior: behavior = 'create_prorations' } = changes;
  const date = changes.proration_date ?? change.now;
  if (changes.proration_date !== undefined) checkProrationDate(subscription, date);
  if (trialEnd !== undefined) checkTrial(subscription, trialEnd, changes.proration_behavior, change.now);
  checkMethod(change, subscription, changes.default_payment_method);
  const planned = planItems(change.state, subscription, changes.items ?? []);
  if (changes.payment_behavior === 'error_if_incomplete') rehearse(change, id, changes);

  changeWords(subscription, changes);
  if (changes.default_payment_method !== undefined)
    subscription.default_payment_method = changes.default_payment_method;
  changeItems(change, subscription, planned, behavior === 'none' ? null : date);
  if (trialEnd !== undefined) startTrial(change, subscription, trialEnd);
  changeEnding(change, subscription, changes.cancel_at_period_end);
  const isBilled = planned.length > 0 && behavior === 'always_invoice';
  if (isBilled && findWaitingItems(change.state, id).length > 0)
    billPeriod(change, subscription, { reason: 'subscription_update', periods: 'left_out', before });
  else emitUpdate(change, 'customer.subscription.updated', before, subscription);
  return subscription;
}

function checkMethod({ state }: Change, { customer }: Subscription, method: string | undefined): void {
  if (method === undefined || state.payment_methods[method]?.customer === customer) return;
  throw refuseMissing('PaymentMethod', method, 'default_payment_method');
}

/** Throws Stripe's 402 for a change whose invoice couldn't be paid. Done on a copy of everything, so nothing has changed. */
function rehearse(change: Change, id: string, changes: SubscriptionChanges): void {
  const copy = createRehearsal(change.state, change.now);
  const before = copy.state.subscriptions[id]?.latest_invoice;
  const after = changeSubscription(copy, id, { ...changes, payment_behavior: 'allow_incomplete' });
  const invoice = copy.state.invoices[after.latest_invoice ?? ''];
  if (after.latest_invoice === before || invoice?.status !== 'open') return;
  const decline = findDecline(copy.state.card_numbers[after.default_payment_method ?? '']);
  if (decline === undefined)
    throw refuseParam(
      'This customer has no attached payment source or default payment method.',
      undefined,
      'resource_missing',
    );
  throw new StripeError(402, { type: 'card_error', ...decline });
}

function changeWords(subscription: Subscription, changes: SubscriptionChanges): void {
  const { metadata, description, cancellation_details: details, pause_collection: pause } = changes;
  if (metadata !== undefined) subscription.metadata = mergeMetadata(subscription.metadata, metadata);
  if (description !== undefined) subscription['description'] = description === '' ? null : description;
  if (details !== undefined) Object.assign(subscription['cancellation_details'] as object, details);
  if (pause !== undefined) subscription.pause_collection = pause && { ...pause, resumes_at: null };
}

function changeEnding(change: Change, subscription: Subscription, ending: boolean | undefined): void {
  if (ending === undefined || ending === subscription.cancel_at_period_end) return;
  const end = Math.max(...subscription.items.data.map((item) => item.current_period_end));
  subscription.cancel_at_period_end = ending;
  subscription.cancel_at = ending ? end : null;
  subscription['canceled_at'] = ending ? change.now : null;
  const reason = ending ? 'cancellation_requested' : null;
  Object.assign(subscription['cancellation_details'] as object, { reason });
}
