import { createId } from '../state.ts';
import type { TestClock } from '../state.ts';

/** Stripe deletes a test clock by itself after 30 days. */
const KEPT_SECONDS = 30 * 86_400;

export function createTestClock(fields: { frozen_time: number; name?: string }, now: number): TestClock {
  return {
    id: createId('clock'),
    object: 'test_helpers.test_clock',
    created: now,
    deletes_after: now + KEPT_SECONDS,
    frozen_time: fields.frozen_time,
    livemode: false,
    name: fields.name ?? null,
    status: 'ready',
    status_details: {},
  };
}
