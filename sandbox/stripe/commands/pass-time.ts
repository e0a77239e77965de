import { earliest } from '../../schedule.ts';
import { clockOf, type Account, type Change } from '../account.ts';
import { endOfPeriod } from '../objects/subscription.ts';
import type { Invoice, StripeState, Subscription, TestClock } from '../state.ts';
import { billPeriod, findWaitingItems } from './bill-period.ts';
import { endSubscription } from './end-subscription.ts';
import { retryInvoice } from './pay-invoice.ts';

/**
 * When time alone changes something next, in seconds: a session expires, a period ends, an invoice is tried again. Of what
 * lives by a test clock when `clock` names one, of all else when it doesn't.
 */
export function findNextMoment(state: StripeState, clock?: string): number | undefined {
  const lives = ({ customer }: { customer: string | null }): boolean => clockOf(state, customer)?.id === clock;
  return earliest([
    ...Object.values(state.checkout_sessions)
      .filter((session) => session.status === 'open' && lives(session))
      .map((session) => session.expires_at),
    ...Object.values(state.subscriptions)
      .filter((one) => isRunning(one) && lives(one))
      .map(endsAt),
    ...Object.values(state.invoices)
      .filter((one) => isAwaited(one) && lives(one))
      .map((one) => one.next_payment_attempt ?? undefined),
  ]);
}

/** Does what is due next by the sandbox's clock, as of the moment when it was due. */
export function passTime(account: Account): void {
  const moment = findNextMoment(account.state);
  if (moment !== undefined) account.change((change) => settleMoment(change.at(moment)));
}

/** Does all that is due by a test clock until `until`, in order, each thing at its moment, which the clock then shows. */
export function settleUntil(change: Change, until: number, clock: TestClock): void {
  let moment = findNextMoment(change.state, clock.id);
  while (moment !== undefined && moment <= until) {
    clock.frozen_time = Math.max(clock.frozen_time, moment);
    settleMoment(change.at(moment), clock.id);
    moment = findNextMoment(change.state, clock.id);
  }
}

/** Expires sessions, tries invoices again, ends subscriptions that were cancelled, renews the others. */
function settleMoment(change: Change, clock?: string): void {
  const { state, now } = change;
  const lives = ({ customer }: { customer: string | null }): boolean => clockOf(state, customer)?.id === clock;
  for (const session of Object.values(state.checkout_sessions)) {
    if (session.status === 'open' && session.expires_at <= now && lives(session)) expireSession(change, session.id);
  }
  for (const invoice of Object.values(state.invoices)) {
    if (isAwaited(invoice) && Number(invoice.next_payment_attempt) <= now && lives(invoice))
      retryInvoice(change, invoice);
  }
  for (const subscription of Object.values(state.subscriptions)) {
    if (!isRunning(subscription) || endsAt(subscription) > now || !lives(subscription)) continue;
    if (subscription.cancel_at_period_end) endPeriod(change, subscription);
    else renew(change, subscription);
  }
}

/** Makes an open session expired, with its event. */
export function expireSession({ state, emit }: Change, id: string): void {
  const session = state.checkout_sessions[id];
  if (session?.status !== 'open') return;
  Object.assign(session, { status: 'expired', url: null });
  emit('checkout.session.expired', session);
}

function isRunning(subscription: Subscription): boolean {
  return subscription.status === 'active' || subscription.status === 'past_due' || subscription.status === 'trialing';
}

function isAwaited(invoice: Invoice): boolean {
  return invoice.status === 'open' && invoice.next_payment_attempt !== null;
}

function endsAt(subscription: Subscription): number {
  return Math.min(...subscription.items.data.map((item) => item.current_period_end));
}

/** What was cancelled ends; prorations that wait are billed with it. */
function endPeriod(change: Change, subscription: Subscription): void {
  if (findWaitingItems(change.state, subscription.id).length > 0)
    billPeriod(change, subscription, { reason: 'subscription_cycle', periods: 'left_out' });
  endSubscription(change, subscription.id);
}

/** Begins the next period and bills it. */
export function renew(change: Change, subscription: Subscription): Invoice {
  const before = structuredClone(subscription);
  for (const item of subscription.items.data) {
    const { interval, interval_count: count } = item.price.recurring ?? { interval: 'month', interval_count: 1 };
    item.current_period_start = item.current_period_end;
    item.current_period_end = endOfPeriod(item.current_period_start, interval, count);
  }
  return billPeriod(change, subscription, { reason: 'subscription_cycle', periods: 'charged', before });
}
