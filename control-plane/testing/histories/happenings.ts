import {
  array,
  boolean,
  constant,
  constantFrom,
  integer,
  nat,
  oneof,
  option,
  record,
  tuple,
  type Arbitrary,
} from 'fast-check';
import { PLAN_NAMES, type PlanName } from '../../../contract/billing.ts';
import { SpoqError } from '../../../contract/errors.ts';
import { findSubscription } from '../../db/subscriptions.ts';
import { stripeControl } from '../box-world.ts';
import { Browser } from '../browser.ts';
import { GOOD_PASSWORD, payAtStripe, type Actor, type Crash, type HistoryWorld } from './history-world.ts';

/** Something that happens. `who` is the index of an actor. */
export type Happening =
  /** All that it takes to have a box: the way that most people go. */
  | { what: 'join'; who: number; plan: PlanName }
  /** A card stops to pay, and the day of the renewal comes. */
  | { what: 'fall_behind'; who: number; is_working: boolean }
  | { what: 'subscribe' | 'pay' | 'come_back' | 'other_browser' | 'sign_in' | 'sign_out'; who: number; plan: PlanName }
  | { what: 'ask_for_box' | 'end' | 'keep' | 'claim' | 'leave'; who: number }
  | { what: 'change_plan'; who: number; plan: PlanName }
  | { what: 'card_fails' | 'card_works' | 'pay_due' | 'ended_at_stripe' | 'dispute' | 'refund'; who: number }
  | { what: 'webhooks'; order: number; dropped: number; repeated: boolean }
  | { what: 'days'; days: number; is_working: boolean }
  | { what: 'work'; crash: Crash | undefined }
  | { what: 'sweep' | 'compare' }
  | { what: 'engine_fails'; how: 'refused' | 'killed' };

/** Anything that can happen to so many people. */
export function anyHappening(people: number): Arbitrary<Happening> {
  const who = nat(people - 1);
  const plan = constantFrom(...PLAN_NAMES);
  const crash = oneof(
    { weight: 2, arbitrary: constantFrom(undefined) },
    {
      weight: 1,
      arbitrary: record({ at: integer({ min: 1, max: 12 }), when: constantFrom('before' as const, 'after' as const) }),
    },
  );
  const byPerson = [
    'subscribe',
    'subscribe',
    'pay',
    'pay',
    'come_back',
    'other_browser',
    'sign_in',
    'sign_in',
    'sign_out',
  ] as const;
  const later = ['ask_for_box', 'ask_for_box', 'ask_for_box', 'end', 'keep', 'claim', 'leave'] as const;
  const atStripe = [
    'card_fails',
    'card_fails',
    'card_works',
    'pay_due',
    'ended_at_stripe',
    'dispute',
    'refund',
  ] as const;
  return oneof(
    { weight: 1, arbitrary: record({ what: constantFrom('join' as const), who, plan }) },
    { weight: 2, arbitrary: record({ what: constantFrom('fall_behind' as const), who, is_working: boolean() }) },
    { weight: 4, arbitrary: record({ what: constantFrom(...byPerson), who, plan }) },
    { weight: 3, arbitrary: record({ what: constantFrom(...later), who }) },
    { weight: 2, arbitrary: record({ what: constantFrom('change_plan' as const), who, plan }) },
    { weight: 5, arbitrary: record({ what: constantFrom(...atStripe), who }) },
    {
      weight: 3,
      arbitrary: record({
        what: constantFrom('webhooks' as const),
        order: nat(1000),
        dropped: constantFrom(0, 0, 0.3, 1),
        repeated: constantFrom(true, false),
      }),
    },
    {
      weight: 3,
      arbitrary: record({
        what: constantFrom('days' as const),
        days: constantFrom(1, 2, 3, 4, 8, 31),
        is_working: constantFrom(true, true, false),
      }),
    },
    { weight: 4, arbitrary: record({ what: constantFrom('work' as const), crash }) },
    { weight: 1, arbitrary: record({ what: constantFrom('sweep' as const, 'compare' as const) }) },
    {
      weight: 1,
      arbitrary: record({
        what: constantFrom('engine_fails' as const),
        how: constantFrom('refused' as const, 'killed' as const),
      }),
    },
  ) as Arbitrary<Happening>;
}

/** A whole history: some of the people have joined when it begins, then anything happens. */
export function anyHistory(people: number, longest: number): Arbitrary<Happening[]> {
  const plan = constantFrom(...PLAN_NAMES);
  const begins = Array.from({ length: people }, (_, who) =>
    option(record({ what: constantFrom('join' as const), who: constant(who), plan }), { freq: 4 }),
  );
  const goesOn = array(anyHappening(people), { maxLength: longest, size: 'max' });
  return tuple(tuple(...begins), goesOn).map(([first, then]) => [...first.filter((one) => one !== null), ...then]);
}

