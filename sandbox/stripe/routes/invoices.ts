import { z } from 'zod';
import type { Account } from '../account.ts';
import { findInvoice, payInvoice, voidOpenInvoice } from '../commands/pay-invoice.ts';
import { previewInvoice } from '../commands/preview-invoice.ts';
import { isInRange, listPage, matching } from '../list.ts';
import { common, flag, integer, paging, range, text } from '../params.ts';
import { Items } from './subscriptions.ts';
import { defineRoute, type Route } from './route.ts';

const ListInvoices = z.strictObject({
  ...paging,
  created: range.optional(),
  customer: text.optional(),
  subscription: text.optional(),
  status: z.enum(['draft', 'open', 'paid', 'uncollectible', 'void']).optional(),
});
const Pay = z.strictObject({ ...common, payment_method: text.optional(), off_session: flag.optional() });
const Preview = z.strictObject({
  ...common,
  customer: text.optional(),
  subscription: text.min(1),
  subscription_details: z
    .strictObject({
      cancel_at_period_end: flag.optional(),
      items: Items.optional(),
      proration_behavior: z.enum(['always_invoice', 'create_prorations', 'none']).optional(),
      proration_date: integer.optional(),
    })
    .optional(),
});
const NoParams = z.strictObject(common);

/** /v1/invoices: list, get, preview, pay, void. They are made by subscriptions. */
export function createInvoiceRoutes(account: Account): Route[] {
  return [
    defineRoute('get', '/v1/invoices', ListInvoices, ({ customer, status, subscription, created, ...page }) => {
      const found = matching(account.state.invoices, { customer, status }).filter(
        (one) =>
          (subscription === undefined || one.parent.subscription_details.subscription === subscription) &&
          isInRange(one.created, created),
      );
      return listPage(found, page, '/v1/invoices');
    }),
    defineRoute('get', '/v1/invoices/:id', NoParams, (_params, { id }) => findInvoice(account.state, id)),
    defineRoute(
      'post',
      '/v1/invoices/create_preview',
      Preview,
      ({ subscription, customer, subscription_details: changes }) =>
        previewInvoice(account, { subscription, customer, changes: changes ?? {} }),
    ),
    defineRoute('post', '/v1/invoices/:id/pay', Pay, (params, { id = '' }) =>
      payInvoice(account, id, params.payment_method),
    ),
    defineRoute('post', '/v1/invoices/:id/void', NoParams, (_params, { id = '' }) =>
      account.change((change) => voidOpenInvoice(change, id)),
    ),
  ];
}
