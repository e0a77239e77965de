import type { SubscriptionStatus } from '../../contract/billing.ts';
import type { SubscriptionRow } from '../db/subscriptions.ts';
import type { SubscriptionFacts } from './fold-subscription.ts';

/** How long a box and all that is on it are kept when nothing is paid any more. */
export const GRACE_DAYS = 7;
/** So many days before its data is deleted a person is told; the first of these is when the grace period begins. */
export const WARNING_DAYS = [7, 3, 1] as const;
const DAY_MS = 86_400_000;

/** What becomes of a box. `run`: it serves; `stop`: its machine is off and its disk kept; `delete`: machine and data are given up. */
export type Fate = 'run' | 'stop' | 'delete';

/** What is destroyed when: the one table of it. docs/operations.md shows the same rows. */
export const FATES: Record<SubscriptionStatus, { means: string; first: Fate; later: Fate }> = {
  active: { means: 'Paid.', first: 'run', later: 'run' },
  past_due: { means: 'A payment has failed, and Stripe goes on trying.', first: 'run', later: 'stop' },
  cancelled: { means: 'The subscription has ended.', first: 'run', later: 'stop' },
  expired: { means: 'The grace period is over.', first: 'delete', later: 'delete' },
};

/**
 * Which state can follow which. A subscription that Stripe has ended never comes back: its owner subscribes anew. From `active` straight
 * to `expired` leads one way alone: its owner deletes the account.
 */
export const EDGES: Record<SubscriptionStatus, readonly SubscriptionStatus[]> = {
  active: ['past_due', 'cancelled', 'expired'],
  past_due: ['active', 'cancelled', 'expired'],
  cancelled: ['active', 'expired'],
  expired: ['active'],
};

/** The columns of a subscription that decide over a box. */
export type Life = Pick<SubscriptionRow, 'status' | 'grace_started_at' | 'suspends_at' | 'grace_ends_at'>;

/** What becomes of a person's box at `now`. */
export function decideFate({ status, suspends_at: suspendsAt }: Life, now: Date): Fate {
  const { first, later } = FATES[status];
  return suspendsAt !== null && suspendsAt <= now ? later : first;
}

/**
 * What follows from what Stripe says now. A grace period begins when we learn of it and not when it happened, so that a message that
 * was late takes no day from anybody; and as long as nothing is paid its dates stay. It ends in `expireLife` alone.
 * @param present the same person's row as it is; undefined before the first
 */
export function nextLife(
  present: Life | undefined,
  facts: Pick<SubscriptionFacts, 'status'>,
  { now, suspendAfterDays }: { now: Date; suspendAfterDays: number },
): Life {
  if (facts.status === 'active') return { status: 'active', ...NO_GRACE };
  // It was over before Stripe had ended it, or the first payment never came: there is nothing left to keep.
  if (present?.status === 'expired' || (present === undefined && facts.status === 'expired'))
    return { status: 'expired', ...NO_GRACE };
  const status = facts.status === 'expired' || present?.status === 'cancelled' ? 'cancelled' : facts.status;
  if (present?.grace_ends_at != null) return { ...pickGrace(present), status };
  return {
    status,
    grace_started_at: now,
    suspends_at: addDays(now, Math.min(suspendAfterDays, GRACE_DAYS)),
    grace_ends_at: addDays(now, GRACE_DAYS),
  };
}

/** The end of the grace period: machine and data are given up. */
export function expireLife(): Life {
  return { status: 'expired', ...NO_GRACE };
}

const NO_GRACE = { grace_started_at: null, suspends_at: null, grace_ends_at: null };

function pickGrace({ grace_started_at, suspends_at, grace_ends_at }: Life): Omit<Life, 'status'> {
  return { grace_started_at, suspends_at, grace_ends_at };
}

/** How many whole or begun days are left of the grace period. */
export function daysLeft(graceEndsAt: Date, now: Date): number {
  return Math.max(0, Math.ceil((graceEndsAt.getTime() - now.getTime()) / DAY_MS));
}

export function addDays(date: Date, days: number): Date {
  return new Date(date.getTime() + days * DAY_MS);
}
