import { createHash } from 'node:crypto';
import type { Account } from './account.ts';
import { StripeError } from './errors.ts';

/** Stripe keeps an answer for at least 24 hours. */
const KEPT_SECONDS = 24 * 3600;

/** The first answer to a request with an Idempotency-Key. */
export interface KeptAnswer {
  fingerprint: string;
  status: number;
  body: unknown;
  created: number;
}

export interface Answer {
  status: number;
  body: unknown;
}

/**
 * Gives a repeated request the first one's answer. The same key with another path or other parameters is an
 * idempotency_error. Requests that never began (bad parameters, no access) keep nothing, as at Stripe; since the emulator
 * answers each request in one step, two with one key can't be under way at once.
 */
export function answerOnce(
  account: Account,
  request: { key: string; path: string; body: string },
  act: () => Answer,
): Answer & { replayed: boolean } {
  const fingerprint = createHash('sha256').update(`${request.path}\n${request.body}`).digest('hex');
  const kept = account.state.idempotency[request.key];
  if (kept !== undefined && kept.created + KEPT_SECONDS > seconds(account)) {
    if (kept.fingerprint !== fingerprint) throw refuseReuse(request.key);
    return { status: kept.status, body: kept.body, replayed: true };
  }
  const answer = act();
  account.change(({ state, now }) => {
    for (const [key, { created }] of Object.entries(state.idempotency)) {
      if (created + KEPT_SECONDS <= now) delete state.idempotency[key];
    }
    state.idempotency[request.key] = { fingerprint, ...structuredClone(answer), created: now };
  });
  return { ...answer, replayed: false };
}

function refuseReuse(key: string): StripeError {
  return new StripeError(400, {
    type: 'idempotency_error',
    message:
      'Keys for idempotent requests can only be used with the same parameters they were first used with. ' +
      `Try using a key other than '${key}' if you meant to execute a different request.`,
  });
}

function seconds(account: Account): number {
  return Math.floor(account.clock.now().getTime() / 1000);
}
