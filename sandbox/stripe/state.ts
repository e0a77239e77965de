import { inventKey } from '../keys.ts';
import type { KeptAnswer } from './idempotency.ts';

/** Any object of Stripe's API, whole, as it is answered. */
export interface StripeObject {
  id: string;
  object: string;
  created: number;
  [field: string]: unknown;
}

export interface List<T> {
  object: 'list';
  data: T[];
  has_more: boolean;
  url: string;
}

export interface Price extends StripeObject {
  active: boolean;
  currency: string;
  lookup_key: string | null;
  product: string;
  type: string;
  unit_amount: number;
  recurring: { interval: Interval; interval_count: number; meter: null; usage_type: string } | null;
}
export type Interval = 'day' | 'week' | 'month' | 'year';

export interface Customer extends StripeObject {
  email: string | null;
  name: string | null;
  metadata: Record<string, string>;
  /** Below zero is credit that later invoices draw on, above zero is owed on the next one. */
  balance: number;
  next_invoice_sequence: number;
  invoice_prefix: string;
}

export interface SubscriptionItem extends StripeObject {
  price: Price;
  quantity: number;
  current_period_start: number;
  current_period_end: number;
}

/** In the words of Stripe's document. */
export const SUBSCRIPTION_STATUSES = [
  'active',
  'canceled',
  'incomplete',
  'incomplete_expired',
  'past_due',
  'paused',
  'trialing',
  'unpaid',
] as const;

export interface Subscription extends StripeObject {
  customer: string;
  status: (typeof SUBSCRIPTION_STATUSES)[number];
  cancel_at: number | null;
  cancel_at_period_end: boolean;
  pause_collection: { behavior: 'void'; resumes_at: null } | null;
  billing_cycle_anchor: number;
  trial_end: number | null;
  metadata: Record<string, string>;
  items: List<SubscriptionItem>;
  currency: string;
  default_payment_method: string | null;
  latest_invoice: string | null;
}

export interface Invoice extends StripeObject {
  customer: string;
  status: 'open' | 'paid' | 'void';
  billing_reason: string;
  currency: string;
  total: number;
  amount_due: number;
  amount_paid: number;
  amount_remaining: number;
  attempt_count: number;
  attempted: boolean;
  auto_advance: boolean;
  next_payment_attempt: number | null;
  starting_balance: number;
  ending_balance: number;
  lines: List<Record<string, unknown>>;
  parent: {
    subscription_details: { subscription: string; metadata: Record<string, string> };
    [field: string]: unknown;
  };
  status_transitions: { paid_at: number | null; [field: string]: unknown };
}

export interface PaymentMethod extends StripeObject {
  customer: string | null;
  billing_details: Record<string, unknown>;
  card: {
    brand: string;
    last4: string;
    exp_month: number;
    exp_year: number;
    funding: string;
    [field: string]: unknown;
  };
}

export interface PaymentIntent extends StripeObject {
  amount: number;
  customer: string;
  latest_charge: string | null;
  status: string;
}

/** What ties an invoice to the payment intent that collects it. */
export interface InvoicePayment extends StripeObject {
  invoice: string;
  amount_requested: number;
  payment: { type: 'payment_intent'; payment_intent: string };
  status: 'open' | 'paid' | 'canceled';
}

export interface Charge extends StripeObject {
  amount: number;
  amount_refunded: number;
  currency: string;
  customer: string;
  disputed: boolean;
  payment_intent: string;
  payment_method: string;
  refunded: boolean;
  status: 'succeeded' | 'failed';
}

export interface Refund extends StripeObject {
  amount: number;
  charge: string;
  payment_intent: string;
}

export interface Dispute extends StripeObject {
  charge: string;
  payment_intent: string;
  status: string;
}

/** Part of a price that waits for the subscription's next invoice. */
export interface InvoiceItem extends StripeObject {
  amount: number;
  currency: string;
  customer: string;
  description: string;
  invoice: string | null;
  period: { start: number; end: number };
  price: Price;
  quantity: number;
  subscription: string;
  subscription_item: string;
}

interface PortalFlow {
  type: string;
  after_completion: { redirect: { return_url: string } | null; [field: string]: unknown };
  [field: string]: unknown;
}

