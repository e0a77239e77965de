import type { Change } from '../account.ts';
import { refuseParam } from '../errors.ts';
import type { Subscription } from '../state.ts';
import { billPeriod } from './bill-period.ts';

/** "Can be at most two years from `billing_cycle_anchor`." */
const FURTHEST_SECONDS = 2 * 365 * 86_400;

/** Refuses, before anything has changed, an end that is past or too far, and prorations, which the sandbox doesn't calculate. */
export function checkTrial(subscription: Subscription, end: number, prorations: string | undefined, now: number): void {
  if (end <= now) throw refuseParam('Invalid timestamp: must be an integer Unix timestamp in the future.', 'trial_end');
  if (end > subscription.billing_cycle_anchor + FURTHEST_SECONDS)
    throw refuseParam('Invalid timestamp: can be no more than two years after the billing cycle anchor.', 'trial_end');
  if (prorations !== 'none')
    throw refuseParam('The sandbox starts trials with proration_behavior=none only.', 'proration_behavior');
}

/** A free period from now to `end`, in place of the present one, with an invoice over nothing. Renewals follow from its end. */
export function startTrial(change: Change, subscription: Subscription, end: number): void {
  for (const item of subscription.items.data)
    Object.assign(item, { current_period_start: change.now, current_period_end: end });
  Object.assign(subscription, { status: 'trialing', trial_start: change.now, trial_end: end });
  subscription.billing_cycle_anchor = end;
  if (subscription.cancel_at_period_end) subscription.cancel_at = end;
  billPeriod(change, subscription, { reason: 'subscription_update', periods: 'free' });
}
