import type { BillingNotice } from '../../contract/billing.ts';
import { decideFate } from '../billing/life.ts';
import type { SubscriptionRow } from '../db/subscriptions.ts';
import type { UserVpsRow } from '../db/user-vps.ts';
import { formatDay } from './money.ts';

type Subscription = Pick<
  SubscriptionRow,
  'status' | 'cancel_at' | 'grace_started_at' | 'suspends_at' | 'grace_ends_at'
>;
type Box = Pick<UserVpsRow, 'status' | 'suspended_at'>;

/** What a person must know about what they pay; undefined when all is well. */
export function presentNotice(
  subscription: Subscription | undefined,
  box: Box | undefined,
  { now, baseUrl }: { now: Date; baseUrl: string },
): BillingNotice | undefined {
  if (subscription === undefined) return undefined;
  const notice = (code: BillingNotice['code'], message: string, at: Date | null): BillingNotice => ({
    code,
    message,
    at: at?.toISOString() ?? null,
    url: `${baseUrl}/account/billing`,
  });
  const { status, suspends_at: stops, grace_ends_at: ends, cancel_at: cancelAt } = subscription;
  if (status === 'active' && box?.suspended_at != null)
    return notice('box_returns', 'Your payment has arrived, and your box is being switched on again.', null);
  if (status === 'active')
    return cancelAt === null
      ? undefined
      : notice('ends_soon', `Your subscription ends on ${formatDay(cancelAt)}, as you asked.`, cancelAt);
  const hasBox = box !== undefined && box.status !== 'terminated';
  if (status === 'expired')
    return hasBox ? notice('box_deleted', 'The grace period is over, and your box is being deleted.', null) : undefined;
  if (stops === null || ends === null) return undefined;
  const why = status === 'past_due' ? 'Your last payment has failed.' : 'Your subscription has ended.';
  if (!hasBox) return notice(status === 'past_due' ? 'payment_failed' : 'subscription_ended', why, ends);
  const isOff = box.suspended_at !== null || decideFate(subscription, now) === 'stop';
  if (isOff)
    return notice(
      'box_stopped',
      `${why} Your box is switched off, with everything on it kept until ${formatDay(ends)}. Then it is deleted.`,
      ends,
    );
  const code = status === 'past_due' ? 'payment_failed' : 'subscription_ended';
  return notice(
    code,
    `${why} Your box is switched off on ${formatDay(stops)} and deleted on ${formatDay(ends)}.`,
    stops,
  );
}
