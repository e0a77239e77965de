import { inventKey } from '../keys.ts';

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
}

export interface Invoice extends StripeObject {
  customer: string;
  status: string;
  parent: {
    subscription_details: { subscription: string; metadata: Record<string, string> };
    [field: string]: unknown;
  };
  status_transitions: { paid_at: number | null; [field: string]: unknown };
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

/** The first answer to a request with an Idempotency-Key. */
export interface KeptAnswer {
  fingerprint: string;
  status: number;
  body: unknown;
  created: number;
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
  /** The test card that pays for a subscription, by its id. */
  cards: Record<string, string>;
  invoices: Record<string, Invoice>;
  events: Record<string, StripeEvent>;
  webhook_endpoints: Record<string, WebhookEndpoint>;
  endpoint_secrets: Record<string, string>;
  deliveries: Record<string, Delivery>;
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
    cards: {},
    invoices: {},
    events: {},
    webhook_endpoints: {},
    endpoint_secrets: {},
    deliveries: {},
    idempotency: {},
  };
}

/** A new id with the prefix of its kind, 24 letters and digits as Stripe's are. */
export function createId(prefix: string): string {
  return inventKey(`${prefix}_`, 24);
}
