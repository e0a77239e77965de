import type { CheckoutSession, List, StripeState } from '../state.ts';
import { createLineItem } from './checkout-session.ts';

/** What a checkout sells, in order. */
export function listLineItems(state: StripeState, session: CheckoutSession): List<Record<string, unknown>> {
  const items = state.checkout_plans[session.id]?.items ?? [];
  return {
    object: 'list',
    data: items.flatMap(({ id, price: priceId, quantity }) => {
      const price = state.prices[priceId];
      if (price === undefined) return [];
      return [createLineItem(id, price, quantity, state.products[price.product]?.name ?? 'Subscription')];
    }),
    has_more: false,
    url: `/v1/checkout/sessions/${session.id}/line_items`,
  };
}
