import { createId } from '../state.ts';
import type { Charge, Refund } from '../state.ts';

export function createRefund(
  charge: Charge,
  fields: { amount: number; reason?: string; metadata?: Record<string, string> },
  now: number,
): Refund {
  return {
    id: createId('re'),
    object: 'refund',
    amount: fields.amount,
    balance_transaction: createId('txn'),
    charge: charge.id,
    created: now,
    currency: charge.currency,
    customer: charge.customer,
    customer_account: null,
    destination_details: {
      card: { reference_status: 'pending', reference_type: 'acquirer_reference_number', type: 'refund' },
      type: 'card',
    },
    metadata: fields.metadata ?? {},
    payment_intent: charge.payment_intent,
    payment_method: charge.payment_method,
    reason: fields.reason ?? null,
    receipt_number: null,
    source_transfer_reversal: null,
    status: 'succeeded',
    transfer_reversal: null,
  };
}
