import { createId } from '../state.ts';
import type { InvoiceItem, Price, Subscription, SubscriptionItem } from '../state.ts';
import { nameOf } from './invoice-line.ts';

export interface Proration {
  /** What was bought, as it was before the change or is after it. */
  price: Price;
  quantity: number;
  kind: 'unused' | 'remaining';
  /** When the change counts from, in seconds. */
  date: number;
}

/** Part of a price for the rest of an item's period: given back when it is unused, asked for when it remains. */
export function createProration(
  subscription: Subscription,
  item: SubscriptionItem,
  proration: Proration,
  now: number,
): InvoiceItem {
  const { price, quantity, date, kind } = proration;
  const { current_period_start: start, current_period_end: end } = item;
  const amount = prorate(price.unit_amount * quantity, end - date, end - start);
  const day = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeZone: 'UTC' }).format(date * 1000);
  return {
    id: createId('ii'),
    object: 'invoiceitem',
    amount: kind === 'unused' ? 0 - amount : amount,
    created: now,
    currency: price.currency,
    customer: subscription.customer,
    customer_account: null,
    date: now,
    description: `${kind === 'unused' ? 'Unused' : 'Remaining'} time on ${quantity} × ${nameOf(price)} after ${day}`,
    discountable: false,
    discounts: [],
    invoice: null,
    livemode: false,
    metadata: subscription.metadata,
    net_amount: kind === 'unused' ? 0 - amount : amount,
    parent: {
      subscription_details: { subscription: subscription.id, subscription_item: item.id },
      type: 'subscription_details',
    },
    period: { start: date, end },
    price,
    pricing: {
      price_details: { price: price.id, product: price.product },
      type: 'price_details',
      unit_amount_decimal: String(price.unit_amount),
    },
    proration: true,
    proration_details: { discount_amounts: [] },
    quantity,
    quantity_decimal: String(quantity),
    subscription: subscription.id,
    subscription_item: item.id,
    tax_rates: [],
    test_clock: subscription['test_clock'],
  };
}

/** A whole amount's share for `part` of `whole` seconds, to the nearest cent. In integers: amount × seconds passes 2^53. */
export function prorate(amount: number, part: number, whole: number): number {
  if (whole <= 0) return 0;
  return Number((2n * BigInt(amount) * BigInt(part) + BigInt(whole)) / (2n * BigInt(whole)));
}
