import type { Logger } from 'pino';
import type { Clock } from '../../clock.ts';
import type { Delays } from '../../delays.ts';
import { createSchedule, earliest } from '../../schedule.ts';
import type { Store } from '../../state.ts';
import type { Delivery, StripeState } from '../state.ts';
import { signPayload } from './sign.ts';

/** How often an event is offered before it is given up. Stripe retries for three days in ever longer steps. */
const MAX_ATTEMPTS = 16;
/** The longest pause between two attempts. */
const LONGEST_PAUSE_MS = 3_600_000;
/** How long an endpoint may take to answer. */
const TIMEOUT_MS = 10_000;

export interface Deliverer {
  /** Starts what is due. Call after each change. */
  wake(): void;
  /** Ends the timer and breaks attempts off; they count as not made and are due again after a restart. */
  close(): Promise<void>;
}

export interface DelivererDeps {
  store: Store<StripeState>;
  clock: Clock;
  delays: Delays;
  log: Logger;
  receiverNow?: (() => Date) | undefined;
}

/** Sends pending deliveries, signed, and keeps how each attempt went. What is pending survives a restart. */
export function createDeliverer(deps: DelivererDeps): Deliverer {
  const { store, clock } = deps;
  const running = new Map<string, Promise<void>>();
  const stop = new AbortController();
  const waiting = (): Delivery[] =>
    store.data.webhooks_held
      ? []
      : Object.values(store.data.deliveries).filter((one) => one.next_attempt_at !== null && !running.has(one.id));
  const schedule = createSchedule({
    clock,
    nextDue: () => earliest(waiting().map((one) => one.next_attempt_at ?? undefined)),
    settle(now) {
      for (const delivery of waiting().filter((one) => (one.next_attempt_at ?? now) <= now)) {
        const attempt = attemptDelivery(deps, delivery.id, stop.signal).finally(() => {
          running.delete(delivery.id);
          schedule.wake();
        });
        running.set(delivery.id, attempt);
      }
    },
  });
  return {
    wake: () => schedule.wake(),
    async close() {
      schedule.close();
      stop.abort();
      await Promise.allSettled(running.values());
    },
  };
}

async function attemptDelivery(
  { store, clock, delays, log, receiverNow = () => new Date() }: DelivererDeps,
  id: string,
  stop: AbortSignal,
): Promise<void> {
  const { deliveries, events, webhook_endpoints: endpoints, endpoint_secrets: secrets } = store.data;
  const delivery = deliveries[id];
  const event = delivery === undefined ? undefined : events[delivery.event];
  if (delivery === undefined || event === undefined) return;
  const secret = secrets[delivery.endpoint];
  const started = performance.now();
  const at = clock.now().toISOString();
  const outcome =
    endpoints[delivery.endpoint] === undefined || secret === undefined
      ? { status: null, error: 'The endpoint was deleted' }
      : await post({ url: delivery.url, body: JSON.stringify(event), secret, now: receiverNow() }, stop);
  if (stop.aborted) return;
  store.update(() => {
    delivery.attempts.push({ at, ...outcome, ms: Math.round(performance.now() - started) });
    const isDone = outcome.status !== null && outcome.status >= 200 && outcome.status < 300;
    const isLost = endpoints[delivery.endpoint] === undefined || delivery.attempts.length >= MAX_ATTEMPTS;
    if (isDone) event.pending_webhooks = Math.max(0, event.pending_webhooks - 1);
    // One that was dropped meanwhile stays given up.
    if (isDone || isLost || delivery.state === 'failed')
      Object.assign(delivery, { state: isDone ? 'delivered' : 'failed', next_attempt_at: null });
    else {
      const pause = Math.min(delays.webhook_retry_ms * 2 ** (delivery.attempts.length - 1), LONGEST_PAUSE_MS);
      delivery.next_attempt_at = clock.now().getTime() + pause;
    }
  });
  log.debug({ event: event.id, type: event.type, url: delivery.url, ...outcome }, 'webhook');
}

async function post(
  { url, body, secret, now }: { url: string; body: string; secret: string; now: Date },
  stop: AbortSignal,
): Promise<{ status: number | null; error: string | null }> {
  // The receiver checks the age against its own clock, which the sandbox's doesn't move.
  const signature = signPayload(body, [secret], Math.floor(now.getTime() / 1000));
  try {
    const response = await fetch(url, {
      method: 'POST',
      redirect: 'manual',
      signal: AbortSignal.any([stop, AbortSignal.timeout(TIMEOUT_MS)]),
      headers: {
        'content-type': 'application/json; charset=utf-8',
        'user-agent': 'Stripe/1.0 (+https://stripe.com/docs/webhooks)',
        'stripe-signature': signature,
      },
      body,
    });
    await response.body?.cancel();
    return { status: response.status, error: null };
  } catch (error) {
    return { status: null, error: describeFailure(error) };
  }
}

function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message || String(error.cause) : error.message;
}
