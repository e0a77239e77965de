import type { Clock } from '../clock.ts';
import type { Store } from '../state.ts';
import { createEvent } from './objects/event.ts';
import type { Delivery, StripeObject, StripeState, TestClock } from './state.ts';
import { createId } from './state.ts';

/** The version of the API whose shapes the sandbox answers. */
export const API_VERSION = '2026-08-26.dahlia';

/** What every command of the emulator works on. */
export interface Account {
  /** Read anywhere; change inside `change` only. */
  readonly state: StripeState;
  clock: Clock;
  /** Base URL of this emulator, where its pay page is. */
  url(): string;
  /** Changes the state, whole or not at all on disk, then starts the deliveries that the change caused. */
  change<T>(work: (change: Change) => T): T;
}

export interface Change {
  state: StripeState;
  /** Seconds since the epoch. */
  now: number;
  /** Records an event about an object as it is now, and one delivery for each endpoint that wants it. */
  emit(type: string, object: StripeObject, previous?: Record<string, unknown>): void;
  /** The same change at another time: what was due then happens then, however late it is looked at. */
  at(now: number): Change;
  /** The same change in the time that a customer lives in: that of its test clock, or this one. */
  of(customer: string | null | undefined): Change;
}

/** Opens an account on a store; `wake` is called after each change, when deliveries may wait. */
export function createAccount(deps: {
  store: Store<StripeState>;
  clock: Clock;
  url: () => string;
  wake: () => void;
}): Account {
  const { store, clock } = deps;
  return {
    state: store.data,
    clock,
    url: deps.url,
    change(work) {
      const result = store.update((state) =>
        work(
          createChange(state, Math.floor(clock.now().getTime() / 1000), (event) => recordEvent(state, clock, event)),
        ),
      );
      deps.wake();
      return result;
    },
  };
}

interface EventFields {
  type: string;
  object: StripeObject;
  previous?: Record<string, unknown>;
  now: number;
}

/** A change of `state` at a time; `record` keeps the events. */
export function createChange(state: StripeState, now: number, record: (event: EventFields) => void): Change {
  return {
    state,
    now,
    emit: (type, object, previous) => record({ type, object, previous, now }),
    at: (time) => createChange(state, time, record),
    of: (customer) => createChange(state, clockOf(state, customer)?.frozen_time ?? now, record),
  };
}

/** A change of a copy of everything, of which nothing is kept: for what would come. Leaves out what no command reads. */
export function createRehearsal(state: StripeState, now: number): Change {
  const copy = structuredClone({ ...state, events: {}, deliveries: {}, idempotency: {} });
  return createChange(copy, now, () => undefined);
}

/** The test clock that a customer lives by. */
export function clockOf(state: StripeState, customer: string | null | undefined): TestClock | undefined {
  return state.test_clocks[String(state.customers[customer ?? '']?.['test_clock'])];
}

function recordEvent(state: StripeState, clock: Clock, fields: EventFields): void {
  const wanted = Object.values(state.webhook_endpoints).filter(
    ({ status, enabled_events: types }) => status === 'enabled' && (types.includes('*') || types.includes(fields.type)),
  );
  const now = clock.now().getTime();
  const event = createEvent({ ...fields, pendingWebhooks: wanted.length });
  state.events[event.id] = event;
  for (const endpoint of wanted) {
    const delivery = createDelivery(event.id, fields.type, endpoint, now);
    state.deliveries[delivery.id] = delivery;
  }
}

/** A delivery that is due at once. */
export function createDelivery(
  event: string,
  type: string,
  endpoint: { id: string; url: string },
  now: number,
): Delivery {
  return {
    id: createId('del'),
    event,
    event_type: type,
    endpoint: endpoint.id,
    url: endpoint.url,
    state: 'pending',
    next_attempt_at: now,
    attempts: [],
  };
}
