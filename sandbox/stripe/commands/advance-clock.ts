import type { Account, Change } from '../account.ts';
import { refuseMissing, refuseParam, StripeError } from '../errors.ts';
import { endOfPeriod } from '../objects/subscription.ts';
import type { StripeObject, StripeState, TestClock } from '../state.ts';
import { settleUntil } from './pass-time.ts';

/** How long an advance is seen as under way before it is done. */
const SETTLE_MS = 50;

/** Finds a test clock, or throws Stripe's refusal. */
export function findTestClock(state: StripeState, id = '', param?: string): TestClock {
  const clock = state.test_clocks[id];
  if (clock === undefined) throw refuseMissing('testclock', id, param);
  return clock;
}

/** Begins to move a test clock forward, by two intervals of its shortest subscription at most. It settles soon after. */
export function advanceClock(change: Change, id: string, target: number): TestClock {
  const clock = findTestClock(change.state, id);
  if (clock.status === 'advancing')
    throw new StripeError(429, {
      type: 'invalid_request_error',
      message: 'Test clock advancement underway - cannot perform modifications.',
    });
  if (target <= clock.frozen_time)
    throw refuseParam("The new frozen time must be after the clock's present frozen time.", 'frozen_time');
  if (target > findFurthest(change.state, clock))
    throw refuseParam(
      'You cannot advance a test clock by more than two intervals of its shortest subscription.',
      'frozen_time',
    );
  clock.status = 'advancing';
  clock.status_details = { advancing: { target_frozen_time: target } };
  change.at(clock.frozen_time).emit('test_helpers.test_clock.advancing', clock);
  return clock;
}

function findFurthest(state: StripeState, clock: TestClock): number {
  const running = Object.values(state.subscriptions).filter(
    (one) => one['test_clock'] === clock.id && one.status !== 'canceled',
  );
  const ends = running
    .flatMap((one) => one.items.data)
    .map(({ price: { recurring } }) =>
      endOfPeriod(clock.frozen_time, recurring?.interval ?? 'month', 2 * (recurring?.interval_count ?? 1)),
    );
  return Math.min(Infinity, ...ends);
}

/** Ends a test clock and all that lives by it. */
export function deleteClock({ state, emit }: Change, id: string): object {
  const clock = findTestClock(state, id);
  const customers = new Set(
    Object.values(state.customers)
      .filter((one) => one['test_clock'] === id)
      .map((one) => one.id),
  );
  for (const kind of OF_CUSTOMERS) {
    const objects: Record<string, StripeObject> = state[kind];
    for (const [key, one] of Object.entries(objects)) if (customers.has(String(one['customer']))) delete objects[key];
  }
  for (const customer of customers) delete state.customers[customer];
  for (const [key, { invoice }] of Object.entries(state.invoice_payments))
    if (state.invoices[invoice] === undefined) delete state.invoice_payments[key];
  for (const [key, { charge }] of Object.entries(state.disputes))
    if (state.charges[charge] === undefined) delete state.disputes[key];
  delete state.test_clocks[id];
  emit('test_helpers.test_clock.deleted', clock);
  return { id, object: clock.object, deleted: true };
}

const OF_CUSTOMERS = [
  'checkout_sessions',
  'subscriptions',
  'payment_methods',
  'invoices',
  'invoice_items',
  'payment_intents',
  'charges',
  'refunds',
  'portal_sessions',
] as const;

export interface ClockSettler {
  /** Sees to the clocks that advance. Call after each change. */
  wake(): void;
  close(): void;
}

/** Finishes what advanceClock began, in the background, and after a restart what was left. */
export function createClockSettler(account: () => Account): ClockSettler {
  const timers = new Map<string, NodeJS.Timeout>();
  return {
    wake() {
      for (const { id, status } of Object.values(account().state.test_clocks)) {
        if (status !== 'advancing' || timers.has(id)) continue;
        const settle = (): void => {
          timers.delete(id);
          account().change((change) => settleClock(change, id));
        };
        timers.set(id, setTimeout(settle, SETTLE_MS).unref());
      }
    },
    close() {
      for (const timer of timers.values()) clearTimeout(timer);
    },
  };
}

function settleClock(change: Change, id: string): void {
  const clock = change.state.test_clocks[id];
  const target = clock?.status_details.advancing?.target_frozen_time;
  if (clock === undefined || target === undefined) return;
  settleUntil(change, target, clock);
  Object.assign(clock, { frozen_time: target, status: 'ready', status_details: {} });
  change.at(target).emit('test_helpers.test_clock.ready', clock);
}
