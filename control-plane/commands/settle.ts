import type Stripe from 'stripe';
import { fromKnex } from 'pg-boss';
import type { Db } from '../db/connect.ts';
import {
  findSettlement,
  insertSettlement,
  updateSettlement,
  type SettlementReason,
  type SettlementRow,
} from '../db/settlements.ts';
import { findCheckout } from '../db/checkouts.ts';
import type { Deps } from '../deps.ts';
import { askStripe, findAtStripe } from '../integrations/stripe-errors.ts';
import { QUEUES, type SettleJob } from '../jobs/queues.ts';
import { moneyReturned } from '../mail/messages.ts';
import { recordAudit } from './audit.ts';
import { sendIfLeaving } from './leaving.ts';
import { queueMail } from './queue-mail.ts';

type AskDeps = Pick<Deps, 'boss' | 'now'>;
type SettleDeps = Pick<Deps, 'db' | 'stripe' | 'boss' | 'now' | 'log' | 'config'>;

export interface Settlement {
  subscriptionId: string;
  userId: string | null;
  checkoutId?: string;
  reason: SettlementReason;
  /** What is paid after this goes back; when left out, what is paid from now on. */
  since?: Date;
}

/** For these everything that was paid goes back; for the others what is paid after we have decided, and nobody gets anything for. */
const REFUNDED: readonly SettlementReason[] = ['unclaimed', 'paid_twice', 'no_box'];
/** The bank has the money already. */
const NOT_REFUNDED: readonly SettlementReason[] = ['disputed'];

/**
 * Writes down that a subscription is to be ended at Stripe, and why, and asks for the job that does it: with the rows of `tx`, so that
 * what was decided is never forgotten. Deciding it again changes nothing.
 */
export async function decideSettlement(deps: AskDeps, tx: Db, settlement: Settlement): Promise<boolean> {
  const { subscriptionId, userId, checkoutId, reason, since = deps.now() } = settlement;
  const row = await insertSettlement(tx, {
    stripe_subscription_id: subscriptionId,
    user_id: userId,
    checkout_id: checkoutId ?? null,
    reason,
    refund: !NOT_REFUNDED.includes(reason),
    refund_since: REFUNDED.includes(reason) ? null : since,
    created_at: deps.now(),
  });
  if (row !== undefined) await sendSettleJob(deps, tx, row.id);
  return row !== undefined;
}

export async function sendSettleJob(deps: Pick<Deps, 'boss'>, tx: Db, id: string): Promise<void> {
  const job: SettleJob = { settlement_id: id };
  await deps.boss.send(QUEUES.settle, job, { db: fromKnex(tx), singletonKey: id });
}

/**
 * Carries one out: the subscription is ended, so that nothing more is collected, then the money goes back. Every call may be repeated.
 * @param attempt differs from one attempt to the next: Stripe would repeat an answer, a failure too, to a key that it knows
 * @param onEnded is called in the transaction that notes it as done
 * @throws SpoqError `upstream_failed` or `upstream_refused`
 */
export async function settle(
  deps: SettleDeps,
  id: string,
  attempt: string,
  onEnded: (tx: Db, subscriptionId: string) => Promise<void>,
): Promise<void> {
  const row = await findSettlement(deps.db, id);
  if (row === undefined || row.done_at !== null) return;
  await endAtStripe(deps, row, attempt);
  const { amount, currency } = row.refund ? await giveBack(deps, row) : { amount: 0, currency: null };
  await deps.db.transaction(async (tx) => {
    await onEnded(tx, row.stripe_subscription_id);
    await updateSettlement(tx, id, { done_at: deps.now(), refunded_amount: amount, currency });
    if (currency !== null && amount > 0) await tellRefund(deps, tx, row, amount, currency);
    if (row.user_id !== null) await sendIfLeaving(deps, tx, row.user_id);
    await recordAudit(tx, {
      at: deps.now(),
      actor: 'system',
      user_id: row.user_id,
      action: 'subscription.settled',
      detail: { subscription_id: row.stripe_subscription_id, reason: row.reason, refunded_amount: amount, currency },
    });
  });
}

