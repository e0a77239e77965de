import { createId } from '../state.ts';
import type { Customer, Invoice, Subscription } from '../state.ts';
import type { InvoiceLine } from './invoice-line.ts';

/** `subscription_update`: a trial begins, which costs nothing, or prorations are billed at once. */
export type InvoiceReason = 'subscription_create' | 'subscription_cycle' | 'subscription_update';

export interface InvoiceFields {
  customer: Customer;
  subscription: Subscription;
  reason: InvoiceReason;
  lines: InvoiceLine[];
}

/** Amounts under this (in cents) aren't charged: they wait in the customer's balance. Stripe's minimum for dollars. */
export const SMALLEST_CHARGE = 50;

/** A finalized, open invoice over some lines. What the customer's balance holds has been taken into account. */
export function createInvoice(fields: InvoiceFields, now: number): Invoice {
  const { customer, subscription } = fields;
  const id = createId('in');
  const total = fields.lines.reduce((sum, line) => sum + line.amount, 0);
  const sum = total + customer.balance;
  const due = sum < SMALLEST_CHARGE ? 0 : sum;
  const period = subscription.items.data[0] ?? { current_period_start: now };
  // The first invoice looks back on nothing: its period is the moment of signing up. Lines look ahead.
  const start = fields.reason !== 'subscription_cycle' ? now : period.current_period_start;
  return {
    id,
    object: 'invoice',
    account_country: 'US',
    account_name: 'Spoq sandbox',
    account_tax_ids: null,
    amount_due: due,
    amount_overpaid: 0,
    amount_paid: 0,
    amount_paid_off_stripe: 0,
    amount_remaining: due,
    amount_shipping: 0,
    application: null,
    attempt_count: 0,
    attempted: false,
    auto_advance: true,
    automatic_tax: { disabled_reason: null, enabled: false, liability: null, provider: null, status: null },
    automatically_finalizes_at: null,
    billing_reason: fields.reason,
    collection_method: 'charge_automatically',
    created: now,
    currency: subscription.currency,
    custom_fields: null,
    customer: customer.id,
    customer_account: null,
    customer_address: null,
    customer_email: customer.email,
    customer_name: customer.name,
    customer_phone: null,
    customer_shipping: null,
    customer_tax_exempt: 'none',
    customer_tax_ids: [],
    default_payment_method: null,
    default_source: null,
    default_tax_rates: [],
    description: null,
    discounts: [],
    due_date: null,
    effective_at: now,
    ending_balance: sum - due,
    footer: null,
    from_invoice: null,
    hosted_invoice_url: null,
    invoice_pdf: null,
    issuer: { type: 'self' },
    last_finalization_error: null,
    latest_revision: null,
    lines: {
      object: 'list',
      data: fields.lines.map((line) => ({ ...line, invoice: id })),
      has_more: false,
      url: `/v1/invoices/${id}/lines`,
    },
    livemode: false,
    metadata: {},
    next_payment_attempt: null,
    number: `${customer.invoice_prefix}-${String(customer.next_invoice_sequence).padStart(4, '0')}`,
    on_behalf_of: null,
    parent: {
      quote_details: null,
      subscription_details: { metadata: subscription.metadata, subscription: subscription.id },
      type: 'subscription_details',
    },
    payment_settings: { default_mandate: null, payment_method_options: null, payment_method_types: null },
    period_end: now,
    period_start: start,
    post_payment_credit_notes_amount: 0,
    pre_payment_credit_notes_amount: 0,
    receipt_number: null,
    rendering: null,
    shipping_cost: null,
    shipping_details: null,
    starting_balance: customer.balance,
    statement_descriptor: null,
    status: 'open',
    status_transitions: {
      finalized_at: now,
      marked_uncollectible_at: null,
      paid_at: null,
      voided_at: null,
    },
    subtotal: total,
    subtotal_excluding_tax: total,
    test_clock: customer['test_clock'],
    total,
    total_discount_amounts: [],
    total_excluding_tax: total,
    total_pretax_credit_amounts: [],
    total_taxes: [],
    webhooks_delivered_at: null,
  };
}
