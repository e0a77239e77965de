import { expect } from 'chai';
import type { Stripe } from 'stripe';
import { foldSubscription } from './fold-subscription.ts';

describe('folding a subscription', () => {
  const seconds = (iso: string) => Date.parse(iso) / 1000;
  const fold = (fields: object) =>
    foldSubscription({
      id: 'sub_1',
      customer: 'cus_1',
      metadata: {},
      ended_at: null,
      canceled_at: null,
      cancel_at: null,
      cancel_at_period_end: false,
      start_date: seconds('2026-11-20T00:00:00Z'),
      items: {
        data: [
          {
            current_period_end: seconds('2026-12-20T00:00:00Z'),
            price: { lookup_key: 'spoq_plus_monthly', metadata: {} },
          },
        ],
      },
      ...fields,
    } as unknown as Stripe.Subscription);
  const facts = {
    stripe_subscription_id: 'sub_1',
    stripe_customer_id: 'cus_1',
    plan: 'plus',
    cancel_at: null,
    started_at: new Date('2026-11-20T00:00:00Z'),
  };

  for (const [given, status] of [
    ['active', 'active'],
    ['trialing', 'active'],
    ['past_due', 'past_due'],
    ['unpaid', 'past_due'],
    ['paused', 'past_due'],
    ['incomplete', 'past_due'],
    ['incomplete_expired', 'expired'],
    ['something_new', 'past_due'],
  ] as const)
    it(`makes ${status} of ${given}`, () => {
      const expires = new Date('2026-12-20T00:00:00Z');
      expect(fold({ status: given })).to.deep.equal({ ...facts, status, expires_at: expires });
    });

  it('tells when one has ended', () => {
    const ended = { status: 'canceled', ended_at: seconds('2026-11-17T12:00:01Z') };
    const expected = { ...facts, status: 'cancelled', expires_at: new Date('2026-11-17T12:00:01Z') };
    expect(fold(ended)).to.deep.equal(expected);
  });

  it('tells when one that is paid will end', () => {
    const at = new Date('2026-12-20T00:00:00Z');
    expect(fold({ status: 'active', cancel_at: seconds('2026-12-20T00:00:00Z') }).cancel_at).to.deep.equal(at);
    expect(fold({ status: 'active', cancel_at_period_end: true }).cancel_at).to.deep.equal(at);
  });

  it('finds the plan by price, then by metadata', () => {
    const other = { data: [{ current_period_end: 0, price: { lookup_key: null, metadata: {} } }] };
    expect(fold({ status: 'active', items: other, metadata: { plan: 'plus' } }).plan).to.equal('plus');
    expect(fold({ status: 'active', items: other }).plan).to.equal('basic');
    const former = { data: [{ current_period_end: 0, price: { lookup_key: null, metadata: { plan: 'plus' } } }] };
    expect(fold({ status: 'active', items: former, metadata: { plan: 'basic' } }).plan).to.equal('plus');
    expect(fold({ status: 'active', items: { data: [] }, customer: { id: 'cus_9' } })).to.deep.include({
      stripe_customer_id: 'cus_9',
      expires_at: null,
    });
  });
});
