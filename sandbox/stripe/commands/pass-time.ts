import { earliest } from '../../schedule.ts';
import type { Account, Change } from '../account.ts';
import { endOfPeriod } from '../objects/subscription.ts';
import type { StripeState, Subscription } from '../state.ts';
import { billPeriod } from './bill-period.ts';
import { endSubscription } from './change-subscription.ts';

/** When time alone changes something next, in milliseconds: a session expires, a period ends. */
export function findNextMoment(state: StripeState): number | undefined {
  const sessions = Object.values(state.checkout_sessions).filter((session) => session.status === 'open');
  const seconds = earliest([
    ...sessions.map((session) => session.expires_at),
    ...Object.values(state.subscriptions).filter(isRunning).map(endsAt),
  ]);
  return seconds === undefined ? undefined : seconds * 1000;
}

/** Does what is due: expires sessions, ends subscriptions that were cancelled, renews the others. */
export function passTime(account: Account): void {
  account.change((change) => {
    const { state, now } = change;
    for (const session of Object.values(state.checkout_sessions)) {
      if (session.status === 'open' && session.expires_at <= now) expireSession(change, session.id);
    }
    for (const subscription of Object.values(state.subscriptions)) {
      if (!isRunning(subscription) || endsAt(subscription) > now) continue;
      if (subscription.cancel_at_period_end) endSubscription(change, subscription.id);
      else renew(change, subscription);
    }
  });
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

function endsAt(subscription: Subscription): number {
  return Math.min(...subscription.items.data.map((item) => item.current_period_end));
}

function renew(change: Change, subscription: Subscription): void {
  for (const item of subscription.items.data) {
    const { interval, interval_count: count } = item.price.recurring ?? { interval: 'month', interval_count: 1 };
    item.current_period_start = item.current_period_end;
    item.current_period_end = endOfPeriod(item.current_period_start, interval, count);
  }
  billPeriod(change, subscription, 'subscription_cycle');
}
