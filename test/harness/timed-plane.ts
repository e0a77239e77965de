import { Stripe } from 'stripe';
import { waitFor } from './wait.ts';
import { compareStripe } from '../../control-plane/commands/compare-stripe.ts';
import { loadConfig } from '../../control-plane/config.ts';
import { createEngine } from '../../control-plane/engine/create-engine.ts';
import { createEngineEnvironment } from '../../control-plane/engine/environment.ts';
import { watchSubscriptions } from '../../control-plane/jobs/watch-subscriptions.ts';
import type { WorkerDeps } from '../../control-plane/jobs/worker-deps.ts';
import { startWeb } from '../../control-plane/start-web.ts';
import { startWorkerProcess } from '../../control-plane/start-worker.ts';
import type { TemporaryRun } from '../../tools/temporary-run.ts';

/** A control plane that lives by a test clock of Stripe's. */
export interface TimedPlane {
  deps: WorkerDeps;
  stripe: Stripe;
  now(): Date;
  /** Goes on to `to`, at most `step` days at a time: Stripe's clock first, then what Stripe tells arrives, then what each minute does. */
  passTo(to: Date, step?: number): Promise<void>;
  /** Goes on to `to` in one step, at Stripe and here, and waits for nothing that follows. */
  jumpTo(to: Date): Promise<void>;
  /** Resolves when everything that Stripe has told has arrived and every job is done. */
  settle(): Promise<void>;
  compare(): Promise<void>;
  close(): Promise<void>;
}

const DAY_MS = 86_400_000;
const SETTLE_MS = 60_000;

/**
 * Puts a control plane and a worker of this process in the place of those of a run. Both take their time from a test clock
 * (https://docs.stripe.com/billing/testing/test-clocks), by which every customer of theirs lives.
 */
export async function startTimedPlane(run: TemporaryRun): Promise<TimedPlane> {
  await run.worker().stop(10_000);
  await run.web().stop(10_000);
  const { environment } = run;
  const api = new URL(environment['STRIPE_API_URL'] ?? '');
  const stripe = new Stripe(environment['STRIPE_SECRET_KEY'] ?? '', {
    host: api.hostname,
    port: Number(api.port),
    protocol: 'http',
    telemetry: false,
  });
  let now = new Date(Math.floor(Date.now() / 1000) * 1000);
  const toSeconds = (date: Date): number => Math.floor(date.getTime() / 1000);
  const clock = await stripe.testHelpers.testClocks.create({ frozen_time: toSeconds(now), name: 'a year' });
  const config = loadConfig({ ...environment, STRIPE_TEST_CLOCK: clock.id, LOG_LEVEL: 'silent' });
  const options = { now: () => now, schedule: false };
  // The engine's SDK looks for the engine where this process would.
  const { PATH: former } = process.env;
  process.env['PATH'] = environment['PATH'];
  const web = await startWeb(config, options);
  const engine = createEngine({ env: createEngineEnvironment(config, environment) });
  const worker = await startWorkerProcess(config, engine, options);
  const { deps } = worker;
  const signal = new AbortController().signal;

  const isDelivered = async (): Promise<boolean> => {
    const deliveries = (await (await fetch(`${api.origin}/_sandbox/deliveries`)).json()) as { state: string }[];
    return deliveries.every(({ state }) => state !== 'pending');
  };
  const isIdle = async (): Promise<boolean> => {
    const open = ['created', 'retry', 'active'];
    return (await deps.db('pgboss.job').whereIn('state', open).limit(1)).length === 0;
  };
  const daysUntil = (to: Date): number => (to.getTime() - now.getTime()) / DAY_MS;
  const plane: TimedPlane = {
    deps,
    stripe,
    now: () => now,
    async settle() {
      await waitFor('what Stripe has told to arrive', isDelivered, SETTLE_MS);
      await waitFor('every job to be done', isIdle, SETTLE_MS);
    },
    async jumpTo(to) {
      await stripe.testHelpers.testClocks.advance(clock.id, { frozen_time: toSeconds(to) });
      await waitFor(
        'the clock',
        async () => (await stripe.testHelpers.testClocks.retrieve(clock.id)).status === 'ready',
      );
      now = to;
    },
    async passTo(to, step = 1) {
      for (let left = daysUntil(to); left > 0; left = daysUntil(to)) {
        await plane.jumpTo(new Date(now.getTime() + Math.min(left, step) * DAY_MS));
        await plane.settle();
        await watchSubscriptions(deps, signal);
        await plane.settle();
      }
    },
    async compare() {
      await compareStripe(deps, signal);
      await plane.settle();
    },
    async close() {
      await web.close();
      await worker.close();
      process.env['PATH'] = former;
    },
  };
  return plane;
}
