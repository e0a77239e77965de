import { z } from 'zod';
import type { Account } from '../account.ts';
import { changeSubscription } from '../commands/change-subscription.ts';
import { endSubscription } from '../commands/end-subscription.ts';
import { refuseMissing } from '../errors.ts';
import { isInRange, listPage, matching } from '../list.ts';
import { common, flag, integer, metadata, paging, range, text } from '../params.ts';
import { SUBSCRIPTION_STATUSES } from '../state.ts';
import { defineRoute, type Route } from './route.ts';

const Details = z.strictObject({ comment: text.optional(), feedback: text.optional() });
const ListParams = z.strictObject({
  ...paging,
  created: range.optional(),
  customer: text.optional(),
  price: text.optional(),
  test_clock: text.optional(),
  status: z.enum([...SUBSCRIPTION_STATUSES, 'all', 'ended']).optional(),
});
/** Of the ways to treat an invoice meanwhile, the sandbox knows the one that never asks for its money. */
const Pause = z.union([z.literal('').transform(() => null), z.strictObject({ behavior: z.literal('void') })]);
/** Of an item's changes, the sandbox doesn't add or take away. */
export const Items = z
  .array(
    z.strictObject({
      id: text.min(1),
      price: text.optional(),
      quantity: integer.pipe(z.number().min(1)).optional(),
    }),
  )
  .max(20);
const Update = z.strictObject({
  ...common,
  cancel_at_period_end: flag.optional(),
  metadata: metadata.optional(),
  description: text.optional(),
  cancellation_details: Details.optional(),
  pause_collection: Pause.optional(),
  default_payment_method: text.optional(),
  items: Items.optional(),
  off_session: flag.optional(),
  payment_behavior: z
    .enum(
      ['allow_incomplete', 'error_if_incomplete'],
      'the sandbox knows payment_behavior allow_incomplete and error_if_incomplete only',
    )
    .optional(),
  proration_date: integer.optional(),
  trial_end: integer.optional(),
  proration_behavior: z.enum(['always_invoice', 'create_prorations', 'none']).optional(),
});
const Cancel = z.strictObject({
  ...common,
  cancellation_details: Details.optional(),
  invoice_now: flag.optional(),
  prorate: flag.optional(),
});

/** /v1/subscriptions: list, get, update, cancel. They are made by the checkout. */
export function createSubscriptionRoutes(account: Account): Route[] {
  return [
    defineRoute('get', '/v1/subscriptions', ListParams, ({ customer, price, status, created, test_clock, ...page }) => {
      // Without either, Stripe leaves out what lives by a test clock.
      const clock = test_clock ?? (customer === undefined ? null : undefined);
      const found = matching(account.state.subscriptions, { customer, test_clock: clock }).filter(
        (one) =>
          hasStatus(one.status, status) &&
          (price === undefined || one.items.data.some((item) => item.price.id === price)) &&
          isInRange(one.created, created),
      );
      return listPage(found, page, '/v1/subscriptions');
    }),
    defineRoute('get', '/v1/subscriptions/:id', z.strictObject(common), (_params, { id = '' }) => {
      const subscription = account.state.subscriptions[id];
      if (subscription === undefined) throw refuseMissing('subscription', id);
      return subscription;
    }),
    defineRoute('post', '/v1/subscriptions/:id', Update, (params, { id = '' }) =>
      account.change((change) => changeSubscription(change, id, params)),
    ),
    defineRoute('delete', '/v1/subscriptions/:id', Cancel, (params, { id = '' }) =>
      account.change((change) => endSubscription(change, id, params.cancellation_details)),
    ),
  ];
}

/** Without a status Stripe lists what isn't canceled. */
function hasStatus(status: string, wanted: string | undefined): boolean {
  if (wanted === undefined) return status !== 'canceled';
  if (wanted === 'ended') return status === 'canceled' || status === 'incomplete_expired';
  return wanted === 'all' || status === wanted;
}
