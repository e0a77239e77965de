import { createId } from '../state.ts';
import type { Charge, PaymentIntent, PaymentMethod } from '../state.ts';
import type { Decline } from './test-cards.ts';

/** One attempt to take an intent's money from a card, and how it went. */
export function createCharge(
  intent: PaymentIntent,
  method: PaymentMethod,
  decline: Decline | undefined,
  now: number,
): Charge {
  const paid = decline === undefined;
  return {
    id: createId('ch'),
    object: 'charge',
    amount: intent.amount,
    amount_captured: paid ? intent.amount : 0,
    amount_refunded: 0,
    application: null,
    application_fee: null,
    application_fee_amount: null,
    balance_transaction: paid ? createId('txn') : null,
    billing_details: method.billing_details,
    calculated_statement_descriptor: 'SPOQ SANDBOX',
    captured: paid,
    created: now,
    currency: String(intent['currency']),
    customer: intent.customer,
    description: intent['description'],
    disputed: false,
    failure_balance_transaction: null,
    failure_code: decline?.code ?? null,
    failure_message: decline?.message ?? null,
    fraud_details: {},
    livemode: false,
    metadata: {},
    on_behalf_of: null,
    outcome: describeOutcome(decline),
    paid,
    payment_intent: intent.id,
    payment_method: method.id,
    payment_method_details: { card: describeCard(method, intent.amount), type: 'card' },
    receipt_email: null,
    receipt_number: null,
    receipt_url: null,
    refunded: false,
    review: null,
    shipping: null,
    source: null,
    source_transfer: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status: paid ? 'succeeded' : 'failed',
    transfer_data: null,
    transfer_group: null,
  };
}

function describeOutcome(decline: Decline | undefined): object {
  return {
    advice_code: null,
    network_advice_code: null,
    network_decline_code: null,
    network_status: decline === undefined ? 'approved_by_network' : 'declined_by_network',
    reason: decline === undefined ? null : (decline.decline_code ?? decline.code),
    risk_level: 'normal',
    risk_score: 30,
    seller_message:
      decline === undefined ? 'Payment complete.' : 'The bank did not return any further details with this decline.',
    type: decline === undefined ? 'authorized' : 'issuer_declined',
  };
}

function describeCard({ card }: PaymentMethod, amount: number): object {
  return {
    amount_authorized: amount,
    authorization_code: null,
    brand: card.brand,
    checks: card['checks'],
    country: card['country'],
    electronic_commerce_indicator: null,
    exp_month: card.exp_month,
    exp_year: card.exp_year,
    extended_authorization: { status: 'disabled' },
    fingerprint: card['fingerprint'],
    funding: card.funding,
    incremental_authorization: { status: 'unavailable' },
    installments: null,
    last4: card.last4,
    mandate: null,
    multicapture: { status: 'unavailable' },
    network: card.brand,
    network_token: { used: false },
    network_transaction_id: null,
    overcapture: { maximum_amount_capturable: amount, status: 'unavailable' },
    regulated_status: card['regulated_status'],
    three_d_secure: null,
    transaction_link_id: null,
    wallet: null,
  };
}
