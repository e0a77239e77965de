import type { Store } from '../state.ts';
import { createChange } from './account.ts';
import { collectInvoice } from './commands/collect-invoice.ts';
import { createPaymentMethod } from './objects/payment-method.ts';
import { createStripeState } from './state.ts';
import type { StripeState } from './state.ts';

/** Completes a state file that an earlier sandbox wrote: kinds of objects it didn't know, cards, the payments of invoices. */
export function adoptState(store: Store<StripeState>): void {
  const missing = Object.entries(createStripeState()).filter(([name]) => !(name in store.data));
  if (missing.length === 0) return;
  store.update((state) => {
    Object.assign(state, Object.fromEntries(missing));
    adoptCards(state);
    adoptPayments(state);
  });
}

function adoptCards(state: StripeState): void {
  for (const subscription of Object.values(state.subscriptions)) {
    const { default_payment_method: id, customer } = subscription;
    if (id === null || state.payment_methods[id] !== undefined) continue;
    const number = state.cards?.[subscription.id] ?? '4242424242424242';
    const { email = null, name = null } = state.customers[customer] ?? {};
    // The expiry wasn't kept; the pay page proposed December four years on.
    const card = { number, exp_month: 12, exp_year: new Date(subscription.created * 1000).getUTCFullYear() + 4 };
    state.payment_methods[id] = { ...createPaymentMethod(card, { customer, email, name }, subscription.created), id };
    state.card_numbers[id] = number;
  }
  delete state.cards;
}

/** Makes the payment behind each paid invoice; the invoice itself stays as it was. */
function adoptPayments(state: StripeState): void {
  for (const invoice of Object.values(state.invoices)) {
    if (invoice.status !== 'paid' || invoice.amount_paid === 0) continue;
    const paidAt = invoice.status_transitions.paid_at ?? invoice.created;
    const copy = { ...structuredClone(invoice), billing_reason: 'subscription_create', attempt_count: 0 };
    collectInvoice(
      createChange(state, paidAt, () => undefined),
      copy,
      { automatic: false },
    );
  }
}
