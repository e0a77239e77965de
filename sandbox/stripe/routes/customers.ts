import { z } from 'zod';
import type { Account } from '../account.ts';
import { findTestClock } from '../commands/advance-clock.ts';
import { refuseMissing } from '../errors.ts';
import { isInRange, listPage, matching } from '../list.ts';
import { createCustomer } from '../objects/customer.ts';
import { common, mergeMetadata, metadata, paging, range, text } from '../params.ts';
import type { Customer, StripeState } from '../state.ts';
import { defineRoute, type Route } from './route.ts';

const fields = {
  ...common,
  email: text.max(512).optional(),
  name: text.optional(),
  description: text.optional(),
  phone: text.optional(),
  metadata: metadata.optional(),
};
const Fields = z.strictObject(fields);
const Create = z.strictObject({ ...fields, test_clock: text.optional() });
const ListParams = z.strictObject({
  ...paging,
  email: text.optional(),
  created: range.optional(),
  test_clock: text.optional(),
});
const NoParams = z.strictObject(common);

/** /v1/customers: create, list, get, update. */
export function createCustomerRoutes(account: Account): Route[] {
  return [
    defineRoute('post', '/v1/customers', Create, (params) =>
      account.change(({ state, now: real, at }) => {
        const { test_clock: clock } = params;
        const now = clock === undefined ? real : findTestClock(state, clock, 'test_clock').frozen_time;
        const customer = createCustomer({ ...params, metadata: mergeMetadata({}, params.metadata) }, now);
        state.customers[customer.id] = customer;
        at(now).emit('customer.created', customer);
        return customer;
      }),
    ),
    defineRoute('get', '/v1/customers', ListParams, (params) => {
      const found = matching(account.state.customers, { email: params.email, test_clock: params.test_clock ?? null });
      return listPage(
        found.filter((one) => isInRange(one.created, params.created)),
        params,
        '/v1/customers',
      );
    }),
    defineRoute('get', '/v1/customers/:id', NoParams, (_params, { id }) => findCustomer(account.state, id)),
    defineRoute('post', '/v1/customers/:id', Fields, ({ expand: _expand, metadata: added, ...changes }, { id }) =>
      account.change((change) => {
        const customer = findCustomer(change.state, id);
        const previous = Object.fromEntries(Object.keys(changes).map((field) => [field, customer[field]]));
        // An empty value clears a field.
        const values = Object.entries(changes).map(([field, value]) => [field, value === '' ? null : value] as const);
        Object.assign(customer, Object.fromEntries(values), { metadata: mergeMetadata(customer.metadata, added) });
        change.of(customer.id).emit('customer.updated', customer, previous);
        return customer;
      }),
    ),
  ];
}

function findCustomer(state: StripeState, id = ''): Customer {
  const customer = state.customers[id];
  if (customer === undefined) throw refuseMissing('customer', id);
  return customer;
}
