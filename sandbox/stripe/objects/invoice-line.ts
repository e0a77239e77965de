import { createId } from '../state.ts';
import type { InvoiceItem, Price, Subscription, SubscriptionItem } from '../state.ts';

export type InvoiceLine = Record<string, unknown> & { amount: number };

/** One item's present period; `free` is that of a trial. */
export function createPeriodLine(subscription: Subscription, item: SubscriptionItem, free = false): InvoiceLine {
  const { price, quantity } = item;
  return createLine({
    amount: free ? 0 : price.unit_amount * quantity,
    description: `${free ? 'Trial period for ' : ''}${quantity} × ${nameOf(price)}`,
    price,
    unitAmount: free ? 0 : price.unit_amount,
    quantity,
    period: { end: item.current_period_end, start: item.current_period_start },
    subscription,
    parent: {
      invoice_item_details: null,
      subscription_item_details: {
        invoice_item: null,
        proration: false,
        proration_details: { credited_items: null },
        subscription: subscription.id,
        subscription_item: item.id,
      },
      type: 'subscription_item_details',
    },
  });
}

/** A proration that waited for this invoice. */
export function createProrationLine(subscription: Subscription, item: InvoiceItem): InvoiceLine {
  return createLine({
    ...item,
    unitAmount: item.price.unit_amount,
    subscription,
    parent: {
      invoice_item_details: {
        invoice_item: item.id,
        proration: true,
        proration_details: { credited_items: null },
        subscription: subscription.id,
      },
      subscription_item_details: null,
      type: 'invoice_item_details',
    },
  });
}

/** What a price is called on an invoice. */
export function nameOf(price: Price): string {
  return String(price['nickname'] ?? price.lookup_key ?? price.id);
}

function createLine(fields: {
  amount: number;
  description: string;
  price: Price;
  unitAmount: number;
  quantity: number;
  period: { start: number; end: number };
  subscription: Subscription;
  parent: object;
}): InvoiceLine {
  const { amount, price, quantity, subscription } = fields;
  return {
    id: createId('il'),
    object: 'line_item',
    amount,
    currency: price.currency,
    description: fields.description,
    discount_amounts: [],
    discountable: true,
    discounts: [],
    invoice: null,
    livemode: false,
    metadata: subscription.metadata,
    parent: fields.parent,
    period: fields.period,
    pretax_credit_amounts: [],
    pricing: {
      price_details: { price: price.id, product: price.product },
      type: 'price_details',
      unit_amount_decimal: String(fields.unitAmount),
    },
    quantity,
    quantity_decimal: String(quantity),
    subscription: subscription.id,
    subtotal: amount,
    taxes: [],
  };
}
