import { createRehearsal, type Account } from '../account.ts';
import { refuseMissing, StripeError } from '../errors.ts';
import { inventKey } from '../../keys.ts';
import type { Invoice, StripeState } from '../state.ts';
import { billPeriod, findWaitingItems } from './bill-period.ts';
import { changeSubscription, findSubscription, type SubscriptionChanges } from './change-subscription.ts';
import { renew } from './pass-time.ts';

export interface PreviewFields {
  subscription: string;
  customer?: string;
  changes: Pick<SubscriptionChanges, 'items' | 'proration_behavior' | 'proration_date' | 'cancel_at_period_end'>;
}

/**
 * The invoice that would come next: of the change when it is billed at once, else of the renewal. It is really made, on a copy
 * of everything, so that its numbers are those that will be billed.
 */
export function previewInvoice(account: Account, { subscription: id, customer, changes }: PreviewFields): object {
  const change = createRehearsal(account.state, Math.floor(account.clock.now().getTime() / 1000));
  const subscription = findSubscription(change, id, 'subscription');
  if (customer !== undefined && subscription.customer !== customer)
    throw refuseMissing('subscription', id, 'subscription');
  const before = subscription.latest_invoice;
  subscription.pause_collection = null;
  changeSubscription(change, id, changes);
  if (subscription.latest_invoice !== before) return describePreview(change.state, subscription.latest_invoice);
  const end = Math.min(...subscription.items.data.map((item) => item.current_period_end));
  if (!subscription.cancel_at_period_end) return describePreview(change.state, renew(change.at(end), subscription).id);
  if (findWaitingItems(change.state, id).length === 0)
    throw new StripeError(404, {
      type: 'invalid_request_error',
      code: 'invoice_upcoming_none',
      message: `No upcoming invoices for customer: '${subscription.customer}'`,
    });
  const last = billPeriod(change.at(end), subscription, { reason: 'subscription_cycle', periods: 'left_out' });
  return describePreview(change.state, last.id);
}

/** A preview has no id that anything else knows, no number, and nothing of it is paid yet. */
function describePreview(state: StripeState, made: string | null): object {
  const invoice: Invoice | undefined = state.invoices[made ?? ''];
  if (invoice === undefined) throw new Error('A preview made no invoice');
  const id = inventKey('upcoming_in_', 24);
  return {
    ...invoice,
    id,
    amount_paid: 0,
    amount_remaining: invoice.amount_due,
    attempt_count: 0,
    attempted: false,
    auto_advance: true,
    effective_at: null,
    lines: {
      ...invoice.lines,
      data: invoice.lines.data.map((line) => ({ ...line, invoice: id })),
      url: `/v1/invoices/${id}/lines`,
    },
    next_payment_attempt: invoice.created,
    number: null,
    status: 'draft',
    status_transitions: { finalized_at: null, marked_uncollectible_at: null, paid_at: null, voided_at: null },
  };
}
