import { z } from 'zod';
import type { Account } from '../account.ts';
import { refuseMissing } from '../errors.ts';
import { listPage, matching } from '../list.ts';
import { common, paging, text } from '../params.ts';
import type { PaymentMethod, StripeState } from '../state.ts';
import { defineRoute, type Route } from './route.ts';

const NoParams = z.strictObject(common);
const OfCustomer = z.strictObject({ ...paging, type: z.literal('card').optional() });
const List = z.strictObject({ ...paging, type: z.literal('card').optional(), customer: text.optional() });

/** Saved cards: /v1/payment_methods and those of one customer. The pages save them. */
export function createPaymentMethodRoutes(account: Account): Route[] {
  const { state } = account;
  return [
    defineRoute('get', '/v1/payment_methods', List, ({ customer, type, ...page }) =>
      listPage(matching(state.payment_methods, { customer, type }), page, '/v1/payment_methods'),
    ),
    defineRoute('get', '/v1/payment_methods/:id', NoParams, (_params, { id }) => findPaymentMethod(state, id)),
    defineRoute('get', '/v1/customers/:id/payment_methods', OfCustomer, ({ type, ...page }, { id: customer = '' }) => {
      if (state.customers[customer] === undefined) throw refuseMissing('customer', customer);
      const found = matching(state.payment_methods, { customer, type });
      return listPage(found, page, `/v1/customers/${customer}/payment_methods`);
    }),
    defineRoute('get', '/v1/customers/:customer/payment_methods/:id', NoParams, (_params, { customer, id }) => {
      const method = findPaymentMethod(state, id);
      if (method.customer !== customer) throw refuseMissing('PaymentMethod', method.id);
      return method;
    }),
  ];
}

/** Finds a payment method, or throws Stripe's 404. */
function findPaymentMethod(state: StripeState, id = ''): PaymentMethod {
  const method = state.payment_methods[id];
  if (method === undefined) throw refuseMissing('PaymentMethod', id);
  return method;
}
