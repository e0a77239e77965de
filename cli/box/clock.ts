import { SpoqError } from '../../contract/errors.ts';
import { formatSeconds } from '../terminal/format.ts';

/** Networks delay a message, and nobody's clock is right to the second. */
const TOLERANCE_MS = 60_000;

/**
 * A fresh token that the box refuses, from a box whose clock is far from this computer's: says so, since tokens hold for an
 * hour. `date` is the header of the refusal. Returns the error as it is where clocks agree.
 */
export function explainClock(error: SpoqError, date: string | undefined, now: number, host: string): SpoqError {
  const aheadMs = Date.parse(date ?? '') - now;
  if (error.code !== 'token_invalid' || !(Math.abs(aheadMs) > TOLERANCE_MS)) return error;
  const off = `${formatSeconds(Math.abs(aheadMs) / 1000)} ${aheadMs > 0 ? 'ahead of' : 'behind'}`;
  return new SpoqError('token_invalid', {
    detail: `${error.detail ?? error.title}\nThe clock of ${host} is ${off} this computer's.`,
    next: 'Correct the clock that is wrong (on the box: `timedatectl` shows it), then try again.',
    cause: error,
  });
}
