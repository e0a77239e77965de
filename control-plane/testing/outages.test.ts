import { expect } from 'chai';
import type Stripe from 'stripe';
import type { StripeState } from '../../sandbox/stripe/state.ts';
import { foldSubscription } from '../billing/fold-subscription.ts';
import { compareStripe } from '../commands/compare-stripe.ts';
import { createBoxWorld, stripeControl, WEBHOOK_SECRET, type BoxWorld } from './box-world.ts';

/** So many deliveries; `SPOQ_OUTAGE=10000 npm test -- control-plane/testing/outages` takes a few minutes. */
const DELIVERIES = Number(process.env['SPOQ_OUTAGE'] ?? 900);
const SEED = Number(process.env['SPOQ_TEST_SEED'] ?? Date.now() % 1_000_000);
const PEOPLE = 12;
const AT_ONCE = 10;
const STATES = ['past_due', 'active', 'unpaid', 'active'];

describe(`an outage of our webhooks (SPOQ_TEST_SEED=${SEED})`, function () {
  this.timeout(60_000 + DELIVERIES * 100);
  let world: BoxWorld;
  before(async () => {
    world = await createBoxWorld();
  });
  after(() => world.close());

  let state = SEED + 1;
  // Park and Miller's generator: the same seed, the same order.
  const draw = (n: number): number => (state = (state * 48_271) % 2_147_483_647) % n;
  function shuffle<T>(all: T[]): T[] {
    for (let left = all.length; left > 1; left -= 1) {
      const other = draw(left);
      [all[left - 1], all[other]] = [all[other] as T, all[left - 1] as T];
    }
    return all;
  }

  async function deliver(event: Stripe.Event): Promise<string> {
    const payload = JSON.stringify(event);
    const signature = world.cp.deps.stripe.webhooks.generateTestHeaderString({ payload, secret: WEBHOOK_SECRET });
    const answer = await fetch(`${world.cp.url}/api/subscription/webhook`, {
      method: 'POST',
      headers: { 'stripe-signature': signature },
      body: payload,
    });
    const { outcome } = (await answer.json()) as { outcome?: string };
    return `${answer.status} ${outcome}`;
  }

  it(`${DELIVERIES} events afterwards, shuffled, each three times: we are where Stripe is, and each counted once`, async () => {
    const { database, cp, stripe } = world;
    for (let person = 0; person < PEOPLE; person += 1) await world.becomeReady(`payer-${person}`);
    const ids: string[] = await database.db('subscriptions').pluck('stripe_subscription_id');
    const events = () => {
      const { events: all } = (stripe.vendor.inspect?.() ?? { events: {} }) as Pick<StripeState, 'events'>;
      return Object.values(all) as unknown as Stripe.Event[];
    };
    for (let turn = 0; events().length < DELIVERIES / 3; turn += 1) {
      const status = STATES[draw(STATES.length)];
      await stripeControl(stripe, `subscriptions/${ids[draw(ids.length)]}/status`, { status });
    }
    const missed = events();
    const queue = shuffle([...missed, ...missed, ...missed]);
    const outcomes: Record<string, number> = {};
    const work = async (): Promise<void> => {
      for (let event = queue.pop(); event !== undefined; event = queue.pop()) {
        const outcome = await deliver(event);
        outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    const { '200 applied': applied = 0, '200 ignored': ignored = 0, ...others } = outcomes;
    expect(applied + ignored, 'each once').to.equal(missed.length);
    expect(others).to.deep.equal({ '200 repeated': 2 * missed.length });
    for (const id of ids) {
      const { status, plan, expires_at } = foldSubscription(await cp.deps.stripe.subscriptions.retrieve(id));
      const row = await database.db('subscriptions').where('stripe_subscription_id', id).first();
      expect({ status: row.status, plan: row.plan, expires_at: row.expires_at }).to.deep.equal({
        status,
        plan,
        expires_at,
      });
    }
    expect(await compareStripe(cp.deps, new AbortController().signal), 'nothing is left to be found').to.equal(0);
  });
});
