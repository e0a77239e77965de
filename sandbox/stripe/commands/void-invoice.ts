import type { Change } from '../account.ts';
import type { Invoice } from '../state.ts';
import { moveBalance } from './move-balance.ts';

/** Makes an open invoice ask for nothing any more, and gives back what it drew from the customer's balance. Emits nothing. */
export function voidInvoice(change: Change, invoice: Invoice): void {
  const { state, now } = change;
  Object.assign(invoice, { status: 'void', auto_advance: false, next_payment_attempt: null });
  invoice.status_transitions['voided_at'] = now;
  moveBalance(change, invoice.customer, invoice.starting_balance - invoice.ending_balance);
  for (const payment of Object.values(state.invoice_payments)) {
    if (payment.invoice !== invoice.id || payment.status !== 'open') continue;
    Object.assign(payment, { status: 'canceled', status_transitions: { canceled_at: now, paid_at: null } });
    const intent = state.payment_intents[payment.payment.payment_intent];
    if (intent !== undefined)
      Object.assign(intent, { status: 'canceled', canceled_at: now, cancellation_reason: 'void_invoice' });
  }
}
