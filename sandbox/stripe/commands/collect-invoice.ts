import type { Change } from '../account.ts';
import { createCharge } from '../objects/charge.ts';
import { createInvoicePayment, createPaymentIntent } from '../objects/payment-intent.ts';
import { findDecline, type Decline } from '../objects/test-cards.ts';
import type { Invoice, InvoicePayment, PaymentIntent, StripeState } from '../state.ts';

/** How long after each failed attempt a renewal is tried again; after the last there is no other. */
const RETRY_DAYS = [3, 5, 7];

export interface Collection {
  /** The payment method to charge; the subscription's own when left out. */
  method?: string;
  /** Made by Stripe itself, by its schedule; what a person asks for doesn't move that. */
  automatic: boolean;
}

/**
 * Charges an open invoice. It is paid, or stays open with the reason in its payment intent and in the answer. Changes objects
 * and emits nothing: whoever calls tells the story in Stripe's order.
 */
export function collectInvoice(change: Change, invoice: Invoice, collection: Collection): Decline | undefined {
  if (invoice.amount_due === 0) return settle(invoice, change.now);
  const { state, now } = change;
  const { intent, payment } = openPayment(change, invoice, collection.method ?? findMethod(state, invoice));
  const method = state.payment_methods[collection.method ?? findMethod(state, invoice) ?? ''];
  // The card that fails later pays for what it is saved with.
  const decline =
    method === undefined
      ? NO_CARD
      : invoice.billing_reason === 'subscription_create' && invoice.attempt_count === 0
        ? undefined
        : findDecline(state.card_numbers[method.id]);
  if (method !== undefined) {
    const charge = createCharge(intent, method, decline, now);
    state.charges[charge.id] = charge;
    Object.assign(intent, { latest_charge: charge.id, payment_method: decline === undefined ? method.id : null });
  }
  invoice.attempted = true;
  if (collection.automatic || invoice.attempt_count === 0) invoice.attempt_count += 1;
  if (decline !== undefined) {
    Object.assign(intent, {
      status: 'requires_payment_method',
      last_payment_error: {
        ...decline,
        type: 'card_error',
        charge: intent.latest_charge,
        payment_method: method ?? null,
      },
    });
    if (collection.automatic) planRetry(invoice, now);
    return decline;
  }
  Object.assign(intent, { status: 'succeeded', amount_received: intent.amount, last_payment_error: null });
  Object.assign(payment, { status: 'paid', amount_paid: intent.amount });
  payment['status_transitions'] = { canceled_at: null, paid_at: now };
  return settle(invoice, now);
}

const NO_CARD: Decline = {
  code: 'resource_missing',
  message:
    'There is no `default_payment_method` set on this Customer or Invoice. Please set a default payment method on the ' +
    'Customer or Invoice and try again.',
};

function settle(invoice: Invoice, now: number): undefined {
  const paid = { status: 'paid', auto_advance: false, attempted: true, next_payment_attempt: null };
  Object.assign(invoice, paid, { amount_paid: invoice.amount_due, amount_remaining: 0 });
  invoice.status_transitions.paid_at = now;
}

function planRetry(invoice: Invoice, now: number): void {
  const days = RETRY_DAYS[invoice.attempt_count - 1];
  invoice.next_payment_attempt = days === undefined ? null : now + days * 86_400;
  invoice.auto_advance = days !== undefined;
}

/** The intent that collects an invoice: the one from earlier attempts, or a new one. */
function openPayment(
  { state, now }: Change,
  invoice: Invoice,
  method: string | null,
): { intent: PaymentIntent; payment: InvoicePayment } {
  const payment = Object.values(state.invoice_payments).find((one) => one.invoice === invoice.id);
  const known = payment && state.payment_intents[payment.payment.payment_intent];
  if (payment !== undefined && known !== undefined) return { intent: known, payment };
  const intent = createPaymentIntent(invoice, method, now);
  const made = createInvoicePayment(invoice, intent, now);
  state.payment_intents[intent.id] = intent;
  state.invoice_payments[made.id] = made;
  return { intent, payment: made };
}

/** The card that an invoice is charged to: its subscription's, or else its customer's. */
export function findMethod(state: StripeState, invoice: Invoice): string | null {
  const subscription = state.subscriptions[invoice.parent.subscription_details.subscription];
  const settings = state.customers[invoice.customer]?.['invoice_settings'] as
    | { default_payment_method: string | null }
    | undefined;
  return subscription?.default_payment_method ?? settings?.default_payment_method ?? null;
}
