import type { Change } from '../account.ts';
import { refuseMissing, refuseParam } from '../errors.ts';
import { createDispute } from '../objects/dispute.ts';
import type { Dispute, StripeState } from '../state.ts';

/** Finds a dispute, or throws Stripe's 404. */
export function findDispute(state: StripeState, id = ''): Dispute {
  const dispute = state.disputes[id];
  if (dispute === undefined) throw refuseMissing('dispute', id);
  return dispute;
}

/** As if a customer had gone to the bank: the whole charge is taken back until the dispute is won. */
export function disputeCharge(outer: Change, id: string, reason: string): Dispute {
  const charge = outer.state.charges[id];
  if (charge === undefined) throw refuseMissing('charge', id);
  if (charge.disputed || charge.status === 'failed')
    throw refuseParam('Only a charge that was paid and has no dispute can be disputed.', 'charge');
  const { state, now, emit } = outer.of(charge.customer);
  const customer = state.customers[charge.customer];
  const dispute = createDispute(charge, { reason, email: customer?.email ?? null, name: customer?.name ?? null }, now);
  state.disputes[dispute.id] = dispute;
  charge.disputed = true;
  emit('charge.dispute.created', dispute);
  return dispute;
}

/** The bank's verdict. */
export function closeDispute(outer: Change, id: string, status: 'won' | 'lost'): Dispute {
  const dispute = findDispute(outer.state, id);
  if (dispute.status === 'won' || dispute.status === 'lost') throw refuseParam('This dispute is already closed.');
  const before = dispute.status;
  dispute.status = status;
  dispute['is_charge_refundable'] = false;
  outer.of(outer.state.charges[dispute.charge]?.customer).emit('charge.dispute.closed', dispute, { status: before });
  return dispute;
}
