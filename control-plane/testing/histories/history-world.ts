import { expect } from 'chai';
import type Stripe from 'stripe';
import type { JobWithMetadata } from 'pg-boss';
import { SpoqError } from '../../../contract/errors.ts';
import type { StripeState } from '../../../sandbox/stripe/state.ts';
import { compareStripe } from '../../commands/compare-stripe.ts';
import type { Db } from '../../db/connect.ts';
import { buildBoxSpec } from '../../engine/box-spec.ts';
import { createHandlers } from '../../jobs/handlers.ts';
import { QUEUES } from '../../jobs/queues.ts';
import { watchSubscriptions } from '../../jobs/watch-subscriptions.ts';
import type { WorkerDeps } from '../../jobs/worker-deps.ts';
import { Browser } from '../browser.ts';
import { createBoxWorld, GOOD_PASSWORD, stripeControl, WEBHOOK_SECRET, type BoxWorld } from '../box-world.ts';

/** Somebody in a history. What they have done so far is in the database and at Stripe; this is who they are. */
export interface Actor {
  login: string;
  github_id: number;
  browser: Browser;
  userId: string | undefined;
  /** Of the Checkout session that they have opened last. */
  session: string | undefined;
}

/** Where a job dies: before or after the nth of its transactions is committed. */
export interface Crash {
  at: number;
  when: 'before' | 'after';
}

export const DAY_SECONDS = 86_400;
/** In the order in which a worker would happen to look; what they lead to is found in the next round. */
const WORKED = [
  QUEUES.steer,
  QUEUES.settle,
  QUEUES.deletion,
  QUEUES.bill,
  QUEUES.provision,
  QUEUES.provisionDead,
  QUEUES.operate,
  QUEUES.operateDead,
  QUEUES.destroy,
  QUEUES.mail,
];

/**
 * A control plane, its database and a Stripe to which things happen one at a time: no worker runs by itself and no webhook arrives
 * by itself, so that a history can say when, in which order, how often, and what dies in between.
 */
export interface HistoryWorld {
  box: BoxWorld;
  actors: Actor[];
  /** Called at the end of each day that passes: much can happen within a month. */
  onDay: () => Promise<void>;
  /** Events of Stripe that were not delivered yet, the oldest first. */
  undelivered(): Stripe.Event[];
  /** Delivers events as they are given; those that are refused count as not delivered. */
  deliver(events: Stripe.Event[]): Promise<void>;
  /** Takes events for delivered that never were. */
  lose(events: Stripe.Event[]): void;
  /** Does every job that there is, until nothing is left but what has failed. */
  work(crash?: Crash): Promise<void>;
  /** What each minute does. */
  sweep(): Promise<void>;
  /** What each hour does. */
  compare(): Promise<void>;
  /** Days pass at Stripe and here; with a worker they are swept each day. */
  pass(days: number, isWorking: boolean): Promise<void>;
  signIn(actor: Actor): Promise<void>;
  subscriptionOf(actor: Actor): Promise<string | undefined>;
  close(): Promise<void>;
}

class Killed extends Error {}

let people = 90_000;

