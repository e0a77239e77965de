import { expect } from 'chai';
import type { Stripe } from 'stripe';
import type { RunningVendor } from '../run-vendor.ts';
import { addMonths } from '../schedule.ts';
import { openCheckout, pay, runStripe } from './testing.ts';

const DAY = 86_400;

describe("the Stripe vendor's collection", () => {
  let running: RunningVendor;
  let stripe: Stripe;
  let id: string;
  beforeEach(async () => {
    ({ running, stripe } = await runStripe());
    const { session } = await openCheckout(stripe);
    await pay(session);
    id = String((await stripe.checkout.sessions.retrieve(session.id)).subscription);
  });
  afterEach(() => running.close());

  const now = () => Math.floor(running.clock.now().getTime() / 1000);
  const passDays = (days: number) => running.clock.advance(days * DAY * 1000);
  const invoices = async () =>
    (await stripe.invoices.list({ subscription: id })).data.map(
      (one) => `${one.billing_reason} ${one.status} ${one.amount_paid} of ${one.amount_due}`,
    );
  const refusal = async (fields: Stripe.SubscriptionUpdateParams): Promise<unknown> => {
    const error: unknown = await stripe.subscriptions.update(id, fields).catch((failure: unknown) => failure);
    return (error as { param?: unknown }).param;
  };

  it('voids what falls due while it is paused, and collects again when it is resumed', async () => {
    const paused = await stripe.subscriptions.update(id, { pause_collection: { behavior: 'void' } });
    expect(paused).to.deep.include({ status: 'active', pause_collection: { behavior: 'void', resumes_at: null } });
    passDays(62);
    expect(await invoices()).to.deep.equal([
      'subscription_cycle void 0 of 1200',
      'subscription_cycle void 0 of 1200',
      'subscription_create paid 1200 of 1200',
    ]);
    expect((await stripe.subscriptions.retrieve(id)).status).to.equal('active');
    const [voided] = (await stripe.events.list({ type: 'invoice.voided' })).data;
    expect(voided?.data.object).to.deep.include({ status: 'void', attempted: false, next_payment_attempt: null });
    expect((await stripe.events.list({ type: 'invoice.paid' })).data).to.have.length(1);
    const resumed = await stripe.subscriptions.update(id, { pause_collection: '' });
    expect(resumed.pause_collection).to.equal(null);
    const [event] = (await stripe.events.list({ type: 'customer.subscription.updated', limit: 1 })).data;
    expect(event?.data.previous_attributes).to.deep.equal({
      pause_collection: { behavior: 'void', resumes_at: null },
    });
    passDays(31);
    expect((await invoices())[0]).to.equal('subscription_cycle paid 1200 of 1200');
  });

  it('renews after a trial, month by month from its end', async () => {
    const end = now() + 40 * DAY;
    const trial = await stripe.subscriptions.update(id, { trial_end: end, proration_behavior: 'none' });
    expect(trial).to.deep.include({ status: 'trialing', trial_end: end, billing_cycle_anchor: end });
    expect(trial.items.data[0]?.current_period_end).to.equal(end);
    expect(await invoices()).to.deep.equal([
      'subscription_update paid 0 of 0',
      'subscription_create paid 1200 of 1200',
    ]);
    passDays(39);
    expect((await stripe.subscriptions.retrieve(id)).status).to.equal('trialing');
    passDays(2);
    const renewed = await stripe.subscriptions.retrieve(id);
    expect([renewed.status, renewed.trial_end]).to.deep.equal(['active', end]);
    expect(renewed.items.data[0]?.current_period_end).to.equal(addMonths(new Date(end * 1000), 1).getTime() / 1000);
    expect((await invoices())[0]).to.equal('subscription_cycle paid 1200 of 1200');
  });

  it('is active after a trial that ends while it is paused, and ends with one that was cancelled', async () => {
    const end = now() + 5 * DAY;
    const fields = { trial_end: end, proration_behavior: 'none', pause_collection: { behavior: 'void' } } as const;
    await stripe.subscriptions.update(id, fields);
    passDays(6);
    expect((await stripe.subscriptions.retrieve(id)).status).to.equal('active');
    expect((await invoices())[0]).to.equal('subscription_cycle void 0 of 1200');
    await stripe.subscriptions.update(id, { cancel_at_period_end: true });
    const last = now() + 50 * DAY;
    const moved = await stripe.subscriptions.update(id, { trial_end: last, proration_behavior: 'none' });
    expect(moved.cancel_at).to.equal(last);
    passDays(51);
    expect((await stripe.subscriptions.retrieve(id)).status).to.equal('canceled');
  });

  it('refuses what Stripe refuses, and what it would not do as Stripe does', async () => {
    const none = { proration_behavior: 'none' } as const;
    expect(await refusal({ trial_end: now() - 1, ...none })).to.equal('trial_end');
    expect(await refusal({ trial_end: now() + 731 * DAY, ...none })).to.equal('trial_end');
    expect(await refusal({ trial_end: now() + DAY })).to.equal('proration_behavior');
    expect(await refusal({ pause_collection: { behavior: 'keep_as_draft' } })).to.equal('pause_collection');
    const after = await stripe.subscriptions.retrieve(id);
    expect(after).to.deep.include({ status: 'active', pause_collection: null, trial_end: null });
  });
});
