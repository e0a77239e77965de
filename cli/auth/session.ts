import { SpoqError } from '../../contract/errors.ts';
import type { Credentials } from '../../contract/files.ts';
import type { CliDeps } from '../deps.ts';
import { findControlPlaneUrl } from './control-plane-url.ts';
import { createControlPlane } from './control-plane.ts';
import type { ControlPlane, TokenAnswer } from './control-plane.ts';
import { findCredentialsPath, loadCredentials, saveCredentials, toCredentials } from './credentials.ts';
import { withFileLock } from './lock.ts';

/** A token that expires sooner than this is refreshed first: it has to last until the box has looked at it. */
const REFRESH_BEFORE_MS = 60_000;
/** A refresh whose answer was lost is sent again; the server honours a token that was rotated just now. */
const REFRESH_ATTEMPTS = 3;
const REFRESH_BACKOFF_MS = 500;

/**
 * The sign-in, refreshed when it is about to expire or when the box rejected `rejectedToken`. Ten processes at once refresh
 * once: whoever waited for the lock finds the new token in the file. Throws `not_authenticated` when there is no sign-in or
 * when it has ended; the file is kept then.
 */
export async function getCredentials(deps: CliDeps, rejectedToken?: string): Promise<Credentials> {
  const path = findCredentialsPath(deps);
  const before = await requireCredentials(path);
  if (isFresh(before, deps.now()) && before.access_token !== rejectedToken) return before;
  return withFileLock(path, async () => {
    const present = await requireCredentials(path);
    // Refreshed by another process meanwhile. Its clock and ours are the same, so this holds even where the clock is wrong.
    if (present.access_token !== before.access_token) return present;
    const controlPlane = createControlPlane(deps.http, findControlPlaneUrl(deps.env, present), deps.signal);
    const answer = await refreshPatiently(deps, controlPlane, present.refresh_token);
    if (!answer.ok) throw describeRefusal(answer, controlPlane.url);
    const renewed = toCredentials(answer.tokens, deps.now());
    await saveCredentials(path, renewed);
    return renewed;
  });
}

/** Reads the sign-in. Throws `not_authenticated` when there is none. */
async function requireCredentials(path: string): Promise<Credentials> {
  const credentials = await loadCredentials(path);
  if (credentials === undefined) throw new SpoqError('not_authenticated');
  return credentials;
}

function isFresh(credentials: Credentials, now: number): boolean {
  return Date.parse(credentials.expires_at) - now > REFRESH_BEFORE_MS;
}

async function refreshPatiently(deps: CliDeps, controlPlane: ControlPlane, token: string): Promise<TokenAnswer> {
  for (let attempt = 1; ; attempt++) {
    try {
      const answer = await controlPlane.refresh(token);
      const transient = !answer.ok && ['temporarily_unavailable', 'server_error'].includes(answer.error);
      if (!transient || attempt === REFRESH_ATTEMPTS) return answer;
    } catch (error) {
      if (!isTransient(error) || attempt === REFRESH_ATTEMPTS) throw error;
    }
    await deps.sleep(REFRESH_BACKOFF_MS * 2 ** (attempt - 1), deps.signal);
  }
}

function isTransient(error: unknown): boolean {
  return error instanceof SpoqError && (error.code === 'control_plane_unreachable' || error.status >= 500);
}

function describeRefusal(answer: TokenAnswer & { ok: false }, url: URL): SpoqError {
  if (answer.error === 'temporarily_unavailable' || answer.error === 'server_error') {
    return new SpoqError('control_plane_unreachable', { detail: `${url.host} could not renew the sign-in just now.` });
  }
  return new SpoqError('not_authenticated', {
    detail: 'The sign-in of this computer has ended, or was revoked.',
    next: "Run 'spoq init' to sign in again.",
  });
}
