import { expect } from 'chai';
import type { Stripe } from 'stripe';
import type { RunningVendor } from '../../run-vendor.ts';
import { control, refusal, runStripe, subscribe } from '../testing.ts';

const RETURN_URL = 'http://127.0.0.1:9/account';

describe("the Stripe vendor's billing portal", () => {
  let running: RunningVendor;
  let stripe: Stripe;
  let subscription: Stripe.Subscription;
  let session: Stripe.BillingPortal.Session;
  beforeEach(async () => {
    ({ running, stripe } = await runStripe());
    subscription = await subscribe(stripe, { card_expiry: '03 / 31' });
    session = await open();
  });
  afterEach(() => running.close());

  const open = (fields: Partial<Stripe.BillingPortal.SessionCreateParams> = {}) =>
    stripe.billingPortal.sessions.create({
      customer: String(subscription.customer),
      return_url: RETURN_URL,
      ...fields,
    });
  const read = async () => (await fetch(session.url)).text();
  const post = (path: string, fields: Record<string, string>) =>
    fetch(`${session.url}/${path}`, { method: 'POST', redirect: 'manual', body: new URLSearchParams(fields) });
  const card = (number: string) => post('card', { card_number: number, card_expiry: '7 / 33', card_cvc: '123' });
  const now = () => stripe.subscriptions.retrieve(subscription.id, { expand: ['default_payment_method'] });

  it('shows subscription, card, invoices and the way back', async () => {
    expect(session).to.deep.include({ object: 'billing_portal.session', flow: null, return_url: RETURN_URL });
    const page = await read();
    for (const part of [
      'Spoq Basic',
      '$12.00',
      'per month: active',
      'visa •••• 4242, expires 3/2031',
      'paid',
      'Renews on',
    ])
      expect(page).to.include(part);
    expect(page).to.include(`<a href="${RETURN_URL}">Go back</a>`);
    expect(page).not.to.include('<script');
  });

  it('cancels at the end of the period, and takes that back', async () => {
    const cancelled = await post('cancel', { subscription: subscription.id });
    expect([cancelled.status, cancelled.headers.get('location')]).to.deep.equal([303, new URL(session.url).pathname]);
    expect((await now()).cancel_at_period_end).to.equal(true);
    expect(await read()).to.include('Ends on');
    await post('resume', { subscription: subscription.id });
    expect((await now()).cancel_at_period_end).to.equal(false);
  });

  it('changes the card, unless it is declined', async () => {
    const declined = await card('4000000000000002');
    expect(declined.status).to.equal(402);
    const page = await declined.text();
    expect(page).to.match(/role="alert">Your card was declined/);
    expect(page).to.include('value="4000000000000002"');
    expect((await card('5555 5555 5555 4444')).status).to.equal(303);
    const { default_payment_method: method, customer } = await now();
    expect((method as Stripe.PaymentMethod).card).to.deep.include({ last4: '4444', exp_month: 7, exp_year: 2033 });
    const owner = (await stripe.customers.retrieve(String(customer))) as Stripe.Customer;
    expect(owner.invoice_settings.default_payment_method).to.equal((method as Stripe.PaymentMethod).id);
  });

  it('pays an open invoice', async () => {
    await control(running, `subscriptions/${subscription.id}/card`, { card: '4000000000000341' });
    running.clock.advance(32 * 86_400_000);
    expect(await read()).to.include('Pay $12.00');
    const invoice = String((await now()).latest_invoice);
    const failed = await post('pay', { invoice });
    expect([failed.status, /role="alert">([^<]+)/.exec(await failed.text())?.[1]]).to.deep.equal([
      402,
      'Your card was declined.',
    ]);
    await card('4242424242424242');
    await post('pay', { invoice });
    expect((await now()).status).to.equal('active');
    expect(await read()).not.to.include('Pay $12.00');
  });

  it('touches nothing of another customer', async () => {
    const other = await subscribe(stripe);
    await post('cancel', { subscription: other.id });
    expect((await stripe.subscriptions.retrieve(other.id)).cancel_at_period_end).to.equal(false);
    expect(await read()).not.to.include(other.id);
    expect((await fetch(`${running.url}/p/session/bps_no`)).status).to.equal(404);
  });

  it('can be opened for one thing, and leads away when that is done', async () => {
    session = await open({
      flow_data: {
        type: 'subscription_cancel',
        subscription_cancel: { subscription: subscription.id },
        after_completion: { type: 'redirect', redirect: { return_url: `${RETURN_URL}?done` } },
      },
    });
    expect(await read()).not.to.include('card_number');
    const done = await post('cancel', { subscription: subscription.id });
    expect(done.headers.get('location')).to.equal(`${RETURN_URL}?done`);
    expect((await refusal(open({ flow_data: { type: 'subscription_update' } }))).param).to.equal('flow_data[type]');
    expect((await refusal(open({ flow_data: { type: 'subscription_cancel' } }))).code).to.equal('parameter_missing');
    expect((await refusal(open({ customer: 'cus_no' }))).code).to.equal('resource_missing');
  });
});
