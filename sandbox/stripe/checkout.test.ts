import { expect } from 'chai';
import type { Stripe } from 'stripe';
import type { RunningVendor } from '../run-vendor.ts';
import { addMonths } from '../schedule.ts';
import { openCheckout, pay, runStripe } from './testing.ts';

const DAY = 86_400_000;

describe("the Stripe vendor's checkout", () => {
  let running: RunningVendor;
  let stripe: Stripe;
  beforeEach(async () => {
    ({ running, stripe } = await runStripe());
  });
  afterEach(() => running.close());

  const eventTypes = async (): Promise<string[]> => {
    const { data } = await stripe.events.list({ limit: 100 });
    return data.map(({ type }) => type).toReversed();
  };
  const subscribe = async (fields: Record<string, string> = {}): Promise<Stripe.Subscription> => {
    const { session } = await openCheckout(stripe);
    await pay(session, fields);
    const paid = await stripe.checkout.sessions.retrieve(session.id, { expand: ['subscription'] });
    return paid.subscription as Stripe.Subscription;
  };

  it('shows a page to pay on, with the plan, its price and the way back', async () => {
    const { session } = await openCheckout(stripe, { customer_email: 'ada@example.com' });
    const page = await (await fetch(session.url ?? '')).text();
    for (const part of ['Spoq Basic', '$12.00', 'per month', 'value="ada@example.com"', '4242 4242 4242 4242']) {
      expect(page).to.include(part);
    }
    expect(page).to.include('<a href="http://127.0.0.1:9/plans">Cancel</a>');
    const style = /href="(\/_sandbox\/[^"]+)"/.exec(page)?.[1] ?? '';
    expect((await fetch(running.url + style)).headers.get('content-type')).to.match(/^text\/css/);
  });

  it('escapes what others wrote', async () => {
    const { session } = await openCheckout(stripe, { cancel_url: 'http://127.0.0.1/"><script>alert(1)</script>' });
    expect(await (await fetch(session.url ?? '')).text()).not.to.include('<script>');
  });

  it('makes customer, subscription and paid invoice, and completes the session', async () => {
    const { session, price } = await openCheckout(stripe);
    expect(session).to.deep.include({
      status: 'open',
      payment_status: 'unpaid',
      amount_total: 1200,
      ui_mode: 'hosted_page',
    });
    const answer = await pay(session);
    expect([answer.status, answer.headers.get('location')]).to.deep.equal([
      303,
      `http://127.0.0.1:9/done?session_id=${session.id}`,
    ]);
    const paid = await stripe.checkout.sessions.retrieve(session.id, {
      expand: ['customer', 'subscription.latest_invoice', 'line_items'],
    });
    expect(paid).to.deep.include({
      status: 'complete',
      payment_status: 'paid',
      url: null,
      client_reference_id: 'checkout-1',
    });
    expect(paid.customer).to.deep.include({ email: 'ada@example.com', name: 'Ada L.' });
    expect(paid.line_items?.data[0]).to.deep.include({ amount_total: 1200, description: 'Spoq Basic', quantity: 1 });
    const subscription = paid.subscription as Stripe.Subscription;
    expect(subscription).to.deep.include({ status: 'active', metadata: { plan: 'basic' }, cancel_at: null });
    expect('current_period_end' in subscription).to.equal(false);
    const item = subscription.items.data[0];
    const start = item?.current_period_start ?? 0;
    expect(item?.price.id).to.equal(price.id);
    expect(item?.current_period_end).to.equal(Math.floor(addMonths(new Date(start * 1000), 1).getTime() / 1000));
    expect(subscription.latest_invoice).to.deep.include({
      status: 'paid',
      amount_paid: 1200,
      billing_reason: 'subscription_create',
    });
    expect((subscription.latest_invoice as Stripe.Invoice).parent?.subscription_details?.subscription).to.equal(
      subscription.id,
    );
    expect((await eventTypes()).slice(2)).to.deep.equal([
      'customer.created',
      'customer.subscription.created',
      'invoice.created',
      'invoice.finalized',
      'invoice.paid',
      'invoice.payment_succeeded',
      'checkout.session.completed',
    ]);
  });

  it('charges once, however often Pay is pressed', async () => {
    const { session } = await openCheckout(stripe);
    const [first, second] = await Promise.all([pay(session), pay(session)]);
    expect([first.status, second.status]).to.deep.equal([303, 303]);
    expect((await stripe.subscriptions.list()).data).to.have.length(1);
    const page = await fetch(`${running.url}/c/pay/${session.id}`);
    expect(await page.text()).to.include('You&#39;re all done');
  });

  it("uses the session's customer instead of making one", async () => {
    const customer = await stripe.customers.create({ email: 'grace@example.com' });
    const { session } = await openCheckout(stripe, { customer: customer.id });
    await pay(session);
    expect((await stripe.subscriptions.list({ customer: customer.id })).data).to.have.length(1);
    expect((await stripe.customers.list()).data).to.have.length(1);
  });

  for (const [what, fields, message] of [
    ['a declined card', { card_number: '4000000000000002' }, 'Your card was declined. Nothing was charged'],
    ['no money', { card_number: '4000 0000 0000 9995' }, 'insufficient funds'],
    ['a mistyped number', { card_number: '4242424242424241' }, 'Your card number is invalid'],
    ['a real card', { card_number: '4111111111111111' }, 'test cards only'],
    ['a card of the past', { card_expiry: '01/20' }, 'in the past'],
    ['no expiry', { card_expiry: 'soon' }, 'incomplete'],
    ['a short security code', { card_cvc: '1' }, 'security code is invalid'],
    ['no email', { email: 'ada' }, 'email address is incomplete'],
  ] as const) {
    it(`refuses ${what} and keeps the session open`, async () => {
      const { session } = await openCheckout(stripe);
      const answer = await pay(session, fields);
      const page = await answer.text();
      expect(answer.status).to.equal(402);
      expect(page)
        .to.match(/role="alert">[^<]+/)
        .and.to.include(message);
      expect(page).to.include(`value="${Object.values(fields)[0] ?? ''}"`);
      expect((await stripe.checkout.sessions.retrieve(session.id)).status).to.equal('open');
      expect((await stripe.subscriptions.list({ status: 'all' })).data).to.deep.equal([]);
    });
  }

  it('expires sessions, by request and by time', async () => {
    const { session } = await openCheckout(stripe);
    expect((await stripe.checkout.sessions.expire(session.id)).status).to.equal('expired');
    expect(await (await fetch(session.url ?? '')).text()).to.include('has expired');
    expect((await pay(session)).status).to.equal(200);
    const late = (await openCheckout(stripe)).session;
    running.clock.advance(DAY + 1000);
    expect((await stripe.checkout.sessions.retrieve(late.id)).status).to.equal('expired');
    expect((await eventTypes()).filter((type) => type === 'checkout.session.expired')).to.have.length(2);
    expect((await fetch(`${running.url}/c/pay/cs_test_none`)).status).to.equal(404);
    expect((await stripe.subscriptions.list({ status: 'all' })).data).to.deep.equal([]);
  });

  it('ends a subscription at the end of its period, or takes that back', async () => {
    const { id, items } = await subscribe();
    const ending = await stripe.subscriptions.update(id, { cancel_at_period_end: true });
    expect(ending).to.deep.include({ status: 'active', cancel_at: items.data[0]?.current_period_end });
    expect(await stripe.subscriptions.update(id, { cancel_at_period_end: false })).to.deep.include({ cancel_at: null });
    await stripe.subscriptions.update(id, { cancel_at_period_end: true });
    const [latest] = (await stripe.events.list({ type: 'customer.subscription.updated' })).data;
    expect(latest?.data.previous_attributes).to.deep.include({ cancel_at_period_end: false, cancel_at: null });
    running.clock.advance(32 * DAY);
    expect(await stripe.subscriptions.retrieve(id)).to.deep.include({ status: 'canceled', cancel_at_period_end: true });
    expect((await eventTypes()).at(-1)).to.equal('customer.subscription.deleted');
    expect((await stripe.subscriptions.list()).data).to.deep.equal([]);
    expect((await stripe.subscriptions.list({ status: 'all' })).data).to.have.length(1);
  });

  it('cancels at once, and only once', async () => {
    const { id } = await subscribe();
    expect(await stripe.subscriptions.cancel(id)).to.deep.include({ status: 'canceled' });
    const again: unknown = await stripe.subscriptions.cancel(id).catch((error: unknown) => error);
    expect(again).to.deep.include({ statusCode: 404, code: 'resource_missing' });
  });

  it('renews month by month, and falls due when the card fails', async () => {
    const { id } = await subscribe();
    running.clock.advance(62 * DAY);
    const invoices = await stripe.invoices.list({ subscription: id });
    expect(invoices.data.map((one) => [one.billing_reason, one.status])).to.deep.equal([
      ['subscription_cycle', 'paid'],
      ['subscription_cycle', 'paid'],
      ['subscription_create', 'paid'],
    ]);
    const failing = await subscribe({ card_number: '4000000000000341' });
    running.clock.advance(32 * DAY);
    expect((await stripe.subscriptions.retrieve(failing.id)).status).to.equal('past_due');
    const open = await stripe.invoices.list({ subscription: failing.id, status: 'open' });
    expect(open.data[0]).to.deep.include({ amount_remaining: 1200, attempted: true });
    expect((await stripe.invoices.retrieve(String(open.data[0]?.id))).status).to.equal('open');
    expect(await eventTypes()).to.include('invoice.payment_failed');
  });
});