/** Lets it happen, as far as it can: whoever can't do something is told so and nothing comes of it. */
export async function happen(world: HistoryWorld, happening: Happening): Promise<void> {
  const { stripe, db } = world.box.cp.deps;
  const actor = 'who' in happening ? world.actors[happening.who] : undefined;
  switch (happening.what) {
    case 'webhooks':
      return deliverSome(world, happening);
    case 'days':
      return world.pass(happening.days, happening.is_working);
    case 'work':
      return world.work(happening.crash);
    case 'sweep':
      return world.sweep();
    case 'compare':
      return world.compare();
    case 'engine_fails':
      return failEngine(world, happening.how);
  }
  if (actor === undefined) throw new Error('there is no such person');
  const subscription = (): Promise<string | undefined> => world.subscriptionOf(actor);
  switch (happening.what) {
    case 'join':
      for (const what of ['subscribe', 'pay', 'come_back', 'sign_in'] as const)
        await happen(world, { what, who: happening.who, plan: happening.plan });
      await world.deliver(world.undelivered());
      await happen(world, { what: 'ask_for_box', who: happening.who });
      return world.work();
    case 'fall_behind':
      await happen(world, { what: 'card_fails', who: happening.who });
      await world.pass(31, false);
      await world.deliver(world.undelivered());
      return world.pass(1, happening.is_working);
    case 'subscribe': {
      const answer = await actor.browser.post('/api/subscription/create', { plan: happening.plan });
      const session = /cs_[A-Za-z0-9_]+/.exec(answer.location ?? '')?.[0];
      if (session !== undefined) actor.session = session;
      return;
    }
    case 'pay':
      return payAtStripe(world, actor);
    case 'come_back':
      if (actor.session !== undefined) await actor.browser.get(`/welcome?session_id=${actor.session}`);
      return;
    case 'other_browser':
      actor.browser = new Browser(world.box.cp.url);
      return;
    case 'sign_in':
      return world.signIn(actor);
    case 'sign_out':
      await actor.browser.post('/auth/sign-out', {});
      return;
    case 'claim': {
      const mail = await db('mails')
        .where({ kind: 'claim_payment', to_address: `${actor.login}@example.com` })
        .first('text');
      const path = /\/claim\/[\w-]{43}/.exec(mail?.text ?? '')?.[0];
      if (path !== undefined) await actor.browser.post(path, {});
      return;
    }
    case 'ask_for_box':
      await actor.browser.post('/setup/password', { password: GOOD_PASSWORD });
      await actor.browser.postJson('/api/vps/provision', { region: 'EU', retry: true });
      return;
    case 'end':
      await actor.browser.post('/account/billing/cancel', {});
      return;
    case 'leave':
      // Whoever wants to has signed in just before.
      await world.signIn(actor);
      await actor.browser.post('/account/delete', { login: actor.login });
      return;
    case 'keep':
      await actor.browser.post('/account/billing/keep', {});
      return;
    case 'change_plan': {
      const page = await actor.browser.get(`/account/billing/plan?plan=${happening.plan}`);
      const date = /name="proration_date" value="(\d+)"/.exec(page.text)?.[1];
      if (date !== undefined)
        await actor.browser.post('/account/billing/plan', { plan: happening.plan, proration_date: date });
      return;
    }
    case 'card_fails':
    case 'card_works': {
      const id = await subscription();
      const card = happening.what === 'card_fails' ? '4000000000000341' : '4242424242424242';
      if (id !== undefined) await stripeControl(world.box.stripe, `subscriptions/${id}/card`, { card });
      return;
    }
    case 'pay_due': {
      const id = await subscription();
      if (id === undefined) return;
      const { data } = await stripe.invoices.list({ subscription: id, status: 'open' });
      for (const invoice of data) await stripe.invoices.pay(String(invoice.id)).catch(() => undefined); // the card is declined
      return;
    }
    case 'ended_at_stripe': {
      const id = await subscription();
      if (id !== undefined) await stripe.subscriptions.cancel(id).catch(() => undefined); // it has ended
      return;
    }
    case 'dispute':
    case 'refund':
      return reverse(world, actor, happening.what);
  }
}

/** The last payment that isn't reversed yet. */
async function reverse(world: HistoryWorld, actor: Actor, what: 'dispute' | 'refund'): Promise<void> {
  const { stripe, db } = world.box.cp.deps;
  if (actor.userId === undefined) return;
  const customer = (await findSubscription(db, actor.userId))?.stripe_customer_id;
  if (customer == null) return;
  const { data } = await stripe.charges.list({ customer, limit: 100 });
  const charge = data.find(({ refunded, disputed, paid }) => paid && !refunded && !disputed);
  if (charge === undefined) return;
  if (what === 'refund') await stripe.refunds.create({ charge: charge.id });
  else await stripeControl(world.box.stripe, `charges/${charge.id}/dispute`);
}

async function deliverSome(
  world: HistoryWorld,
  { order, dropped, repeated }: { order: number; dropped: number; repeated: boolean },
): Promise<void> {
  const events = shuffle(world.undelivered(), order);
  const lost = events.slice(0, Math.floor(events.length * dropped));
  world.lose(lost);
  const kept = events.slice(lost.length);
  await world.deliver(repeated ? [...kept, ...kept.slice(0, 3)] : kept);
}

/** Fisher and Yates', with a generator that the seed alone decides. */
function shuffle<T>(list: T[], seed: number): T[] {
  const shuffled = [...list];
  let state = seed + 1;
  for (let at = shuffled.length - 1; at > 0; at -= 1) {
    state = (state * 48_271) % 2_147_483_647;
    const other = state % (at + 1);
    [shuffled[at], shuffled[other]] = [shuffled[other] as T, shuffled[at] as T];
  }
  return shuffled;
}

/** The next run of the engine is refused by the vendor, or dies on the way. */
function failEngine({ box: { engine } }: HistoryWorld, how: 'refused' | 'killed'): void {
  const works = engine.script.up.at(-1);
  if (works === undefined) throw new Error('the script is empty');
  const error =
    how === 'refused'
      ? new SpoqError('engine_failed', { detail: 'The vendor is out of stock.' })
      : new Error('the engine was killed');
  engine.script.up = [() => Promise.reject(error), works];
}
