import { createId } from '../state.ts';
import type { Charge, Dispute } from '../state.ts';

/** How long evidence is taken; banks give one to three weeks. */
const EVIDENCE_SECONDS = 9 * 86_400;

/** The fields of evidence that nobody has filled in. */
const NO_EVIDENCE = Object.fromEntries(
  [
    'access_activity_log',
    'billing_address',
    'cancellation_policy',
    'cancellation_policy_disclosure',
    'cancellation_rebuttal',
    'customer_communication',
    'customer_purchase_ip',
    'customer_signature',
    'duplicate_charge_documentation',
    'duplicate_charge_explanation',
    'duplicate_charge_id',
    'product_description',
    'receipt',
    'refund_policy',
    'refund_policy_disclosure',
    'refund_refusal_explanation',
    'service_date',
    'service_documentation',
    'shipping_address',
    'shipping_carrier',
    'shipping_date',
    'shipping_documentation',
    'shipping_tracking_number',
    'uncategorized_file',
    'uncategorized_text',
  ].map((name) => [name, null]),
);

/** A dispute over a whole charge, waiting for evidence. */
export function createDispute(
  charge: Charge,
  fields: { reason: string; email: string | null; name: string | null },
  now: number,
): Dispute {
  const card = (charge['payment_method_details'] as { card: { brand: string } }).card;
  return {
    id: createId('du'),
    object: 'dispute',
    amount: charge.amount,
    balance_transactions: [],
    charge: charge.id,
    created: now,
    currency: charge.currency,
    enhanced_eligibility_types: [],
    evidence: {
      ...NO_EVIDENCE,
      customer_email_address: fields.email,
      customer_name: fields.name,
      enhanced_evidence: {},
    },
    evidence_details: {
      due_by: now + EVIDENCE_SECONDS,
      enhanced_eligibility: {},
      has_evidence: false,
      past_due: false,
      submission_count: 0,
      submission_method: 'not_submitted',
    },
    intended_submission_method: null,
    is_charge_refundable: false,
    livemode: false,
    metadata: {},
    payment_intent: charge.payment_intent,
    payment_method_details: {
      card: { brand: card.brand, case_type: 'chargeback', network: card.brand, network_reason_code: null },
      type: 'card',
    },
    reason: fields.reason,
    status: 'needs_response',
  };
}
