import { createServer } from 'node:http';
import type { IncomingMessage, Server } from 'node:http';
import { getRawBody } from 'raw-body';
import { PLANS, PLAN_NAMES } from '../../contract/billing.ts';

/** When every subscription began, in seconds since the epoch: a date in the past, so that all are in order. */
export const STARTED_AT = 1_767_225_600;
/** Far enough ahead for every period to be running. */
export const FIRST_PERIOD_END = 4_102_444_800;

/** A checkout's subscription. */
export const toSubscriptionId = (sessionId: string): string => sessionId.replace(/^cs_/, 'sub_');

/**
 * Stripe and GitHub that answer at once and keep nothing: every session is paid, every code is whoever it names. They are there to
 * measure the control plane without what a vendor costs. The end of a subscription's period says how often it was read.
 */
export function createQuickVendors(): Server {
  const reads = new Map<string, number>();
  const readSubscription = (id: string): unknown => {
    reads.set(id, (reads.get(id) ?? 0) + 1);
    return describeSubscription(id, FIRST_PERIOD_END + (reads.get(id) ?? 0));
  };
  const answer = (request: IncomingMessage, body: URLSearchParams): unknown => {
    const { pathname } = new URL(request.url ?? '/', 'http://vendor');
    const id = pathname.split('/').at(-1) ?? '';
    if (pathname === '/v1/prices') return { object: 'list', data: PLAN_NAMES.map(describePrice), has_more: false };
    if (pathname === '/v1/checkout/sessions') return describeSession(`cs_${toHex(body.get('client_reference_id'))}`);
    if (pathname.startsWith('/v1/checkout/sessions/')) return describeSession(id);
    if (pathname.startsWith('/v1/subscriptions/')) return readSubscription(id);
    if (pathname === '/login/oauth/access_token')
      return { access_token: body.get('code'), token_type: 'bearer', scope: 'user:email' };
    if (pathname === '/user') return describePerson(request.headers.authorization ?? '');
    return pathname === '/ready' ? {} : undefined;
  };
  const server = createServer(async (request, response) => {
    const body = new URLSearchParams(await getRawBody(request, { encoding: 'utf8' }));
    const found = answer(request, body);
    response.writeHead(found === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(found ?? { error: { message: `There is no ${request.url} here.` } }));
  });
  server.keepAliveTimeout = 60_000; // a connection that is closed as it is used again would look like an error
  return server;
}

function toHex(uuid: string | null): string {
  return (uuid ?? '').replaceAll('-', '');
}

function toUuid(hex: string): string {
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function describePrice(name: (typeof PLAN_NAMES)[number]): Record<string, unknown> {
  const { lookup_key, unit_amount, currency } = PLANS[name];
  const recurring = { interval: 'month', interval_count: 1 };
  return {
    id: `price_${name}`,
    object: 'price',
    lookup_key,
    unit_amount,
    currency,
    recurring,
    metadata: { plan: name },
  };
}

function describeSession(id: string): Record<string, unknown> {
  return {
    id,
    object: 'checkout.session',
    status: 'complete',
    payment_status: 'paid',
    client_reference_id: toUuid(id.replace('cs_', '')),
    customer: id.replace('cs_', 'cus_'),
    subscription: toSubscriptionId(id),
    customer_details: { email: null },
    url: `https://stripe.invalid/c/pay/${id}`,
  };
}

function describeSubscription(id: string, periodEnd: number): Record<string, unknown> {
  return {
    id,
    object: 'subscription',
    status: 'active',
    customer: id.replace('sub_', 'cus_'),
    metadata: { checkout_id: toUuid(id.replace('sub_', '')), plan: 'basic' },
    start_date: STARTED_AT,
    cancel_at: null,
    cancel_at_period_end: false,
    canceled_at: null,
    ended_at: null,
    pause_collection: null,
    items: { object: 'list', data: [{ price: describePrice('basic'), current_period_end: periodEnd }] },
  };
}

/** The token is the code, which is the login, which ends in the id. */
function describePerson(authorization: string): Record<string, unknown> {
  const login = authorization.replace(/^Bearer /i, '');
  return { id: Number(/\d+$/.exec(login)?.[0]), login, email: `${login}@example.com`, avatar_url: null };
}
