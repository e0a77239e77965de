import { createHash } from 'node:crypto';
import { createId } from '../state.ts';
import type { PaymentMethod } from '../state.ts';
import { brandOf } from './test-cards.ts';

export interface CardFields {
  number: string;
  exp_month: number;
  exp_year: number;
}

export interface Holder {
  customer: string;
  email: string | null;
  name: string | null;
}

/** A saved card. Its fingerprint is the same for the same number, whoever saves it. */
export function createPaymentMethod(card: CardFields, holder: Holder, now: number): PaymentMethod {
  const brand = brandOf(card.number);
  return {
    id: createId('pm'),
    object: 'payment_method',
    allow_redisplay: 'limited',
    billing_details: { address: NO_ADDRESS, email: holder.email, name: holder.name, phone: null, tax_id: null },
    card: {
      brand,
      checks: { address_line1_check: null, address_postal_code_check: null, cvc_check: 'pass' },
      country: 'US',
      display_brand: brand === 'amex' ? 'american_express' : brand,
      exp_month: card.exp_month,
      exp_year: card.exp_year,
      fingerprint: createHash('sha256').update(`card ${card.number}`).digest('hex').slice(0, 16),
      funding: card.number === '4000056655665556' ? 'debit' : 'credit',
      generated_from: null,
      last4: card.number.slice(-4),
      networks: { available: [brand], preferred: null },
      regulated_status: 'unregulated',
      three_d_secure_usage: { supported: true },
      wallet: null,
    },
    created: now,
    customer: holder.customer,
    customer_account: null,
    livemode: false,
    metadata: {},
    type: 'card',
  };
}

const NO_ADDRESS = { city: null, country: null, line1: null, line2: null, postal_code: null, state: null };
