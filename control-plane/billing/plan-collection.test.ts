import { expect } from 'chai';
import type Stripe from 'stripe';
import { isCollectionWrong, planPause, planResume } from './plan-collection.ts';

const DAY = 86_400;
const START = 1_800_000_000;
const MONTH_END = START + 30 * DAY;
const at = (seconds: number) => new Date(seconds * 1000);
const VOID = { behavior: 'void', resumes_at: null };

const subscription = (fields: object = {}) =>
  ({
    status: 'active',
    start_date: START,
    billing_cycle_anchor: START,
    pause_collection: null,
    trial_end: null,
    metadata: {},
    ...fields,
  }) as unknown as Stripe.Subscription;
const pausedByUs = { pause_collection: VOID, metadata: { paused_for_box: 'b1' } };
const box = (readyAt: number | null) => ({
  id: 'b1',
  status: 'ready' as const,
  ready_at: readyAt === null ? null : at(readyAt),
});

describe('what Stripe is asked for', () => {
  for (const [what, fields, wanted] of [
    ['active', {}, true],
    ['trialing', { status: 'trialing' }, true],
    ['past due', { status: 'past_due' }, true],
    ['paused already', { pause_collection: VOID }, false],
    ['cancelled', { status: 'canceled' }, false],
    ['never begun', { status: 'incomplete_expired' }, false],
  ] as const) {
    it(`${wanted ? 'pauses' : 'leaves alone'} a subscription that is ${what} when its box failed`, () => {
      const plan = { pause_collection: { behavior: 'void' }, metadata: { paused_for_box: 'b1' } };
      expect(planPause(subscription(fields), 'b1')).to.deep.equal(wanted ? plan : undefined);
      expect(isCollectionWrong(subscription(fields), { status: 'failed' })).to.equal(wanted);
    });
  }

  const LATE = START + 3 * DAY;
  const resumed = { pause_collection: '', metadata: { paused_for_box: '' } };
  const moved = (end: number) => ({
    trial_end: end,
    proration_behavior: 'none',
    metadata: { paid_from_box: 'b1' },
  });
  for (const [what, fields, options, plan] of [
    ['nothing when the box is on time', {}, { ready: START + 3600 }, undefined],
    ['to collect again when it was paused and is on time', pausedByUs, { ready: START + 600 }, resumed],
    ['to leave alone what others have paused', { pause_collection: VOID }, { ready: START + 600 }, undefined],
    ['to renew later by the delay', {}, { ready: LATE }, moved(MONTH_END + 3 * DAY)],
    [
      'both at once',
      pausedByUs,
      { ready: LATE },
      {
        ...moved(MONTH_END + 3 * DAY),
        ...resumed,
        metadata: { paused_for_box: '', paid_from_box: 'b1' },
      },
    ],
    ['nothing the second time', { metadata: { paid_from_box: 'b1' } }, { ready: LATE }, undefined],
    [
      'to count a second box from the end of the first',
      { status: 'trialing', trial_end: MONTH_END + DAY, metadata: { paid_from_box: 'b0' } },
      { ready: START + 20 * DAY, since: START + 15 * DAY },
      moved(MONTH_END + DAY + 5 * DAY),
    ],
    ['nothing when all paid time had been used', {}, { ready: MONTH_END + 9 * DAY, since: MONTH_END + DAY }, undefined],
    ['nothing of one who owes', { status: 'past_due' }, { ready: LATE }, undefined],
    ['nothing of a subscription that has ended', { ...pausedByUs, status: 'canceled' }, { ready: LATE }, undefined],
    ['no end that is past', {}, { ready: LATE, now: MONTH_END + 4 * DAY }, undefined],
    ['no more than Stripe allows', {}, { ready: START + 720 * DAY }, moved(START + 730 * DAY)],
    ['nothing for a box that never was ready', pausedByUs, { ready: null }, undefined],
  ] as [string, object, { ready: number | null; since?: number; now?: number }, object | undefined][]) {
    it(`asks ${what}`, async () => {
      const { ready, since, now = ready ?? START } = options;
      const facts = { box: box(ready), since: since === undefined ? undefined : at(since), now: at(now) };
      expect(await planResume(subscription(fields), facts, async () => MONTH_END)).to.deep.equal(plan);
    });
  }

  it('tells a ready box whose subscription we have paused from one that others have', () => {
    expect(isCollectionWrong(subscription(pausedByUs), { status: 'ready' })).to.equal(true);
    expect(isCollectionWrong(subscription({ pause_collection: VOID }), { status: 'ready' })).to.equal(false);
    expect(isCollectionWrong(subscription(), { status: 'ready' })).to.equal(false);
    expect(isCollectionWrong(subscription(pausedByUs), { status: 'provisioning' })).to.equal(false);
  });
});
