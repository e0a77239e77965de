import { createId } from '../state.ts';
import type { Customer, Invoice, Subscription, SubscriptionItem } from '../state.ts';

/** `subscription_update`: a trial begins, which costs nothing. */
export type InvoiceReason = 'subscription_create' | 'subscription_cycle' | 'subscription_update';

export interface InvoiceFields {
  customer: Customer;
  subscription: Subscription;
  reason: InvoiceReason;
  status: 'paid' | 'open' | 'void';
  /** When Stripe will try again to collect; null when it won't. */
  nextAttempt: number | null;
}

/** The invoice of a subscription's present period, finalized, and paid, still open or voided. */
export function createInvoice(fields: InvoiceFields, now: number): Invoice {
  const { customer, subscription, status } = fields;
  const paid = status === 'paid';
  const free = fields.reason === 'subscription_update';
  const id = createId('in');
  const items = subscription.items.data;
  const total = items.reduce((sum, item) => sum + amountOf(item, free), 0);
  const period = items[0] ?? { current_period_start: now, current_period_end: now };
  // The first invoice looks back on nothing: its period is the moment of signing up. Lines look ahead.
  const start = fields.reason !== 'subscription_cycle' ? now : period.current_period_start;
  return {
    id,
    object: 'invoice',
    account_country: 'US',
    account_name: 'Spoq sandbox',
    account_tax_ids: null,
    amount_due: total,
    amount_overpaid: 0,
    amount_paid: paid ? total : 0,
    amount_paid_off_stripe: 0,
    amount_remaining: paid ? 0 : total,
    amount_shipping: 0,
    application: null,
    attempt_count: status === 'void' || free ? 0 : 1,
    attempted: status !== 'void',
    auto_advance: status === 'open',
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
    ending_balance: 0,
    footer: null,
    from_invoice: null,
    hosted_invoice_url: null,
    invoice_pdf: null,
    issuer: { type: 'self' },
    last_finalization_error: null,
    latest_revision: null,
    lines: {
      object: 'list',
      data: items.map((item) => createLine(id, subscription, item, free)),
      has_more: false,
      url: `/v1/invoices/${id}/lines`,
    },
    livemode: false,
    metadata: {},
    next_payment_attempt: fields.nextAttempt,
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
    starting_balance: 0,
    statement_descriptor: null,
    status,
    status_transitions: {
      finalized_at: now,
      marked_uncollectible_at: null,
      paid_at: paid ? now : null,
      voided_at: status === 'void' ? now : null,
    },
    subtotal: total,
    subtotal_excluding_tax: total,
    test_clock: null,
    total,
    total_discount_amounts: [],
    total_excluding_tax: total,
    total_pretax_credit_amounts: [],
    total_taxes: [],
    webhooks_delivered_at: null,
  };
}

function amountOf(item: SubscriptionItem, free: boolean): number {
  return free ? 0 : item.price.unit_amount * item.quantity;
}

function createLine(
  invoice: string,
  subscription: Subscription,
  item: SubscriptionItem,
  free: boolean,
): Record<string, unknown> {
  const amount = amountOf(item, free);
  return {
    id: createId('il'),
    object: 'line_item',
    amount,
    currency: item.price.currency,
    description: `${free ? 'Trial period for ' : ''}${item.quantity} × ${item.price.nickname ?? item.price.lookup_key ?? item.price.id}`,
    discount_amounts: [],
    discountable: true,
    discounts: [],
    invoice,
    livemode: false,
    metadata: subscription.metadata,
    parent: {
      invoice_item_details: null,
      subscription_item_details: {
        invoice_item: null,
        proration: false,
        proration_details: { credited_items: null },
        subscription: subscription.id,
        subscription_item: item.id,
      },
      type: 'subscription_item_details',
    },
    period: { end: item.current_period_end, start: item.current_period_start },
    pretax_credit_amounts: [],
    pricing: {
      price_details: { price: item.price.id, product: item.price.product },
      type: 'price_details',
      unit_amount_decimal: free ? '0' : String(item.price.unit_amount),
    },
    quantity: item.quantity,
    quantity_decimal: String(item.quantity),
    subscription: subscription.id,
    subtotal: amount,
    taxes: [],
  };
}
