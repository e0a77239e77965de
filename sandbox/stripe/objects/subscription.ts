import { addMonths } from '../../schedule.ts';
import { createId } from '../state.ts';
import type { Interval, Price, Subscription, SubscriptionItem } from '../state.ts';

/** The end of a billing period that starts at `start`, in seconds. */
export function endOfPeriod(start: number, interval: Interval, count: number): number {
  if (interval === 'day' || interval === 'week') return start + count * (interval === 'day' ? 1 : 7) * 86_400;
  return Math.floor(addMonths(new Date(start * 1000), count * (interval === 'year' ? 12 : 1)).getTime() / 1000);
}

function createItem(subscription: string, price: Price, quantity: number, now: number): SubscriptionItem {
  const { interval, interval_count: count } = price.recurring ?? { interval: 'month', interval_count: 1 };
  return {
    id: createId('si'),
    object: 'subscription_item',
    billing_thresholds: null,
    created: now,
    current_period_end: endOfPeriod(now, interval, count),
    current_period_start: now,
    current_trial: null,
    discounts: [],
    metadata: {},
    price,
    quantity,
    subscription,
    tax_rates: [],
  };
}

export interface SubscriptionFields {
  customer: string;
  lines: { price: Price; quantity: number }[];
  metadata: Record<string, string>;
  description: string | null;
  payment_method: string;
  test_clock: string | null;
}

/** An active subscription that begins now. Since basil the billing period is told by its items, not by itself. */
export function createSubscription(fields: SubscriptionFields, now: number): Subscription {
  const id = createId('sub');
  return {
    id,
    object: 'subscription',
    application: null,
    application_fee_percent: null,
    automatic_tax: { disabled_reason: null, enabled: false, liability: null },
    billing_cycle_anchor: now,
    billing_cycle_anchor_config: null,
    billing_mode: { type: 'flexible', flexible: { proration_discounts: 'included' }, updated_at: now },
    billing_schedules: [],
    billing_thresholds: null,
    cancel_at: null,
    cancel_at_period_end: false,
    canceled_at: null,
    cancellation_details: { comment: null, feedback: null, feedback_option: null, reason: null },
    collection_method: 'charge_automatically',
    created: now,
    currency: fields.lines[0]?.price.currency ?? 'usd',
    customer: fields.customer,
    customer_account: null,
    days_until_due: null,
    default_payment_method: fields.payment_method,
    default_source: null,
    default_tax_rates: [],
    description: fields.description,
    discounts: [],
    ended_at: null,
    invoice_settings: {
      account_tax_ids: null,
      custom_fields: null,
      description: null,
      footer: null,
      issuer: { type: 'self' },
    },
    items: {
      object: 'list',
      data: fields.lines.map(({ price, quantity }) => createItem(id, price, quantity, now)),
      has_more: false,
      url: `/v1/subscription_items?subscription=${id}`,
    },
    latest_invoice: null,
    livemode: false,
    managed_payments: { enabled: false },
    metadata: fields.metadata,
    next_pending_invoice_item_invoice: null,
    on_behalf_of: null,
    pause_collection: null,
    payment_settings: { payment_method_options: null, payment_method_types: null, save_default_payment_method: 'off' },
    pending_invoice_item_interval: null,
    pending_setup_intent: null,
    pending_update: null,
    schedule: null,
    start_date: now,
    status: 'active',
    test_clock: fields.test_clock,
    transfer_data: null,
    trial_end: null,
    trial_settings: { end_behavior: { missing_payment_method: 'create_invoice' } },
    trial_start: null,
  };
}
