import { z } from 'zod';
import type { Account } from '../account.ts';
import { findDispute } from '../commands/dispute-charge.ts';
import { refundCharge } from '../commands/refund-charge.ts';
import { refuseMissing } from '../errors.ts';
import { isInRange, listPage, matching } from '../list.ts';
import { common, integer, metadata, paging, range, text } from '../params.ts';
import { defineRoute, type Route } from './route.ts';

const NoParams = z.strictObject(common);
const ListInvoicePayments = z.strictObject({
  ...paging,
  created: range.optional(),
  invoice: text.optional(),
  status: z.enum(['open', 'paid', 'canceled']).optional(),
  payment: z.strictObject({ type: z.literal('payment_intent'), payment_intent: text.optional() }).optional(),
});
const ListIntents = z.strictObject({ ...paging, created: range.optional(), customer: text.optional() });
const ListCharges = z.strictObject({
  ...paging,
  created: range.optional(),
  customer: text.optional(),
  payment_intent: text.optional(),
});
const CreateRefund = z.strictObject({
  ...common,
  charge: text.optional(),
  payment_intent: text.optional(),
  amount: integer.optional(),
  reason: z.enum(['duplicate', 'fraudulent', 'requested_by_customer']).optional(),
  metadata: metadata.optional(),
});
const ListByCharge = z.strictObject({
  ...paging,
  created: range.optional(),
  charge: text.optional(),
  payment_intent: text.optional(),
});

/** Where the money went: /v1/invoice_payments, /v1/payment_intents, /v1/charges, /v1/refunds, /v1/disputes. */
export function createPaymentRoutes(account: Account): Route[] {
  const { state } = account;
  return [
    defineRoute(
      'get',
      '/v1/invoice_payments',
      ListInvoicePayments,
      ({ payment, created, invoice, status, ...page }) => {
        const found = matching(state.invoice_payments, { invoice, status }).filter(
          (one) =>
            isInRange(one.created, created) &&
            (payment?.payment_intent === undefined || one.payment.payment_intent === payment.payment_intent),
        );
        return listPage(found, page, '/v1/invoice_payments');
      },
    ),
    defineRoute('get', '/v1/invoice_payments/:id', NoParams, (_params, { id }) =>
      find(state.invoice_payments, 'invoice_payment', id),
    ),
    defineRoute('get', '/v1/payment_intents', ListIntents, (params) =>
      listOf(state.payment_intents, params, '/v1/payment_intents'),
    ),
    defineRoute('get', '/v1/payment_intents/:id', NoParams, (_params, { id }) =>
      find(state.payment_intents, 'payment_intent', id),
    ),
    defineRoute('get', '/v1/charges', ListCharges, (params) => listOf(state.charges, params, '/v1/charges')),
    defineRoute('get', '/v1/charges/:id', NoParams, (_params, { id }) => find(state.charges, 'charge', id)),
    defineRoute('post', '/v1/refunds', CreateRefund, (params) =>
      account.change((change) => refundCharge(change, params)),
    ),
    defineRoute('get', '/v1/refunds', ListByCharge, (params) => listOf(state.refunds, params, '/v1/refunds')),
    defineRoute('get', '/v1/refunds/:id', NoParams, (_params, { id }) => find(state.refunds, 'refund', id)),
    defineRoute('get', '/v1/disputes', ListByCharge, (params) => listOf(state.disputes, params, '/v1/disputes')),
    defineRoute('get', '/v1/disputes/:id', NoParams, (_params, { id }) => findDispute(state, id)),
  ];
}

type Filters = z.infer<typeof ListCharges> & z.infer<typeof ListByCharge>;

function listOf<T extends { id: string; object: string; created: number }>(
  objects: Record<string, T>,
  { created, customer, charge, payment_intent, ...page }: Filters,
  url: string,
): object {
  const found = matching(objects, { customer, charge, payment_intent });
  return listPage(
    found.filter((one) => isInRange(one.created, created)),
    page,
    url,
  );
}

function find<T>(objects: Record<string, T>, what: string, id = ''): T {
  const found = objects[id];
  if (found === undefined) throw refuseMissing(what, id);
  return found;
}
