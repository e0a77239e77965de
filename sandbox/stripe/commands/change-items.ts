import type { Change } from '../account.ts';
import { refuseMissing, refuseParam } from '../errors.ts';
import { createProration } from '../objects/invoice-item.ts';
import type { Price, StripeState, Subscription, SubscriptionItem } from '../state.ts';

export interface ItemChange {
  id: string;
  price?: string;
  quantity?: number;
}

/** One item's change, found to be possible. */
export interface PlannedItem {
  item: SubscriptionItem;
  price: Price;
  quantity: number;
}

/** Finds what is to change. Refuses, before anything has, what doesn't exist and what the sandbox doesn't do. */
export function planItems(state: StripeState, subscription: Subscription, items: ItemChange[]): PlannedItem[] {
  return items.map(({ id, price: priceId, quantity }, index) => {
    const item = subscription.items.data.find((one) => one.id === id);
    if (item === undefined) throw refuseMissing('subscription item', id, `items[${index}][id]`);
    const param = `items[${index}][price]`;
    const price = priceId === undefined ? item.price : state.prices[priceId];
    if (price === undefined) throw refuseMissing('price', priceId ?? '', param);
    if (!price.active && price.id !== item.price.id)
      throw refuseParam('The price specified is inactive. This field only accepts active prices.', param);
    checkPrice(item, price, param);
    return { item, price, quantity: quantity ?? item.quantity };
  });
}

function checkPrice(item: SubscriptionItem, price: Price, param: string): void {
  if (price.currency !== item.price.currency)
    throw refuseParam(`The price specified must be in the subscription's currency, ${item.price.currency}.`, param);
  const [from, to] = [item.price.recurring, price.recurring];
  if (to === null) throw refuseParam('The price specified must be recurring.', param);
  // Stripe begins a new period then.
  if (from?.interval !== to.interval || from.interval_count !== to.interval_count)
    throw refuseParam('The sandbox changes prices of the same interval only.', param);
}

/** Refuses a time outside the present period. */
export function checkProrationDate(subscription: Subscription, date: number): void {
  for (const item of subscription.items.data) {
    if (date < item.current_period_start || date > item.current_period_end)
      throw refuseParam('The proration date must be within the current period of the subscription.', 'proration_date');
  }
}

/**
 * Changes what a subscription is for. Unless `date` is null, what was paid for and isn't used any more is given back and what
 * is used instead is asked for, by the second; both wait for an invoice. A trial has nothing to give back.
 */
export function changeItems(
  change: Change,
  subscription: Subscription,
  planned: PlannedItem[],
  date: number | null,
): void {
  for (const { item, price, quantity } of planned) {
    const isSame = price.id === item.price.id && quantity === item.quantity;
    if (!isSame && date !== null && subscription.status !== 'trialing') {
      const before = { price: structuredClone(item.price), quantity: item.quantity, kind: 'unused', date } as const;
      const after = { price: structuredClone(price), quantity, kind: 'remaining', date } as const;
      for (const proration of [before, after]) {
        const waiting = createProration(subscription, item, proration, change.now);
        change.state.invoice_items[waiting.id] = waiting;
        change.emit('invoiceitem.created', waiting);
      }
    }
    Object.assign(item, { price: structuredClone(price), quantity });
  }
}
