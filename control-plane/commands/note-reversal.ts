import { findUserOfCustomer } from '../db/checkouts.ts';
import type { Db } from '../db/connect.ts';
import { findSubscriptionOfPayment } from '../integrations/stripe-payments.ts';
import { findAtStripe } from '../integrations/stripe-errors.ts';
import { refundMade } from '../mail/messages.ts';
import { recordAudit } from './audit.ts';
import { queueMail } from './queue-mail.ts';
import { decideSettlement } from './settle.ts';
import { findCheckoutBySubscription } from '../db/checkouts.ts';
import type { SyncDeps } from './sync-subscription.ts';

/**
 * A payment is disputed: the bank has the money, so the subscription ends now. The box is switched off, and its data is kept for the
 * grace period: it may be a mistake. A dispute that was won brings nothing back by itself; its owner subscribes anew.
 */
export async function noteDispute(deps: SyncDeps, tx: Db, disputeId: string): Promise<void> {
  const dispute = await findAtStripe('read a dispute', () => deps.stripe.disputes.retrieve(disputeId));
  const intent = idOf(dispute?.payment_intent);
  if (dispute === undefined || intent === undefined) return;
  const subscriptionId = await findSubscriptionOfPayment(deps, intent);
  if (subscriptionId === undefined) return;
  const checkout = await findCheckoutBySubscription(tx, subscriptionId);
  const userId = checkout?.user_id ?? null;
  const isOver = dispute.status === 'won' || dispute.status === 'lost';
  const isNew = !isOver && (await decideSettlement(deps, tx, { subscriptionId, userId, reason: 'disputed' }));
  if (!isNew && !isOver) return;
  await recordAudit(tx, {
    at: deps.now(),
    actor: 'system',
    user_id: userId,
    action: isOver ? 'payment.dispute_closed' : 'payment.disputed',
    detail: {
      dispute_id: dispute.id,
      subscription_id: subscriptionId,
      amount: dispute.amount,
      outcome: dispute.status,
    },
  });
}

/** Money went back that we haven't given back ourselves: somebody did at Stripe. Box and subscription stay as Stripe says they are. */
export async function noteRefund(deps: SyncDeps, tx: Db, chargeId: string): Promise<void> {
  const charge = await findAtStripe('read a payment', () => deps.stripe.charges.retrieve(chargeId));
  if (charge === undefined) return;
  const refunds = await findAtStripe('read a refund', () =>
    deps.stripe.refunds.list({ charge: charge.id, limit: 100 }),
  );
  const others = refunds?.data.filter(({ metadata }) => metadata?.['settlement_id'] === undefined) ?? [];
  const customer = idOf(charge.customer);
  const userId = customer === undefined ? undefined : await findUserOfCustomer(tx, customer);
  if (others.length === 0 || userId === undefined) return;
  const amount = others.reduce((sum, one) => sum + one.amount, 0);
  const message = refundMade({ baseUrl: deps.config.BASE_URL, amount, currency: charge.currency });
  await queueMail(deps, tx, {
    to: { userId },
    kind: 'refund_made',
    key: `refund_made:${charge.id}:${amount}`,
    message,
  });
  await recordAudit(tx, {
    at: deps.now(),
    actor: 'system',
    user_id: userId,
    action: 'payment.refunded',
    detail: { charge_id: charge.id, amount, currency: charge.currency },
  });
}

function idOf(value: string | { id: string } | null | undefined): string | undefined {
  return typeof value === 'string' ? value : value?.id;
}
