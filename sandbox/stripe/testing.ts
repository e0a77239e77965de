import { createServer, type Server } from 'node:http';
import { Stripe } from 'stripe';
import { runVendor, type RunningVendor, type RunVendorOptions } from '../run-vendor.ts';
import { closeServer, listenOnFreePort } from '../../test/harness/listen.ts';
import { createStripeVendor } from './vendor.ts';

/** The emulator and the real SDK pointed at it, for tests. */
export interface RunningStripe {
  running: RunningVendor;
  stripe: Stripe;
  /** The SDK's client for an emulator that was restarted. */
  connect(running: RunningVendor): Stripe;
}

export async function runStripe(options: RunVendorOptions = {}): Promise<RunningStripe> {
  const running = await runVendor('stripe', createStripeVendor, options);
  return { running, stripe: connect(running), connect };
}

/** The SDK as the control plane makes it: host, port and protocol of a base URL. */
export function connect(running: RunningVendor, key = running.vendor.credentials['STRIPE_SECRET_KEY'] ?? ''): Stripe {
  const { hostname, port } = new URL(running.url);
  return new Stripe(key, { host: hostname, port, protocol: 'http', maxNetworkRetries: 0, telemetry: false });
}

/** A price of 12 dollars a month, and an open checkout of it. */
export async function openCheckout(
  stripe: Stripe,
  fields: Partial<Stripe.Checkout.SessionCreateParams> = {},
): Promise<{ price: Stripe.Price; session: Stripe.Checkout.Session }> {
  const product = await stripe.products.create({ name: 'Spoq Basic' });
  const price = await stripe.prices.create({
    product: product.id,
    currency: 'usd',
    unit_amount: 1200,
    recurring: { interval: 'month' },
    lookup_key: 'spoq_basic_monthly',
    transfer_lookup_key: true,
  });
  const session = await stripe.checkout.sessions.create({
    mode: 'subscription',
    line_items: [{ price: price.id, quantity: 1 }],
    success_url: 'http://127.0.0.1:9/done?session_id={CHECKOUT_SESSION_ID}',
    cancel_url: 'http://127.0.0.1:9/plans',
    client_reference_id: 'checkout-1',
    metadata: { plan: 'basic' },
    subscription_data: { metadata: { plan: 'basic' } },
    ...fields,
  });
  return { price, session };
}

/** Presses Pay on a session's page. */
export function pay(session: { url: string | null }, fields: Record<string, string> = {}): Promise<Response> {
  return fetch(session.url ?? '', {
    method: 'POST',
    redirect: 'manual',
    body: new URLSearchParams({
      email: 'ada@example.com',
      card_number: '4242 4242 4242 4242',
      card_expiry: '12 / 34',
      card_cvc: '123',
      name: 'Ada L.',
      ...fields,
    }),
  });
}

/** Buys the plan of 12 dollars a month through the page. */
export async function subscribe(
  stripe: Stripe,
  form: Record<string, string> = {},
  fields: Partial<Stripe.Checkout.SessionCreateParams> = {},
): Promise<Stripe.Subscription> {
  const { session } = await openCheckout(stripe, fields);
  await pay(session, form);
  const paid = await stripe.checkout.sessions.retrieve(session.id, { expand: ['subscription'] });
  return paid.subscription as Stripe.Subscription;
}

/** A price of another plan, a month long. */
export async function createPlan(stripe: Stripe, name: string, amount: number): Promise<Stripe.Price> {
  return stripe.prices.create({
    product_data: { name },
    nickname: name,
    currency: 'usd',
    unit_amount: amount,
    recurring: { interval: 'month' },
  });
}

/** Calls a control of the sandbox and answers its JSON. */
export async function control(running: RunningVendor, path: string, body: object = {}): Promise<unknown> {
  const response = await fetch(`${running.url}/_sandbox/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

/** The refusal that a call ends with, as the SDK throws it. */
export async function refusal(call: Promise<unknown>): Promise<Partial<Stripe.errors.StripeError>> {
  const error: unknown = await call.then(
    () => new Error('was not refused'),
    (failure: unknown) => failure,
  );
  if (!(error instanceof Stripe.errors.StripeError)) throw error;
  const { type, statusCode, code, decline_code, param, message } = error;
  return { type, statusCode, code, decline_code, param, message };
}

export interface Receiver {
  url: string;
  /** What came, oldest first. */
  received: { body: string; signature: string }[];
  /** The statuses of the next answers; 200 when none is left. */
  statuses: number[];
  close(): Promise<void>;
}

/** A webhook endpoint that keeps what it is sent. */
export async function receiveWebhooks(): Promise<Receiver> {
  const received: Receiver['received'] = [];
  const statuses: number[] = [];
  const server: Server = createServer((req, res) => {
    let body = '';
    req.setEncoding('utf8');
    req.on('data', (chunk: string) => (body += chunk));
    req.on('end', () => {
      received.push({ body, signature: String(req.headers['stripe-signature']) });
      res.writeHead(statuses.shift() ?? 200).end();
    });
  });
  const { url } = await listenOnFreePort(server);
  return { url: `${url}/hook`, received, statuses, close: () => closeServer(server) };
}
