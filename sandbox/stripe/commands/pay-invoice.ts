import type { Account, Change } from '../account.ts';
import { refuseMissing, refuseParam, StripeError } from '../errors.ts';
import type { Invoice, StripeState } from '../state.ts';
import { hasOpenInvoice } from './bill-period.ts';
import { collectInvoice, findMethod, type Collection } from './collect-invoice.ts';
import { endSubscription } from './end-subscription.ts';
import { emitUpdate } from './emit-update.ts';
import { voidInvoice } from './void-invoice.ts';

/** Finds an invoice, or throws Stripe's 404. */
export function findInvoice(state: StripeState, id = ''): Invoice {
  const invoice = state.invoices[id];
  if (invoice === undefined) throw refuseMissing('invoice', id);
  return invoice;
}

/**
 * Charges an open invoice because somebody asks for it: POST /v1/invoices/{id}/pay. Throws Stripe's 402 when the card is
 * declined; the attempt and its events are kept.
 */
export function payInvoice(account: Account, id: string, method?: string): Invoice {
  const invoice = findInvoice(account.state, id);
  if (invoice.status === 'paid') throw refuseParam('Invoice is already paid');
  if (invoice.status === 'void') throw refuseParam('You can only pay an open invoice. This invoice is void.');
  if (method !== undefined && account.state.payment_methods[method]?.customer !== invoice.customer)
    throw refuseMissing('PaymentMethod', method, 'payment_method');
  const decline = account.change((change) =>
    tryInvoice(change.of(invoice.customer), invoice, { method, automatic: false }),
  );
  if (decline === undefined) return invoice;
  const { code, decline_code: reason, message } = decline;
  if (reason === undefined && code === 'resource_missing') throw refuseParam(message, undefined, code);
  throw new StripeError(402, { type: 'card_error', code, decline_code: reason, message });
}

/** Tries an open invoice again along the schedule, and ends its subscription when that was the last time. */
export function retryInvoice(change: Change, invoice: Invoice): void {
  const decline = tryInvoice(change, invoice, { automatic: true });
  const subscription = invoice.parent.subscription_details.subscription;
  if (decline === undefined || invoice.next_payment_attempt !== null) return;
  if (change.state.subscriptions[subscription]?.status === 'canceled') return;
  endSubscription(change, subscription, { reason: 'payment_failed' });
}

/** POST /v1/invoices/{id}/void. */
export function voidOpenInvoice(change: Change, id: string): Invoice {
  const invoice = findInvoice(change.state, id);
  if (invoice.status !== 'open')
    throw refuseParam(`You can only pass in open invoices. This invoice isn't open; its status is ${invoice.status}.`);
  voidInvoice(change.of(invoice.customer), invoice);
  change.of(invoice.customer).emit('invoice.voided', invoice);
  return invoice;
}

function tryInvoice(change: Change, invoice: Invoice, collection: Collection): ReturnType<typeof collectInvoice> {
  const { state, emit } = change;
  const subscription = state.subscriptions[invoice.parent.subscription_details.subscription];
  const method = collection.method ?? findMethod(state, invoice) ?? undefined;
  const decline = collectInvoice(change, invoice, { ...collection, method });
  if (decline === undefined && subscription !== undefined) {
    const before = structuredClone(subscription);
    const isBehind = subscription.status === 'past_due' || subscription.status === 'unpaid';
    const isLast = subscription.latest_invoice === invoice.id || !hasOpenInvoice(state, subscription.id);
    if (isBehind && isLast) subscription.status = 'active';
    emitUpdate(change, 'customer.subscription.updated', before, subscription);
  }
  for (const type of decline === undefined ? ['invoice.paid', 'invoice.payment_succeeded'] : ['invoice.payment_failed'])
    emit(type, invoice);
  return decline;
}
