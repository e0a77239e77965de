import type { Change } from '../account.ts';
import { refuseMissing, refuseParam } from '../errors.ts';
import { formatAmount } from '../format-amount.ts';
import { createRefund } from '../objects/refund.ts';
import { mergeMetadata } from '../params.ts';
import type { Charge, Refund, StripeState } from '../state.ts';

export interface RefundFields {
  charge?: string;
  payment_intent?: string;
  amount?: number;
  reason?: string;
  metadata?: Record<string, string>;
}

/** POST /v1/refunds: gives back a charge, or part of it. Refuses what was given back already and more than is left. */
export function refundCharge(outer: Change, fields: RefundFields): Refund {
  const charge = findCharge(outer.state, fields);
  const { state, now, emit } = outer.of(charge.customer);
  if (charge.status === 'failed')
    throw refuseParam(`Charge ${charge.id} is not paid: it cannot be refunded.`, 'charge');
  const left = charge.amount - charge.amount_refunded;
  if (charge.refunded)
    throw refuseParam(`Charge ${charge.id} has already been refunded.`, undefined, 'charge_already_refunded');
  if (charge.disputed)
    throw refuseParam(
      `Charge ${charge.id} has been charged back; cannot issue a refund.`,
      undefined,
      'charge_disputed',
    );
  const amount = fields.amount ?? left;
  if (amount < 1) throw refuseParam('Invalid positive integer', 'amount', 'parameter_invalid_integer');
  if (amount > left) {
    const [asked, rest] = [amount, left].map((one) => formatAmount(one, charge.currency));
    const message = `Refund amount (${asked}) is greater than ${charge.amount_refunded > 0 ? 'unrefunded amount on charge' : 'charge amount'} (${rest})`;
    throw refuseParam(message, 'amount');
  }
  const metadata = mergeMetadata({}, fields.metadata);
  const refund = createRefund(charge, { amount, reason: fields.reason, metadata }, now);
  state.refunds[refund.id] = refund;
  const before = { amount_refunded: charge.amount_refunded, refunded: charge.refunded };
  charge.amount_refunded += amount;
  charge.refunded = charge.amount_refunded === charge.amount;
  emit('refund.created', refund);
  emit('charge.refunded', charge, charge.refunded ? before : { amount_refunded: before.amount_refunded });
  return refund;
}

function findCharge(state: StripeState, { charge: id, payment_intent: intentId }: RefundFields): Charge {
  if ((id === undefined) === (intentId === undefined))
    throw refuseParam('One of the following params should be provided for this request: payment_intent or charge.');
  if (id !== undefined) {
    const charge = state.charges[id];
    if (charge === undefined) throw refuseMissing('charge', id, 'charge');
    return charge;
  }
  const intent = state.payment_intents[intentId ?? ''];
  if (intent === undefined) throw refuseMissing('payment_intent', intentId ?? '', 'payment_intent');
  const charge = state.charges[intent.latest_charge ?? ''];
  if (charge === undefined || charge.status === 'failed')
    throw refuseParam('This PaymentIntent does not have a successful charge to refund.', 'payment_intent');
  return charge;
}
