import type { Change } from '../account.ts';
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
