import { z } from 'zod';
import type { Account, Change } from '../account.ts';
import { expireSession } from '../commands/pass-time.ts';
import { refuseMissing, refuseParam } from '../errors.ts';
import { isInRange, listPage, matching } from '../list.ts';
import { createCheckoutSession, SESSION_SECONDS } from '../objects/checkout-session.ts';
import { listLineItems } from '../objects/line-items.ts';
import { common, flag, integer, mergeMetadata, metadata, paging, range, text } from '../params.ts';
import { createId } from '../state.ts';
import type { CheckoutSession, Price, StripeState } from '../state.ts';
import { defineRoute, type Route } from './route.ts';

const CreateSession = z.strictObject({
  ...common,
  mode: z.literal('subscription', 'the sandbox sells subscriptions only'),
  line_items: z
    .array(z.strictObject({ price: text, quantity: integer.pipe(z.number().min(1)).default(1) }))
    .min(1)
    .max(20),
  success_url: text.min(1),
  cancel_url: text.optional(),
  customer: text.optional(),
  customer_email: z.email('not a valid email address').optional(),
  client_reference_id: z.string().max(200).optional(),
  metadata: metadata.optional(),
  subscription_data: z.strictObject({ metadata: metadata.optional(), description: text.optional() }).optional(),
  expires_at: integer.optional(),
  allow_promotion_codes: flag.optional(),
  billing_address_collection: z.enum(['auto', 'required']).optional(),
  locale: text.optional(),
  submit_type: z.enum(['auto', 'book', 'donate', 'pay', 'subscribe']).optional(),
  payment_method_collection: z.enum(['always', 'if_required']).optional(),
  payment_method_types: z.array(z.literal('card')).optional(),
  ui_mode: z.literal('hosted_page').optional(),
});
type CreateSession = z.infer<typeof CreateSession>;
const ListSessions = z.strictObject({
  ...paging,
  created: range.optional(),
  customer: text.optional(),
  subscription: text.optional(),
  status: z.enum(['open', 'complete', 'expired']).optional(),
});
const NoParams = z.strictObject(common);

/** /v1/checkout/sessions of mode `subscription`, hosted: create, list, get, expire, line_items. */
export function createCheckoutRoutes(account: Account): Route[] {
  return [
    defineRoute('post', '/v1/checkout/sessions', CreateSession, (params) =>
      account.change((change) =>
        openSession(change.of(params.customer), params, (id) => `${account.url()}/c/pay/${id}`),
      ),
    ),
    defineRoute('get', '/v1/checkout/sessions', ListSessions, (params) => {
      const { customer, subscription, status } = params;
      const found = matching(account.state.checkout_sessions, { customer, subscription, status });
      return listPage(
        found.filter((one) => isInRange(one.created, params.created)),
        params,
        '/v1/checkout/sessions',
      );
    }),
    defineRoute('get', '/v1/checkout/sessions/:id', NoParams, (_params, { id }) => findSession(account.state, id)),
    defineRoute('post', '/v1/checkout/sessions/:id/expire', NoParams, (_params, { id }) =>
      account.change((change) => {
        const session = findSession(change.state, id);
        if (session.status !== 'open') {
          const problem = `This Checkout Session is not in an expireable state: its status is \`${session.status}\`.`;
          throw refuseParam(`Only Checkout Sessions with a status in ["open"] can be expired. ${problem}`, 'session');
        }
        expireSession(change.of(session.customer), session.id);
        return session;
      }),
    ),
    defineRoute('get', '/v1/checkout/sessions/:id/line_items', z.strictObject(paging), (_params, { id }) =>
      listLineItems(account.state, findSession(account.state, id)),
    ),
  ];
}

/** Finds a session, or throws Stripe's 404. */
function findSession(state: StripeState, id = ''): CheckoutSession {
  const session = state.checkout_sessions[id];
  if (session === undefined) throw refuseMissing('checkout.session', id);
  return session;
}

function openSession({ state, now }: Change, params: CreateSession, payPage: (id: string) => string): CheckoutSession {
  checkPeople(state, params);
  checkTimes(params.expires_at, now);
  for (const field of ['success_url', 'cancel_url'] as const) checkUrl(params[field], field);
  const lines = params.line_items.map(({ price, quantity }, index) => ({
    price: priceOf(state, price, index),
    quantity,
  }));
  const session = createCheckoutSession(
    { ...params, lines, metadata: mergeMetadata({}, params.metadata) },
    now,
    payPage,
  );
  state.checkout_sessions[session.id] = session;
  state.checkout_plans[session.id] = {
    items: lines.map(({ price, quantity }) => ({ id: createId('li'), price: price.id, quantity })),
    subscription_metadata: mergeMetadata({}, params.subscription_data?.metadata),
    subscription_description: params.subscription_data?.description ?? null,
  };
  return session;
}

function checkPeople(state: StripeState, { customer, customer_email: email }: CreateSession): void {
  if (customer !== undefined && email !== undefined) {
    throw refuseParam('You may only specify one of these parameters: customer, customer_email.', 'customer');
  }
  if (customer !== undefined && state.customers[customer] === undefined) {
    throw refuseMissing('customer', customer, 'customer');
  }
}

function checkTimes(expiresAt: number | undefined, now: number): void {
  if (expiresAt === undefined) return;
  if (expiresAt < now + SESSION_SECONDS.min || expiresAt > now + SESSION_SECONDS.max) {
    const bound = expiresAt < now + SESSION_SECONDS.min ? 'at least 30 minutes' : 'less than 24 hours';
    throw refuseParam(`The \`expires_at\` timestamp must be ${bound} from Checkout Session creation.`, 'expires_at');
  }
}

function checkUrl(url: string | undefined, param: string): void {
  if (url === undefined || /^https?:\/\/[^/]/.test(url)) return;
  throw refuseParam('Not a valid URL', param, 'url_invalid');
}

function priceOf(state: StripeState, id: string, index: number): Price {
  const price = state.prices[id];
  const param = `line_items[${index}][price]`;
  if (price === undefined) throw refuseMissing('price', id, param);
  if (!price.active)
    throw refuseParam(`The price specified is inactive. This field only accepts active prices.`, param);
  if (price.recurring === null) {
    throw refuseParam('You must provide at least one recurring price in `subscription` mode.', param);
  }
  return price;
}
