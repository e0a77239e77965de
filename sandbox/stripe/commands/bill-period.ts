import type { Change } from '../account.ts';
import { createInvoice } from '../objects/invoice.ts';
import type { Invoice, Subscription } from '../state.ts';

/** Stripe's test card that can be saved and then declines every later charge. */
export const CARD_THAT_FAILS_LATER = '4000000000000341';

/** Stripe tries a failed renewal again after some days; three is the first step of its smart retries. */
const RETRY_SECONDS = 3 * 86_400;

/**
 * Bills the present period of a subscription: an invoice, paid by its card or left open, which makes it past due. For a new
 * subscription `customer.subscription.created` is emitted in between, as Stripe does.
 */
export function billPeriod(
  { state, now, emit }: Change,
  subscription: Subscription,
  reason: 'subscription_create' | 'subscription_cycle',
): Invoice {
  const customer = state.customers[subscription.customer];
  if (customer === undefined) throw new Error(`Subscription ${subscription.id} belongs to no customer`);
  const paid = reason === 'subscription_create' || state.cards[subscription.id] !== CARD_THAT_FAILS_LATER;
  const nextAttempt = paid ? null : now + RETRY_SECONDS;
  const invoice = createInvoice({ customer, subscription, reason, paid, nextAttempt }, now);
  customer.next_invoice_sequence += 1;
  state.invoices[invoice.id] = invoice;
  const before = { status: subscription.status, latest_invoice: subscription['latest_invoice'] };
  Object.assign(subscription, { latest_invoice: invoice.id, status: paid ? 'active' : 'past_due' });
  if (reason === 'subscription_create') emit('customer.subscription.created', subscription);
  else emit('customer.subscription.updated', subscription, before);
  emit('invoice.created', invoice);
  emit('invoice.finalized', invoice);
  for (const type of paid ? ['invoice.paid', 'invoice.payment_succeeded'] : ['invoice.payment_failed'])
    emit(type, invoice);
  return invoice;
}
