import type Stripe from 'stripe';
import { askStripe } from './stripe-errors.ts';

/** The subscription that a payment was for, by way of its invoice; undefined for payments that aren't a subscription's. */
export async function findSubscriptionOfPayment(
  deps: { stripe: Stripe },
  paymentIntent: string,
): Promise<string | undefined> {
  const { data } = await askStripe('read a payment', () =>
    deps.stripe.invoicePayments.list({ payment: { type: 'payment_intent', payment_intent: paymentIntent }, limit: 1 }),
  );
  const invoice = data[0]?.invoice;
  if (invoice === undefined) return undefined;
  const id = typeof invoice === 'string' ? invoice : invoice.id;
  const whole = await askStripe('read an invoice', () => deps.stripe.invoices.retrieve(String(id)));
  const subscription = whole.parent?.subscription_details?.subscription;
  return typeof subscription === 'object' ? subscription?.id : subscription;
}
