import type { Change } from '../account.ts';
import { createInvoice, type InvoiceReason } from '../objects/invoice.ts';
import { createPeriodLine, createProrationLine, type InvoiceLine } from '../objects/invoice-line.ts';
import type { InvoiceItem, Invoice, StripeState, Subscription } from '../state.ts';
import { collectInvoice } from './collect-invoice.ts';
import { emitUpdate } from './emit-update.ts';
import { moveBalance } from './move-balance.ts';
import { voidInvoice } from './void-invoice.ts';

/** Events of an invoice once it is finalized. */
const EVENTS: Record<Invoice['status'], string[]> = {
  paid: ['invoice.paid', 'invoice.payment_succeeded'],
  open: ['invoice.payment_failed'],
  void: ['invoice.voided'],
};

export interface Bill {
  reason: InvoiceReason;
  /** Of the items' periods: at their price, as a trial, or not at all, which leaves the prorations that wait. */
  periods: 'charged' | 'free' | 'left_out';
  /** The subscription before the change that is billed; it's the bill that tells of a renewal, before its invoice, as Stripe does. */
  before?: Subscription;
}

/**
 * Bills a subscription: an invoice, paid by its card or left open, which makes it past due, or voided at once while
 * collection is paused. Prorations that wait come with it.
 */
export function billPeriod(change: Change, subscription: Subscription, bill: Bill): Invoice {
  const { state, now, emit } = change;
  const customer = state.customers[subscription.customer];
  if (customer === undefined) throw new Error(`Subscription ${subscription.id} belongs to no customer`);
  const waiting = findWaitingItems(state, subscription.id);
  const lines: InvoiceLine[] = [
    ...waiting.map((item) => createProrationLine(subscription, item)),
    ...(bill.periods === 'left_out' ? [] : subscription.items.data).map((item) =>
      createPeriodLine(subscription, item, bill.periods === 'free'),
    ),
  ];
  const invoice = createInvoice({ customer, subscription, reason: bill.reason, lines }, now);
  customer.next_invoice_sequence += 1;
  state.invoices[invoice.id] = invoice;
  for (const item of waiting) item.invoice = invoice.id;
  subscription.latest_invoice = invoice.id;
  moveBalance(change, customer.id, invoice.ending_balance - invoice.starting_balance);
  if (subscription.pause_collection !== null && bill.reason === 'subscription_cycle') voidInvoice(change, invoice);
  else collectInvoice(change, invoice, { automatic: true });
  subscription.status = followStatus(state, subscription, bill, invoice);
  if (bill.reason === 'subscription_create') emit('customer.subscription.created', subscription);
  else if (bill.before !== undefined) emitUpdate(change, 'customer.subscription.updated', bill.before, subscription);
  emit('invoice.created', invoice);
  emit('invoice.finalized', invoice);
  for (const type of EVENTS[invoice.status]) emit(type, invoice);
  return invoice;
}

/** The prorations that the next invoice of a subscription takes along. */
export function findWaitingItems(state: StripeState, subscription: string): InvoiceItem[] {
  return Object.values(state.invoice_items).filter((item) => item.subscription === subscription && !item.invoice);
}

/** True while any invoice of a subscription asks for money. */
export function hasOpenInvoice(state: StripeState, subscription: string): boolean {
  return Object.values(state.invoices).some(
    (one) => one.status === 'open' && one.parent.subscription_details.subscription === subscription,
  );
}

/** A voided invoice leaves the status as it was; only a trial is over when it is over. */
function followStatus(
  state: StripeState,
  { id, status }: Subscription,
  bill: Bill,
  invoice: Invoice,
): Subscription['status'] {
  if (bill.periods === 'free') return status;
  if (invoice.status === 'open') return 'past_due';
  // A change that costs nothing doesn't make good what a renewal still asks for.
  if (bill.reason === 'subscription_update')
    return status === 'past_due' && !hasOpenInvoice(state, id) ? 'active' : status;
  return invoice.status === 'void' && status !== 'trialing' ? status : 'active';
}