export async function createHistoryWorld(size: number): Promise<HistoryWorld> {
  const box = await createBoxWorld();
  const { cp, engine } = box;
  const { deps } = cp;
  const delivered = new Set<string>();
  const state = () => box.stripe.vendor.inspect?.() as StripeState;
  let fuse: Crash | undefined;
  const workerDeps: WorkerDeps = {
    ...deps,
    db: fused(deps.db, () => {
      if (fuse === undefined || (fuse.at -= 1) > 0) return undefined;
      const { when } = fuse;
      fuse = undefined;
      return when;
    }),
    engine,
    mailer: undefined,
    buildSpec: (row, { bootToken } = {}) => buildBoxSpec(deps, row, { bootToken }),
  };
  const handlers = createHandlers(workerDeps);
  const signal = new AbortController().signal;
  const actors = Array.from({ length: size }, (_, index): Actor => {
    people += 1;
    return {
      login: `p${people}-${index}`,
      github_id: people,
      browser: new Browser(cp.url),
      userId: undefined,
      session: undefined,
    };
  });

  const runQueue = async (queue: (typeof WORKED)[number], failed: Set<string>): Promise<boolean> => {
    await deps
      .db('pgboss.job')
      .where({ name: queue, state: 'retry' })
      .update({ start_after: deps.db.raw('now()') });
    const jobs = (await deps.boss.fetch(queue, { includeMetadata: true, batchSize: 20 })) as JobWithMetadata<object>[];
    for (const job of jobs) {
      try {
        await handlers[queue](job, signal);
        await deps.boss.complete(queue, job.id);
      } catch (error) {
        if (
          !(error instanceof Killed) &&
          !(error instanceof SpoqError) &&
          !/^(scripted|the engine)/.test((error as Error).message)
        )
          throw error;
        await deps.boss.fail(queue, job.id, error as Error);
        failed.add(job.id);
      }
    }
    return jobs.some(({ id }) => !failed.has(id));
  };

  const world: HistoryWorld = {
    box,
    actors,
    onDay: async () => {},
    undelivered: () =>
      Object.values(state().events).filter(({ id }) => !delivered.has(id)) as unknown as Stripe.Event[],
    async deliver(events) {
      for (const event of events) {
        const payload = JSON.stringify(event);
        const timestamp = Math.floor(deps.now().getTime() / 1000);
        const signature = deps.stripe.webhooks.generateTestHeaderString({ payload, secret: WEBHOOK_SECRET, timestamp });
        const { status } = await fetch(`${cp.url}/api/subscription/webhook`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'stripe-signature': signature },
          body: payload,
        });
        expect([200, 502, 503]).to.include(status);
        if (status === 200) delivered.add(event.id);
      }
    },
    lose: (events) => events.forEach(({ id }) => void delivered.add(id)),
    async work(crash) {
      fuse = crash === undefined ? undefined : { ...crash };
      const failed = new Set<string>();
      for (let rounds = 0, isBusy = true; isBusy && rounds < 20; rounds += 1) {
        isBusy = false;
        for (const queue of WORKED) isBusy = (await runQueue(queue, failed)) || isBusy;
      }
      fuse = undefined;
    },
    sweep: () => watchSubscriptions(deps, signal),
    compare: async () => void (await compareStripe(deps, signal).catch(unlessUpstream)),
    async pass(days, isWorking) {
      for (let day = 0; day < days; day += 1) {
        box.advance(DAY_SECONDS);
        if (!isWorking) continue;
        await world.sweep();
        await world.work();
        await world.onDay();
      }
    },
    async signIn(actor) {
      const email = `${actor.login}@example.com`;
      box.github.script.person = { ...box.github.script.person, id: actor.github_id, login: actor.login, email };
      const begun = await actor.browser.get('/auth/github');
      await actor.browser.get(box.github.decide(begun.location ?? ''));
      const user = await deps.db('users').where('github_id', String(actor.github_id)).first('id');
      actor.userId = user?.id;
    },
    async subscriptionOf({ userId }) {
      const row = userId === undefined ? undefined : await deps.db('subscriptions').where('user_id', userId).first();
      return row?.stripe_subscription_id ?? undefined;
    },
    close: () => box.close(),
  };
  return world;
}

function unlessUpstream(error: unknown): void {
  if (!(error instanceof SpoqError)) throw error;
}

/** A database in whose transactions a process can die: before they are committed, or just afterwards. */
function fused(db: Db, burn: () => Crash['when'] | undefined): Db {
  return new Proxy(db, {
    get(target, name, receiver): unknown {
      if (name !== 'transaction') return Reflect.get(target, name, receiver);
      return async (work: (tx: Db) => Promise<unknown>) => {
        const dies = burn();
        const result = await target.transaction(async (tx) => {
          const value = await work(tx);
          if (dies === 'before') throw new Killed('died before a commit');
          return value;
        });
        if (dies === 'after') throw new Killed('died after a commit');
        return result;
      };
    },
  });
}

/** Pays an open Checkout session as the payer would. */
export async function payAtStripe(world: HistoryWorld, actor: Actor): Promise<void> {
  if (actor.session === undefined) return;
  await stripeControl(world.box.stripe, `checkout/${actor.session}/pay`, { email: `${actor.login}@example.com` }).catch(
    () => undefined, // it is paid already, or has lapsed
  );
}

export { GOOD_PASSWORD };
