import { expect } from 'chai';
import type { Stripe } from 'stripe';
import { foldSubscription } from './fold-subscription.ts';

describe('folding a subscription', () => {
  const NOW = new Date('2026-11-23T12:00:00Z');
  const seconds = (iso: string) => Date.parse(iso) / 1000;
  const fold = (fields: object) =>
    foldSubscription(
      {
        id: 'sub_1',
        customer: 'cus_1',
        metadata: {},
        ended_at: null,
        canceled_at: null,
        items: {
          data: [{ current_period_end: seconds('2026-12-20T00:00:00Z'), price: { lookup_key: 'spoq_plus_monthly' } }],
        },
        ...fields,
      } as unknown as Stripe.Subscription,
      NOW,
    );
  const facts = { stripe_subscription_id: 'sub_1', stripe_customer_id: 'cus_1', plan: 'plus' };

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

  it('keeps the seven days of grace after the end', () => {
    const ended = { status: 'canceled', ended_at: seconds('2026-11-17T12:00:01Z') };
    expect(fold(ended)).to.deep.equal({
      ...facts,
      status: 'cancelled',
      expires_at: new Date('2026-11-24T12:00:01Z'),
    });
    expect(fold({ ...ended, ended_at: seconds('2026-11-16T12:00:00Z') }).status).to.equal('expired');
  });

  it('finds the plan by price, then by metadata', () => {
    const other = { data: [{ current_period_end: 0, price: { lookup_key: null } }] };
    expect(fold({ status: 'active', items: other, metadata: { plan: 'plus' } }).plan).to.equal('plus');
    expect(fold({ status: 'active', items: other }).plan).to.equal('basic');
    expect(fold({ status: 'active', items: { data: [] }, customer: { id: 'cus_9' } })).to.deep.include({
      stripe_customer_id: 'cus_9',
      expires_at: null,
    });
  });
});
