import { expect } from 'chai';
import { array, assert, constantFrom, nat, property, record } from 'fast-check';
import { SUBSCRIPTION_STATUSES } from '../../contract/billing.ts';
import { addDays, daysLeft, decideFate, EDGES, expireLife, type Life, nextLife } from './life.ts';

const START = new Date('2026-11-23T12:00:00Z');
const NO_GRACE = { grace_started_at: null, suspends_at: null, grace_ends_at: null };
const grace = (since: Date) => ({
  grace_started_at: since,
  suspends_at: addDays(since, 3),
  grace_ends_at: addDays(since, 7),
});
const step = (present: Life | undefined, status: Life['status'], now = START) =>
  nextLife(present, { status }, { now, suspendAfterDays: 3 });

describe('the life of a subscription', () => {
  const paid: Life = { status: 'active', ...NO_GRACE };
  const pastDue: Life = { status: 'past_due', ...grace(START) };
  const cancelled: Life = { status: 'cancelled', ...grace(START) };
  const expired: Life = { status: 'expired', ...NO_GRACE };
  const later = addDays(START, 5);

  it('begins a grace period when a payment fails, and when it ends', () => {
    expect(step(paid, 'past_due')).to.deep.equal(pastDue);
    expect(step(paid, 'cancelled')).to.deep.equal(cancelled);
    expect(step(undefined, 'cancelled')).to.deep.equal(cancelled);
  });

  it('keeps its dates when Stripe gives up in between, however often it says so', () => {
    expect(step(pastDue, 'cancelled', later)).to.deep.equal(cancelled);
    expect(step(cancelled, 'cancelled', later)).to.deep.equal(cancelled);
    // What was late and tells of a failed payment says nothing new.
    expect(step(cancelled, 'past_due', later)).to.deep.equal(cancelled);
  });

  it('is as if nothing had been once it is paid', () => {
    for (const present of [pastDue, cancelled, expired]) expect(step(present, 'active', later)).to.deep.equal(paid);
  });

  it('has nothing left to keep when the first payment never came, or the grace period was over', () => {
    expect(step(undefined, 'expired')).to.deep.equal(expired);
    for (const status of ['past_due', 'cancelled', 'expired'] as const)
      expect(step(expired, status)).to.deep.equal(expired);
    expect(step(paid, 'expired')).to.deep.equal(cancelled);
    expect(expireLife()).to.deep.equal(expired);
  });

  it('takes the box away in two steps, and never before its time', () => {
    const fates = [0, 2.999, 3, 6.999, 8].map((days) => decideFate(pastDue, addDays(START, days)));
    expect(fates).to.deep.equal(['run', 'run', 'stop', 'stop', 'stop']);
    expect(decideFate(cancelled, addDays(START, 100))).to.equal('stop');
    expect(decideFate(expired, START)).to.equal('delete');
    expect(decideFate(paid, START)).to.equal('run');
  });

  it('counts begun days', () => {
    const left = [0, 0.1, 1, 6.5, 7, 9].map((days) => daysLeft(addDays(START, 7), addDays(START, days)));
    expect(left).to.deep.equal([7, 7, 6, 1, 0, 0]);
  });

  it('only ever moves along declared edges, and no grace period gets shorter', () => {
    const facts = record({ status: constantFrom(...SUBSCRIPTION_STATUSES), days: nat(9) });
    assert(
      property(array(facts, { maxLength: 20 }), (history) => {
        let now = START;
        let present: Life | undefined;
        for (const { status, days } of history) {
          now = addDays(now, days);
          const next = step(present, status, now);
          if (present !== undefined && next.status !== present.status)
            expect(EDGES[present.status]).to.include(next.status);
          if (next.status !== 'expired' && present?.grace_ends_at != null && next.grace_ends_at !== null)
            expect(next.grace_ends_at).to.deep.equal(present.grace_ends_at);
          const inGrace = next.status === 'past_due' || next.status === 'cancelled';
          expect(next.grace_ends_at !== null).to.equal(inGrace);
          if (present?.grace_ends_at == null && inGrace) expect(next.grace_ends_at).to.deep.equal(addDays(now, 7));
          present = next;
        }
      }),
    );
  });
});
