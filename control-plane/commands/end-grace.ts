import { WARNING_DAYS, addDays, daysLeft } from '../billing/life.ts';
import { foldSubscription } from '../billing/fold-subscription.ts';
import type { Db } from '../db/connect.ts';
import { lockInTransaction } from '../db/locks.ts';
import { findMailByKey } from '../db/mails.ts';
import { findSubscription, updateSubscription, type SubscriptionRow } from '../db/subscriptions.ts';
import { findBoxOfUser } from '../db/user-vps.ts';
import type { Deps } from '../deps.ts';
import { findAtStripe } from '../integrations/stripe-errors.ts';
import { deletionAhead } from '../mail/messages.ts';
import { queueMail } from './queue-mail.ts';
import { decideSettlement } from './settle.ts';
import { syncSubscription } from './sync-subscription.ts';
import { expireSubscription } from './write-life.ts';

type GraceDeps = Pick<Deps, 'db' | 'stripe' | 'boss' | 'now' | 'log' | 'config'>;

/** The last warning must be so old before anything is deleted. */
const LAST_WARNING_DAYS = 1;

/**
 * Tells a person whose grace period runs how long it still does, and ends it when it is over. Nothing is deleted that they were not
 * warned of a day before: a warning that comes late, since no worker ran, moves the end.
 */
export async function watchGrace(deps: GraceDeps, userId: string): Promise<void> {
  const row = await findSubscription(deps.db, userId);
  if (row?.grace_ends_at == null) return;
  await warn(deps, row);
  const now = deps.now();
  if (row.grace_ends_at > now) return;
  const last = await findMailByKey(deps.db, warningKey(row, LAST_WARNING_DAYS));
  const earliest = addDays(last?.created_at ?? now, LAST_WARNING_DAYS);
  if (earliest <= now) await endGrace(deps, userId);
  else await deps.db.transaction((tx) => updateSubscription(tx, userId, { grace_ends_at: earliest }, now));
}

/** The one warning that fits: of several that are due only the most urgent is sent. Nobody without a box is warned of its end. */
async function warn(deps: GraceDeps, row: SubscriptionRow): Promise<void> {
  if (row.grace_ends_at === null) return;
  const left = daysLeft(row.grace_ends_at, deps.now());
  const days = WARNING_DAYS.toReversed().find((one) => left <= one);
  // The first is the mail that says why.
  if (days === undefined || days === WARNING_DAYS[0]) return;
  const graceEndsAt = row.grace_ends_at;
  await deps.db.transaction(async (tx) => {
    if ((await findBoxOfUser(tx, row.user_id)) === undefined && days !== LAST_WARNING_DAYS) return;
    await queueMail(deps, tx, {
      to: { userId: row.user_id },
      kind: 'deletion_ahead',
      key: warningKey(row, days),
      message: deletionAhead({ baseUrl: deps.config.BASE_URL, graceEndsAt, days }),
    });
  });
}

function warningKey(row: SubscriptionRow, days: number): string {
  return `deletion_ahead:${row.user_id}:${row.grace_started_at?.toISOString()}:${days}`;
}

/**
 * The grace period is over: Stripe is asked once more whether really nothing was paid, and then the box is given up. While Stripe
 * doesn't answer nothing is.
 */
async function endGrace(deps: GraceDeps, userId: string): Promise<void> {
  await deps.db.transaction(async (tx) => {
    const row = await lockRow(tx, userId);
    if (row?.grace_ends_at == null || row.grace_ends_at > deps.now()) return;
    const id = row.stripe_subscription_id;
    const atStripe =
      id === null
        ? undefined
        : await findAtStripe('read your subscription', () => deps.stripe.subscriptions.retrieve(id));
    const status = atStripe === undefined ? 'cancelled' : foldSubscription(atStripe).status;
    if (id !== null && status === 'active') return syncSubscription(deps, tx, id);
    if (id !== null && status === 'past_due')
      await decideSettlement(deps, tx, { subscriptionId: id, userId, reason: 'grace_over' });
    await expireSubscription(deps, tx, row);
  });
}

/** Under the locks of syncSubscription, in its order. */
async function lockRow(tx: Db, userId: string): Promise<SubscriptionRow | undefined> {
  const seen = await findSubscription(tx, userId);
  if (seen?.stripe_subscription_id != null) await lockInTransaction(tx, `subscription:${seen.stripe_subscription_id}`);
  await lockInTransaction(tx, `user-subscription:${userId}`);
  const row = await findSubscription(tx, userId);
  return row?.stripe_subscription_id === seen?.stripe_subscription_id ? row : undefined;
}
