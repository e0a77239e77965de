import { clockOf, type Account } from '../account.ts';
import { refuseParam } from '../errors.ts';
import { createCustomer } from '../objects/customer.ts';
import type { CardFields } from '../objects/payment-method.ts';
import { createSubscription } from '../objects/subscription.ts';
import type { CheckoutSession, Price, StripeState } from '../state.ts';
import { addCard } from './add-card.ts';
import { billPeriod } from './bill-period.ts';

/** What the customer filled in on the pay page. The card is one of Stripe's test cards that doesn't decline. */
export interface Payment {
  email: string;
  name: string | null;
  card: CardFields;
}

/**
 * Settles an open session: customer, subscription and paid invoice, then the session is complete. Events come in the order
 * in which Stripe makes them. A session that isn't open is refused.
 */
export function completeCheckout(account: Account, id: string, payment: Payment): CheckoutSession {
  return account.change((outer) => {
    const session = outer.state.checkout_sessions[id];
    if (session?.status !== 'open') throw refuseParam('This Checkout Session is no longer open.', 'session');
    const change = outer.of(session.customer);
    const { state, now, emit } = change;
    const plan = state.checkout_plans[id] ?? { items: [], subscription_metadata: {}, subscription_description: null };
    const known = session.customer === null ? undefined : state.customers[session.customer];
    const customer = known ?? createCustomer({ email: payment.email, name: payment.name }, now);
    if (known === undefined) {
      state.customers[customer.id] = customer;
      emit('customer.created', customer);
    }
    const { email, name } = payment;
    const method = addCard(change, payment.card, { customer: customer.id, email, name });
    const subscription = createSubscription(
      {
        customer: customer.id,
        lines: plan.items.map((item) => ({ price: priceOf(state, item.price), quantity: item.quantity })),
        metadata: plan.subscription_metadata,
        description: plan.subscription_description,
        payment_method: method.id,
        test_clock: clockOf(state, customer.id)?.id ?? null,
      },
      now,
    );
    state.subscriptions[subscription.id] = subscription;
    const invoice = billPeriod(change, subscription, { reason: 'subscription_create', periods: 'charged' });
    Object.assign(session, {
      status: 'complete',
      payment_status: 'paid',
      customer: customer.id,
      customer_details: {
        address: null,
        business_name: null,
        email: payment.email,
        individual_name: null,
        name: payment.name,
        phone: null,
        tax_exempt: 'none',
        tax_ids: [],
      },
      invoice: invoice.id,
      subscription: subscription.id,
      url: null,
    });
    emit('checkout.session.completed', session);
    return session;
  });
}

function priceOf(state: StripeState, id: string): Price {
  const price = state.prices[id];
  if (price === undefined) throw refuseParam(`No such price: '${id}'`, 'line_items', 'resource_missing');
  return price;
}