async function endAtStripe(deps: SettleDeps, row: SettlementRow, attempt: string): Promise<void> {
  const id = row.stripe_subscription_id;
  const subscription = await findAtStripe('read a subscription', () => deps.stripe.subscriptions.retrieve(id));
  if (subscription === undefined || ['canceled', 'incomplete_expired'].includes(subscription.status)) return;
  const options = { idempotencyKey: `settle-${row.id}-${attempt}` };
  await askStripe('end a subscription', () =>
    deps.stripe.subscriptions.cancel(id, { invoice_now: false, prorate: false }, options),
  );
}

/** Gives back what remains of every payment that the settlement is about. What was given back before counts too. */
async function giveBack(deps: SettleDeps, row: SettlementRow): Promise<{ amount: number; currency: string | null }> {
  const { stripe } = deps;
  let amount = 0;
  let currency: string | null = null;
  for (const invoice of await listPaidInvoices(deps, row)) {
    const payments = await askStripe('read a payment', () =>
      stripe.invoicePayments.list({ invoice: invoice.id, status: 'paid', limit: 100 }),
    );
    for (const { payment } of payments.data) {
      const intent = idOf(payment.payment_intent);
      if (intent === undefined) continue;
      amount += await refundIntent(deps, row, intent);
      currency = invoice.currency;
    }
  }
  return { amount, currency };
}

async function listPaidInvoices(deps: SettleDeps, row: SettlementRow): Promise<Stripe.Invoice[]> {
  const subscription = row.stripe_subscription_id;
  const { data } = await askStripe('read the invoices', () =>
    deps.stripe.invoices.list({ subscription, status: 'paid', limit: 100 }),
  );
  const since = row.refund_since === null ? 0 : Math.floor(row.refund_since.getTime() / 1000);
  return data.filter((invoice) => invoice.amount_paid > 0 && (invoice.status_transitions.paid_at ?? 0) >= since);
}

/** Answers how much of a payment this settlement has given back, at this attempt or an earlier one. */
async function refundIntent(deps: SettleDeps, row: SettlementRow, intent: string): Promise<number> {
  const { stripe } = deps;
  const [payment, refunds] = await askStripe('read a payment', () =>
    Promise.all([
      stripe.paymentIntents.retrieve(intent, { expand: ['latest_charge'] }),
      stripe.refunds.list({ payment_intent: intent, limit: 100 }),
    ]),
  );
  const counted = refunds.data.filter(({ status }) => status !== 'failed' && status !== 'canceled');
  const sum = (list: Stripe.Refund[]) => list.reduce((total, one) => total + one.amount, 0);
  const remaining = payment.amount_received - sum(counted);
  const ours = sum(counted.filter(({ metadata }) => metadata?.['settlement_id'] === row.id));
  if (remaining <= 0 || isDisputed(payment)) return ours;
  await askStripe('give money back', () =>
    stripe.refunds.create(
      { payment_intent: intent, amount: remaining, metadata: { settlement_id: row.id } },
      { idempotencyKey: `refund-${row.id}-${intent}-${remaining}` },
    ),
  );
  return ours + remaining;
}

/** Its bank has the money already, or will say whose it is: Stripe refuses to give it back a second time. */
function isDisputed({ latest_charge: charge }: Stripe.PaymentIntent): boolean {
  return typeof charge === 'object' && charge !== null && charge.disputed;
}

async function tellRefund(
  deps: SettleDeps,
  tx: Db,
  row: SettlementRow,
  amount: number,
  currency: string,
): Promise<void> {
  const { reason } = row;
  if (reason !== 'unclaimed' && reason !== 'paid_twice' && reason !== 'no_box') return;
  const checkout = row.checkout_id === null ? undefined : await findCheckout(tx, row.checkout_id);
  const to = row.user_id === null ? { email: checkout?.email ?? null } : { userId: row.user_id };
  const message = moneyReturned({ baseUrl: deps.config.BASE_URL, reason, amount, currency });
  await queueMail(deps, tx, { to, kind: 'money_returned', key: `money_returned:${row.id}`, message });
}

function idOf(value: string | { id: string } | null | undefined): string | undefined {
  return typeof value === 'object' ? value?.id : value;
}
