import { createId } from '../state.ts';
import type { CheckoutSession, Price } from '../state.ts';

/** Given to a session that isn't told when to end; Stripe allows 30 minutes to 24 hours. */
export const SESSION_SECONDS = { default: 24 * 3600, min: 30 * 60, max: 24 * 3600 } as const;

export interface CheckoutFields {
  lines: { price: Price; quantity: number }[];
  success_url: string;
  cancel_url?: string;
  customer?: string;
  customer_email?: string;
  client_reference_id?: string;
  metadata?: Record<string, string>;
  expires_at?: number;
  allow_promotion_codes?: boolean;
  billing_address_collection?: string;
  locale?: string;
  submit_type?: string;
  payment_method_collection?: string;
}

/** An open, hosted session of mode `subscription`. `payPage` is the address of its page. */
export function createCheckoutSession(
  fields: CheckoutFields,
  now: number,
  payPage: (id: string) => string,
): CheckoutSession {
  const id = createId('cs_test');
  const total = fields.lines.reduce((sum, line) => sum + line.price.unit_amount * line.quantity, 0);
  return {
    id,
    object: 'checkout.session',
    adaptive_pricing: null,
    after_expiration: null,
    allow_promotion_codes: fields.allow_promotion_codes ?? null,
    allowed_payment_method_types: null,
    amount_subtotal: total,
    amount_total: total,
    automatic_tax: { enabled: false, liability: null, provider: null, status: null },
    billing_address_collection: fields.billing_address_collection ?? null,
    cancel_url: fields.cancel_url ?? null,
    client_reference_id: fields.client_reference_id ?? null,
    client_secret: null,
    collected_information: null,
    consent: null,
    consent_collection: null,
    created: now,
    currency: fields.lines[0]?.price.currency ?? 'usd',
    currency_conversion: null,
    custom_fields: [],
    custom_text: { after_submit: null, shipping_address: null, submit: null, terms_of_service_acceptance: null },
    customer: fields.customer ?? null,
    customer_account: null,
    customer_creation: fields.customer === undefined ? 'always' : null,
    customer_details: null,
    customer_email: fields.customer_email ?? null,
    discounts: [],
    expires_at: fields.expires_at ?? now + SESSION_SECONDS.default,
    integration_identifier: null,
    invoice: null,
    invoice_creation: null,
    livemode: false,
    locale: fields.locale ?? null,
    managed_payments: { enabled: false },
    metadata: fields.metadata ?? {},
    mode: 'subscription',
    origin_context: null,
    payment_intent: null,
    payment_link: null,
    payment_method_collection: fields.payment_method_collection ?? 'always',
    payment_method_configuration_details: null,
    payment_method_options: { card: { request_three_d_secure: 'automatic' } },
    payment_method_types: ['card'],
    payment_status: 'unpaid',
    permissions: null,
    phone_number_collection: { enabled: false },
    recovered_from: null,
    saved_payment_method_options: {
      allow_redisplay_filters: ['always'],
      payment_method_remove: 'disabled',
      payment_method_save: null,
    },
    setup_intent: null,
    shipping_address_collection: null,
    shipping_cost: null,
    shipping_options: [],
    status: 'open',
    submit_type: fields.submit_type ?? null,
    subscription: null,
    success_url: fields.success_url,
    total_details: { amount_discount: 0, amount_shipping: 0, amount_tax: 0 },
    ui_mode: 'hosted_page',
    url: payPage(id),
    wallet_options: null,
  };
}

/** One line of a checkout, as GET …/line_items lists it. */
export function createLineItem(
  id: string,
  price: Price,
  quantity: number,
  description: string,
): Record<string, unknown> {
  const amount = price.unit_amount * quantity;
  return {
    id,
    object: 'item',
    adjustable_quantity: null,
    amount_discount: 0,
    amount_subtotal: amount,
    amount_tax: 0,
    amount_total: amount,
    currency: price.currency,
    description,
    metadata: {},
    price,
    quantity,
  };
}
