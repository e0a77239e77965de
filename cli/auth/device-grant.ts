import type { DeviceResponse, TokenResponse } from '../../contract/auth.ts';
import { SpoqError } from '../../contract/errors.ts';
import type { CliDeps } from '../deps.ts';
import type { ControlPlane, TokenAnswer } from './control-plane.ts';

/** RFC 8628 §3.5: `slow_down` adds five seconds for good. */
const SLOW_DOWN_SECONDS = 5;
/** Clocks that run fast (WSL after sleep) poll too early and are told to slow down for ever; a tenth more avoids it. */
const DRIFT_FACTOR = 1.1;
/** After network trouble the interval doubles (RFC 8628 §3.5), up to this. */
const MAX_INTERVAL_SECONDS = 60;

/**
 * Polls until the person has approved or denied the grant. Network trouble and a server that is down are waited out.
 * Throws `sign_in_denied`, `sign_in_expired`, or `cancelled`.
 */
export async function waitForApproval(
  deps: Pick<CliDeps, 'sleep' | 'signal'>,
  controlPlane: ControlPlane,
  grant: DeviceResponse,
): Promise<TokenResponse> {
  // What was waited counts and not the clock, which jumps when it is set right; the server says by itself that a code has expired.
  let leftMs = grant.expires_in * 1000;
  let interval = grant.interval;
  let trouble = 1;
  while (leftMs > 0) {
    const wait = Math.min(interval * trouble, Math.max(interval, MAX_INTERVAL_SECONDS)) * 1000 * DRIFT_FACTOR;
    await deps.sleep(wait, deps.signal);
    leftMs -= wait;
    const answer = await pollOnce(controlPlane, grant.device_code);
    if (answer === 'trouble') {
      trouble *= 2;
      continue;
    }
    trouble = 1;
    if (answer.ok) return answer.tokens;
    if (answer.error === 'slow_down') interval += SLOW_DOWN_SECONDS;
    else if (answer.error !== 'authorization_pending') throw describeEnd(answer);
  }
  throw new SpoqError('sign_in_expired');
}

async function pollOnce(controlPlane: ControlPlane, deviceCode: string): Promise<TokenAnswer | 'trouble'> {
  try {
    const answer = await controlPlane.pollDevice(deviceCode);
    const down = !answer.ok && ['temporarily_unavailable', 'server_error'].includes(answer.error);
    return down ? 'trouble' : answer;
  } catch (error) {
    const transient = error instanceof SpoqError && (error.status >= 500 || error.status === 429);
    if (!transient) throw error;
    return 'trouble';
  }
}

function describeEnd({ error, description }: TokenAnswer & { ok: false }): SpoqError {
  if (error === 'access_denied') return new SpoqError('sign_in_denied', { detail: description });
  if (error === 'expired_token') return new SpoqError('sign_in_expired');
  if (error === 'invalid_grant') return new SpoqError('sign_in_expired', { detail: description });
  return new SpoqError('invalid_request', { detail: description ?? error, next: 'Update spoq and try again.' });
}
