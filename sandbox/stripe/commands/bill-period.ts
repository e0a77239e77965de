import type { Change } from '../account.ts';
import { createInvoice, type InvoiceReason } from '../objects/invoice.ts';
import type { Invoice, Subscription } from '../state.ts';

/** Stripe's test card that can be saved and then declines every later charge. */
export const CARD_THAT_FAILS_LATER = '4000000000000341';

/** Stripe tries a failed renewal again after some days; three is the first step of its smart retries. */
const RETRY_SECONDS = 3 * 86_400;

type Outcome = 'paid' | 'open' | 'void';

/** Events of an invoice once it is finalized. */
const EVENTS: Record<Outcome, string[]> = {
  paid: ['invoice.paid', 'invoice.payment_succeeded'],
  open: ['invoice.payment_failed'],
  void: ['invoice.voided'],
};

/**
 * Bills the present period of a subscription: an invoice, paid by its card or left open, which makes it past due, or voided at
 * once while collection is paused. `subscription_update` is the free period of a trial. The event of the subscription itself
 * comes first, as Stripe's does.
 */
export function billPeriod({ state, now, emit }: Change, subscription: Subscription, reason: InvoiceReason): Invoice {
  const customer = state.customers[subscription.customer];
  if (customer === undefined) throw new Error(`Subscription ${subscription.id} belongs to no customer`);
  const outcome = tellOutcome(subscription, reason, state.cards[subscription.id]);
  const nextAttempt = outcome === 'open' ? now + RETRY_SECONDS : null;
  const invoice = createInvoice({ customer, subscription, reason, status: outcome, nextAttempt }, now);
  customer.next_invoice_sequence += 1;
  state.invoices[invoice.id] = invoice;
  const before = { status: subscription.status, latest_invoice: subscription['latest_invoice'] };
  subscription['latest_invoice'] = invoice.id;
  if (reason === 'subscription_create') emit('customer.subscription.created', subscription);
  // Whoever changes a subscription tells so.
  else if (reason === 'subscription_cycle') {
    subscription.status = outcome === 'open' ? 'past_due' : followStatus(subscription.status, outcome);
    emit('customer.subscription.updated', subscription, before);
  }
  emit('invoice.created', invoice);
  emit('invoice.finalized', invoice);
  for (const type of EVENTS[outcome]) emit(type, invoice);
  return invoice;
}

function tellOutcome(subscription: Subscription, reason: InvoiceReason, card: string | undefined): Outcome {
  if (reason !== 'subscription_cycle') return 'paid';
  if (subscription.pause_collection !== null) return 'void';
  return card === CARD_THAT_FAILS_LATER ? 'open' : 'paid';
}

/** A voided invoice leaves the status as it was; only a trial is over when it is over. */
function followStatus(status: Subscription['status'], outcome: Outcome): Subscription['status'] {
  return outcome === 'void' && status !== 'trialing' ? status : 'active';
}
