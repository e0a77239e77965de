import type Stripe from 'stripe';
import { foldSubscription } from '../billing/fold-subscription.ts';
import { listOpenCheckouts } from '../db/checkouts.ts';
import { listOpenSubscriptions, type SubscriptionRow } from '../db/subscriptions.ts';
import type { Deps } from '../deps.ts';
import { findAtStripe } from '../integrations/stripe-errors.ts';
import { cardExpires } from '../mail/messages.ts';
import { queueMail } from './queue-mail.ts';
import { syncCheckout } from './sync-checkout.ts';
import { syncSubscription } from './sync-subscription.ts';

type CompareDeps = Pick<Deps, 'db' | 'stripe' | 'boss' | 'now' | 'log' | 'config' | 'metrics'>;

const PAGE = 100;

/**
 * Compares what we know with what Stripe says, one by one: whatever a webhook should have told and didn't is found here. Also tells
 * people whose card will have expired when it is needed next.
 * @returns how many differed
 */
export async function compareStripe(deps: CompareDeps, signal: AbortSignal): Promise<number> {
  let found = 0;
  for (const checkout of await listOpenCheckouts(deps.db)) {
    signal.throwIfAborted();
    const before = checkout.status;
    const after = await deps.db.transaction((tx) => syncCheckout(deps, tx, checkout.stripe_session_id ?? ''));
    if (after !== undefined && after.status !== before && after.status !== 'expired') found += 1;
  }
  for (let after = '00000000-0000-0000-0000-000000000000'; ;) {
    const rows = await listOpenSubscriptions(deps.db, after, PAGE);
    for (const row of rows) {
      signal.throwIfAborted();
      if (await compareOne(deps, row)) found += 1;
      after = row.user_id;
    }
    if (rows.length < PAGE) break;
  }
  if (found > 0) deps.log.warn({ found }, 'Stripe knew something that no webhook had told');
  deps.metrics.stripeDifferences.inc(found);
  return found;
}

async function compareOne(deps: CompareDeps, row: SubscriptionRow): Promise<boolean> {
  const id = row.stripe_subscription_id;
  if (id === null) return false;
  const subscription = await findAtStripe('read a subscription', () =>
    deps.stripe.subscriptions.retrieve(id, { expand: ['default_payment_method'] }),
  );
  if (subscription === undefined) {
    deps.log.error({ user_id: row.user_id, subscription_id: id }, 'Stripe does not know a subscription of ours');
    return false;
  }
  await watchCard(deps, row, subscription);
  const facts = foldSubscription(subscription);
  const isSame =
    facts.status === row.status &&
    facts.plan === row.plan &&
    facts.expires_at?.getTime() === row.expires_at?.getTime() &&
    facts.cancel_at?.getTime() === row.cancel_at?.getTime();
  if (isSame) return false;
  await deps.db.transaction((tx) => syncSubscription(deps, tx, id));
  return true;
}

/** A card is good until the end of its month. One mail for each card. */
async function watchCard(deps: CompareDeps, row: SubscriptionRow, subscription: Stripe.Subscription): Promise<void> {
  const method = subscription.default_payment_method;
  const card = typeof method === 'object' ? method?.card : undefined;
  if (
    !card ||
    typeof method !== 'object' ||
    row.expires_at === null ||
    row.status !== 'active' ||
    row.cancel_at !== null
  )
    return;
  const goodUntil = new Date(Date.UTC(card.exp_year, card.exp_month, 1));
  const renewsAt = row.expires_at;
  if (renewsAt < goodUntil) return;
  await deps.db.transaction((tx) =>
    queueMail(deps, tx, {
      to: { userId: row.user_id },
      kind: 'card_expires',
      key: `card_expires:${row.user_id}:${method?.id}:${card.exp_year}-${card.exp_month}`,
      message: cardExpires({ baseUrl: deps.config.BASE_URL, last4: card.last4, renewsAt }),
    }),
  );
}
