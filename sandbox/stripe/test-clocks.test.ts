import { expect } from 'chai';
import type { Stripe } from 'stripe';
import { waitFor } from '../../test/harness/wait.ts';
import type { RunningVendor } from '../run-vendor.ts';
import { connect, refusal, runStripe, subscribe } from './testing.ts';

const DAY = 86_400;
const START = Date.UTC(2030, 0, 15) / 1000;

describe("the Stripe vendor's test clocks", () => {
  let running: RunningVendor;
  let stripe: Stripe;
  let clock: string;
  let customer: string;
  let subscription: Stripe.Subscription;
  beforeEach(async () => {
    ({ running, stripe } = await runStripe());
    clock = (await stripe.testHelpers.testClocks.create({ frozen_time: START, name: 'a year' })).id;
    customer = (await stripe.customers.create({ email: 'ada@example.com', test_clock: clock })).id;
    subscription = await subscribe(stripe, {}, { customer });
  });
  afterEach(() => running.close());

  const clocks = () => stripe.testHelpers.testClocks;
  const advance = async (to: number): Promise<void> => {
    const answer = await clocks().advance(clock, { frozen_time: to });
    expect(answer).to.deep.include({ status: 'advancing', status_details: { advancing: { target_frozen_time: to } } });
    await waitFor('the clock', async () => (await clocks().retrieve(clock)).status === 'ready');
  };
  const now = () => stripe.subscriptions.retrieve(subscription.id);

  it('date everything of their customers, and nothing else', async () => {
    expect(subscription).to.deep.include({ created: START, test_clock: clock });
    const { latest_invoice: invoice } = await stripe.subscriptions.retrieve(subscription.id, {
      expand: ['latest_invoice'],
    });
    expect(invoice).to.deep.include({ created: START, test_clock: clock });
    const { data } = await stripe.events.list({ limit: 100 });
    const dates = data.filter((one) => one.type.startsWith('customer.') || one.type.startsWith('checkout.'));
    expect(new Set(dates.map(({ created }) => created))).to.deep.equal(new Set([START]));
    const real = await subscribe(stripe);
    expect(real).to.deep.include({ test_clock: null });
    expect(real.created).to.be.below(START);
    expect((await stripe.customers.list({ test_clock: clock })).data.map(({ id }) => id)).to.deep.equal([customer]);
    expect((await stripe.customers.list()).data.map(({ id }) => id)).to.deep.equal([real.customer]);
    expect((await stripe.subscriptions.list()).data.map(({ id }) => id)).to.deep.equal([real.id]);
  });

  it('move by advance alone, and what falls due is dated when it did', async () => {
    running.clock.advance(300 * DAY * 1000);
    const end = subscription.items.data[0]?.current_period_end ?? 0;
    expect((await now()).items.data[0]?.current_period_end).to.equal(end);
    await advance(end + 3 * DAY);
    const { data } = await stripe.invoices.list({ subscription: subscription.id });
    expect(data.map(({ created, status }) => [created, status])).to.deep.equal([
      [end, 'paid'],
      [START, 'paid'],
    ]);
    expect((await clocks().retrieve(clock)).frozen_time).to.equal(end + 3 * DAY);
    const [ready] = (await stripe.events.list({ type: 'test_helpers.test_clock.ready' })).data;
    expect(ready?.data.object).to.deep.include({ id: clock, status: 'ready', frozen_time: end + 3 * DAY });
  });

  it('expire the sessions of their customers', async () => {
    const session = await stripe.checkout.sessions.create({
      mode: 'subscription',
      customer,
      line_items: [{ price: subscription.items.data[0]?.price.id, quantity: 1 }],
      success_url: 'http://127.0.0.1:9/',
    });
    expect([session.created, session.expires_at]).to.deep.equal([START, START + DAY]);
    running.clock.advance(2 * DAY * 1000);
    expect((await stripe.checkout.sessions.retrieve(session.id)).status).to.equal('open');
    await advance(START + DAY);
    expect((await stripe.checkout.sessions.retrieve(session.id)).status).to.equal('expired');
  });

  it('go forward only, two intervals at a time, one advance after the other', async () => {
    const param = async (to: number) => (await refusal(clocks().advance(clock, { frozen_time: to }))).param;
    expect(await param(START)).to.equal('frozen_time');
    expect(await param(START + 63 * DAY)).to.equal('frozen_time');
    await clocks().advance(clock, { frozen_time: START + DAY });
    expect((await refusal(clocks().advance(clock, { frozen_time: START + 2 * DAY }))).statusCode).to.equal(429);
  });

  it('finish after a restart what was under way', async () => {
    await clocks().advance(clock, { frozen_time: START + DAY });
    running = await running.restart();
    stripe = connect(running);
    await waitFor('the clock', async () => (await clocks().retrieve(clock)).status === 'ready');
    expect((await clocks().retrieve(clock)).frozen_time).to.equal(START + DAY);
  });

  it('take everything with them when they are deleted', async () => {
    expect((await clocks().list()).data.map(({ id, name }) => [id, name])).to.deep.equal([[clock, 'a year']]);
    expect(await clocks().del(clock)).to.deep.include({ deleted: true });
    expect((await clocks().list()).data).to.deep.equal([]);
    expect((await refusal(now())).statusCode).to.equal(404);
    expect((await stripe.invoicePayments.list()).data).to.deep.equal([]);
    expect((await stripe.charges.list()).data).to.deep.equal([]);
    expect((await refusal(stripe.customers.retrieve(customer))).statusCode).to.equal(404);
    expect((await refusal(stripe.customers.create({ test_clock: clock }))).param).to.equal('test_clock');
  });
});
