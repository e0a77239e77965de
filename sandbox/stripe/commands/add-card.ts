import type { Change } from '../account.ts';
import { refuseMissing } from '../errors.ts';
import { createPaymentMethod, type CardFields } from '../objects/payment-method.ts';
import type { PaymentMethod, Subscription } from '../state.ts';
import { findSubscription } from './change-subscription.ts';
import { emitUpdate } from './emit-update.ts';

/** Saves a card for a customer. */
export function addCard(
  { state, now }: Change,
  card: CardFields,
  holder: { customer: string; email: string | null; name: string | null },
): PaymentMethod {
  const method = createPaymentMethod(card, holder, now);
  state.payment_methods[method.id] = method;
  state.card_numbers[method.id] = card.number;
  return method;
}

/** Makes a new card pay for a subscription from now on. */
export function changeCard(outer: Change, id: string, card: CardFields): Subscription {
  const subscription = findSubscription(outer, id);
  const change = outer.of(subscription.customer);
  const customer = change.state.customers[subscription.customer];
  const method = addCard(change, card, {
    customer: subscription.customer,
    email: customer?.email ?? null,
    name: customer?.name ?? null,
  });
  change.emit('payment_method.attached', method);
  const before = structuredClone(subscription);
  subscription.default_payment_method = method.id;
  emitUpdate(change, 'customer.subscription.updated', before, subscription);
  return subscription;
}

/** Makes a new card pay for all that a customer has, as the portal does. */
export function changeCustomerCard(outer: Change, id: string, card: CardFields): void {
  const change = outer.of(id);
  const customer = change.state.customers[id];
  if (customer === undefined) throw refuseMissing('customer', id);
  const method = addCard(change, card, { customer: id, email: customer.email, name: customer.name });
  change.emit('payment_method.attached', method);
  const before = structuredClone(customer);
  Object.assign(customer['invoice_settings'] as object, { default_payment_method: method.id });
  emitUpdate(change, 'customer.updated', before, customer);
  for (const subscription of Object.values(change.state.subscriptions)) {
    if (subscription.customer !== id || subscription.status === 'canceled') continue;
    const former = structuredClone(subscription);
    subscription.default_payment_method = method.id;
    emitUpdate(change, 'customer.subscription.updated', former, subscription);
  }
}
