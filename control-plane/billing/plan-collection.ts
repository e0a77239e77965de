import type Stripe from 'stripe';
import type { UserVpsRow } from '../db/user-vps.ts';

/**
 * A box that is ready within this time of the payment is on time, and renews on the day of the payment. Boxes take minutes and
 * signing in, too: moving every renewal by those would show every customer a trial. The page of a failed box says this number.
 */
export const ON_TIME_SECONDS = 3600;
/** POST /v1/subscriptions/{id}: `trial_end` "can be at most two years from `billing_cycle_anchor`". */
const FURTHEST_SECONDS = 2 * 365 * 86_400;

/** On the subscription at Stripe: the box for want of which we have paused it. What others have paused is theirs to resume. */
const PAUSED_FOR = 'paused_for_box';
/** The box whose wait has been made good: once. */
const PAID_FROM = 'paid_from_box';

type Box = Pick<UserVpsRow, 'id' | 'status' | 'ready_at'>;

/** Subscriptions that may yet collect something. The others can't be changed, and needn't be. */
const COLLECTING = new Set(['active', 'trialing', 'past_due', 'unpaid']);

/** Whether collection is other than the box would have it: it failed and pays, or is ready and doesn't. */
export function isCollectionWrong(subscription: Stripe.Subscription, box: Pick<Box, 'status'>): boolean {
  if (box.status === 'failed') return planPause(subscription, '') !== undefined;
  return box.status === 'ready' && COLLECTING.has(subscription.status) && isPausedByUs(subscription);
}

/** What to ask of Stripe so that a box that failed costs nothing; undefined when there is nothing to do. */
export function planPause(
  subscription: Stripe.Subscription,
  boxId: string,
): Stripe.SubscriptionUpdateParams | undefined {
  if (!COLLECTING.has(subscription.status) || subscription.pause_collection !== null) return undefined;
  return { pause_collection: { behavior: 'void' }, metadata: { [PAUSED_FOR]: boxId } };
}

/**
 * What to ask of Stripe when a box is ready: to collect again, and to renew later by as long as the box was late.
 * @param since when the person's last box ended, if they had one
 * @param loadPaidUntil the end of the last period that was paid, in seconds since the epoch
 * @returns undefined when there is nothing to do
 */
export async function planResume(
  subscription: Stripe.Subscription,
  { box, since, now }: { box: Box; since: Date | undefined; now: Date },
  loadPaidUntil: () => Promise<number>,
): Promise<Stripe.SubscriptionUpdateParams | undefined> {
  if (!COLLECTING.has(subscription.status) || box.ready_at === null) return undefined;
  const plan: Stripe.SubscriptionUpdateParams = {};
  if (isPausedByUs(subscription)) Object.assign(plan, { pause_collection: '', metadata: { [PAUSED_FOR]: '' } });
  const waitingSince = Math.max(subscription.start_date, toSeconds(since));
  const delay = toSeconds(box.ready_at) - waitingSince;
  // Who owes us, owes us still: Stripe would call it a trial and forget.
  const mayMove = subscription.status === 'active' || subscription.status === 'trialing';
  if (mayMove && delay > ON_TIME_SECONDS && subscription.metadata[PAID_FROM] !== box.id) {
    // Not the end of the present period: nobody has paid for one that passed while collection was paused.
    const paidUntil = Math.max(await loadPaidUntil(), subscription.trial_end ?? 0);
    const renewal = Math.min(paidUntil + delay, subscription.billing_cycle_anchor + FURTHEST_SECONDS);
    if (paidUntil > waitingSince && renewal > toSeconds(now))
      Object.assign(plan, {
        trial_end: renewal,
        proration_behavior: 'none',
        metadata: { ...(plan.metadata as object | undefined), [PAID_FROM]: box.id },
      });
  }
  return Object.keys(plan).length === 0 ? undefined : plan;
}

function isPausedByUs(subscription: Stripe.Subscription): boolean {
  return subscription.pause_collection !== null && Boolean(subscription.metadata[PAUSED_FOR]);
}

function toSeconds(time: Date | undefined): number {
  return time === undefined ? 0 : Math.floor(time.getTime() / 1000);
}
