import { expect } from 'chai';
import type { Stripe } from 'stripe';
import { waitFor } from '../../test/harness/wait.ts';
import type { RunningVendor } from '../run-vendor.ts';
import type { Delivery } from './state.ts';
import { openCheckout, pay, receiveWebhooks, runStripe, type Receiver } from './testing.ts';

describe("the Stripe vendor's webhooks", () => {
  let running: RunningVendor;
  let stripe: Stripe;
  let receiver: Receiver;
  const others: Receiver[] = [];
  beforeEach(async () => {
    receiver = await receiveWebhooks();
    ({ running, stripe } = await runStripe({ webhook: { url: receiver.url }, delays: { webhook_retry_ms: 10 } }));
  });
  afterEach(async () => {
    await running.close();
    for (const one of [receiver, ...others.splice(0)]) await one.close();
  });

  const control = async (method: string, path: string, body?: object): Promise<unknown> => {
    const response = await fetch(`${running.url}/_sandbox${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return response.status === 204 ? null : response.json();
  };
  const deliveries = (): Promise<Delivery[]> => control('GET', '/deliveries') as Promise<Delivery[]>;
  const settled = (): Promise<Delivery[]> =>
    waitFor('all deliveries', async () => {
      const all = await deliveries();
      return all.length > 0 && all.every((one) => one.state !== 'pending') && all;
    });
  const types = (): string[] => receiver.received.map(({ body }) => (JSON.parse(body) as Stripe.Event).type);

  it('signs events so that the SDK accepts them, and nothing else', async () => {
    const { session } = await openCheckout(stripe);
    await pay(session);
    await waitFor('the completed checkout', () => types().includes('checkout.session.completed'));
    const secret = running.vendor.credentials['STRIPE_WEBHOOK_SECRET'] ?? '';
    const { body, signature } = receiver.received[0] ?? { body: '', signature: '' };
    expect(stripe.webhooks.constructEvent(body, signature, secret)).to.deep.include({
      type: 'product.created',
      object: 'event',
    });
    expect(() => stripe.webhooks.constructEvent(`${body} `, signature, secret)).to.throw(/signature/i);
    expect(() => stripe.webhooks.constructEvent(body, signature, 'whsec_other')).to.throw(/signature/i);
    const completed = receiver.received
      .map((one) => JSON.parse(one.body) as Stripe.Event)
      .find((one) => one.type === 'checkout.session.completed');
    expect(completed?.data.object).to.deep.include({ id: session.id, status: 'complete', payment_status: 'paid' });
    expect((await stripe.events.retrieve(completed?.id ?? '')).data.object).to.deep.equal(completed?.data.object);
  });

  it('offers an event again until it is taken, in growing steps', async () => {
    receiver.statuses.push(500, 302, 404);
    await stripe.customers.create({ email: 'ada@example.com' });
    const [delivery] = await settled();
    expect(delivery).to.deep.include({ state: 'delivered', next_attempt_at: null, event_type: 'customer.created' });
    expect(delivery?.attempts.map(({ status, error }) => ({ status, error }))).to.deep.equal([
      { status: 500, error: null },
      { status: 302, error: null },
      { status: 404, error: null },
      { status: 200, error: null },
    ]);
    const times = delivery?.attempts.map(({ at }) => Date.parse(at)) ?? [];
    expect((times[3] ?? 0) - (times[2] ?? 0)).to.be.at.least(40);
    expect(new Set(receiver.received.map(({ body }) => body)).size).to.equal(1);
    expect((await stripe.events.list()).data[0]?.pending_webhooks).to.equal(0);
  });

  it('gives up after sixteen attempts and says so', async () => {
    running.delays.webhook_retry_ms = 0;
    receiver.statuses.push(...Array.from({ length: 16 }, () => 500));
    await stripe.customers.create({ email: 'ada@example.com' });
    const [delivery] = await settled();
    expect([delivery?.state, delivery?.attempts.length]).to.deep.equal(['failed', 16]);
  });

  it('delivers after a restart what was pending before it', async () => {
    running.delays.webhook_retry_ms = 1;
    await receiver.close();
    await stripe.customers.create({ email: 'ada@example.com' });
    await waitFor('a failed attempt', async () => ((await deliveries())[0]?.attempts.length ?? 0) > 0);
    const first = (await deliveries())[0]?.attempts[0];
    expect(first?.status).to.equal(null);
    expect(first?.error).to.match(/ECONNREFUSED/);
    running = await running.restart();
    receiver = await receiveWebhooks();
    await control('PUT', '/webhook', { url: receiver.url });
    running.clock.advance(3_600_000);
    expect((await settled())[0]?.state).to.equal('delivered');
    expect(types()).to.deep.equal(['customer.created']);
  });

  it('sends to registered endpoints what they asked for, each with its own secret', async () => {
    const other = await receiveWebhooks();
    others.push(other);
    const endpoint = await stripe.webhookEndpoints.create({ url: other.url, enabled_events: ['product.created'] });
    await stripe.customers.create({ email: 'ada@example.com' });
    await stripe.products.create({ name: 'Spoq' });
    await settled();
    expect(types().sort()).to.deep.equal(['customer.created', 'product.created']);
    expect(other.received).to.have.length(1);
    const { body, signature } = other.received[0] ?? { body: '', signature: '' };
    expect(stripe.webhooks.constructEvent(body, signature, endpoint.secret ?? '').type).to.equal('product.created');
    expect(endpoint.secret).not.to.equal(running.vendor.credentials['STRIPE_WEBHOOK_SECRET']);
  });

  it('resends an event on request', async () => {
    await stripe.customers.create({ email: 'ada@example.com' });
    await settled();
    const [event] = (await stripe.events.list()).data;
    await control('POST', `/events/${event?.id ?? ''}/resend`);
    await waitFor('the second copy', () => receiver.received.length === 2);
    expect(receiver.received[0]?.body).to.include(event?.id).and.not.to.equal('');
    expect(types()).to.deep.equal(['customer.created', 'customer.created']);
    expect(await control('POST', '/events/evt_no/resend')).to.deep.equal({ message: 'No such event' });
  });

  it('pays and sets states without a page', async () => {
    const { session } = await openCheckout(stripe);
    const paid = (await control('POST', `/checkout/${session.id}/pay`)) as Stripe.Checkout.Session;
    expect([paid.status, paid.customer_details?.email]).to.deep.equal(['complete', 'customer@example.com']);
    const id = String(paid.subscription);
    await control('POST', `/subscriptions/${id}/status`, { status: 'past_due' });
    expect((await stripe.subscriptions.retrieve(id)).status).to.equal('past_due');
    await control('POST', `/subscriptions/${id}/status`, { status: 'canceled' });
    expect(await stripe.subscriptions.retrieve(id)).to.deep.include({ status: 'canceled' });
    await settled();
    expect(types().filter((type) => type.startsWith('customer.subscription.'))).to.have.members([
      'customer.subscription.created',
      'customer.subscription.updated',
      'customer.subscription.deleted',
    ]);
    expect(await control('POST', `/subscriptions/${id}/status`, { status: 'odd' })).to.have.property('message');
  });
});