export interface PortalSession extends StripeObject {
  customer: string;
  /** What the page is opened for; null shows everything. */
  flow: PortalFlow | null;
  return_url: string | null;
}

export interface TestClock extends StripeObject {
  frozen_time: number;
  status: 'ready' | 'advancing';
  status_details: { advancing?: { target_frozen_time: number } };
}

export interface CheckoutSession extends StripeObject {
  status: 'open' | 'complete' | 'expired';
  payment_status: 'paid' | 'unpaid' | 'no_payment_required';
  customer: string | null;
  customer_email: string | null;
  subscription: string | null;
  expires_at: number;
  success_url: string;
  cancel_url: string | null;
  metadata: Record<string, string>;
  currency: string;
  amount_total: number;
}

export interface WebhookEndpoint extends StripeObject {
  url: string;
  enabled_events: string[];
  status: string;
  api_version: string | null;
}

export interface StripeEvent extends StripeObject {
  type: string;
  data: { object: StripeObject; previous_attributes?: Record<string, unknown> };
  pending_webhooks: number;
}

/** One event on its way to one endpoint, with every attempt. */
export interface Delivery {
  id: string;
  event: string;
  event_type: string;
  endpoint: string;
  url: string;
  state: 'pending' | 'delivered' | 'failed';
  /** Milliseconds since the epoch of the sandbox's clock; null once it is settled. */
  next_attempt_at: number | null;
  attempts: { at: string; status: number | null; error: string | null; ms: number }[];
}

/** What a checkout was asked for beyond what its object shows. */
export interface CheckoutPlan {
  items: { id: string; price: string; quantity: number }[];
  subscription_metadata: Record<string, string>;
  subscription_description: string | null;
}

export interface StripeState {
  secret_key: string;
  webhook_secret: string;
  customers: Record<string, Customer>;
  products: Record<string, StripeObject & { name: string; active: boolean }>;
  prices: Record<string, Price>;
  checkout_sessions: Record<string, CheckoutSession>;
  checkout_plans: Record<string, CheckoutPlan>;
  subscriptions: Record<string, Subscription>;
  /** State files of before 2026-12 only: the number of the test card that pays for a subscription, by its id. */
  cards?: Record<string, string>;
  payment_methods: Record<string, PaymentMethod>;
  /** The whole number of each card, by its payment method; the API shows the last four digits. */
  card_numbers: Record<string, string>;
  invoices: Record<string, Invoice>;
  invoice_items: Record<string, InvoiceItem>;
  invoice_payments: Record<string, InvoicePayment>;
  payment_intents: Record<string, PaymentIntent>;
  charges: Record<string, Charge>;
  refunds: Record<string, Refund>;
  disputes: Record<string, Dispute>;
  portal_sessions: Record<string, PortalSession>;
  test_clocks: Record<string, TestClock>;
  events: Record<string, StripeEvent>;
  webhook_endpoints: Record<string, WebhookEndpoint>;
  endpoint_secrets: Record<string, string>;
  deliveries: Record<string, Delivery>;
  /** True while events are recorded and not sent. */
  webhooks_held: boolean;
  idempotency: Record<string, KeptAnswer>;
}

export function createStripeState(): StripeState {
  return {
    secret_key: inventKey('sk_test_sandbox', 24),
    webhook_secret: inventKey('whsec_sandbox', 24),
    customers: {},
    products: {},
    prices: {},
    checkout_sessions: {},
    checkout_plans: {},
    subscriptions: {},
    payment_methods: {},
    card_numbers: {},
    invoices: {},
    invoice_items: {},
    invoice_payments: {},
    payment_intents: {},
    charges: {},
    refunds: {},
    disputes: {},
    portal_sessions: {},
    test_clocks: {},
    events: {},
    webhook_endpoints: {},
    endpoint_secrets: {},
    deliveries: {},
    webhooks_held: false,
    idempotency: {},
  };
}

/** A new id with the prefix of its kind, 24 letters and digits as Stripe's are. */
export function createId(prefix: string): string {
  return inventKey(`${prefix}_`, 24);
}
