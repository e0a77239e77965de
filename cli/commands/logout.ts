import { SpoqError } from '../../contract/errors.ts';
import type { Credentials } from '../../contract/files.ts';
import { findControlPlaneUrl } from '../auth/control-plane-url.ts';
import { createControlPlane } from '../auth/control-plane.ts';
import { deleteCredentials, findCredentialsPath, loadCredentials, showPath } from '../auth/credentials.ts';
import { withFileLock } from '../auth/lock.ts';
import { loadMarker } from '../box/marker.ts';
import type { CliDeps } from '../deps.ts';

export interface LogoutOptions {
  json: boolean;
}

/**
 * `spoq logout`: revokes the sign-in of this computer and removes its file. The file goes even when the control plane can't be
 * reached; then it says so, because the tokens stay valid there.
 */
export async function runLogout(deps: CliDeps, options: LogoutOptions): Promise<void> {
  if ((await loadMarker(deps.env)) !== undefined)
    return say(deps, options, { signed_out: false, revoked: false }, 'This is your box: there is no sign-in here.');
  const path = findCredentialsPath(deps);
  const found = await loadOrBroken(path);
  if (found === undefined)
    return say(deps, options, { signed_out: false, revoked: false }, 'This computer is not signed in.');
  const revoked = await signOut(deps, options);
  return say(
    deps,
    options,
    { signed_out: true, revoked },
    `Signed out. ${showPath(path, deps.homeFolder)} was removed.`,
  );
}

/** Revokes the sign-in and removes its file, whatever the control plane says. Answers whether it was revoked; talks on stderr. */
export async function signOut(deps: CliDeps, options: { json: boolean }): Promise<boolean> {
  const path = findCredentialsPath(deps);
  return withFileLock(path, async () => {
    // Read again under the lock: a refresh that ran meanwhile has replaced the token.
    const present = await loadOrBroken(path);
    const failure = present === undefined || present === 'broken' ? undefined : await revoke(deps, present);
    await deleteCredentials(path);
    if (failure !== undefined && !options.json) {
      await deps.stderr.write(
        `The sign-in was not revoked: ${failure.detail ?? failure.title}\nIt ends by itself after 30 days without use.\n`,
      );
    }
    return failure === undefined && present !== 'broken';
  });
}

function say(
  deps: CliDeps,
  options: LogoutOptions,
  result: { signed_out: boolean; revoked: boolean },
  words: string,
): Promise<void> {
  return deps.stdout.write(options.json ? `${JSON.stringify(result)}\n` : `${words}\n`);
}

/** A broken file holds nothing that could be revoked; it is removed all the same. */
async function loadOrBroken(path: string): Promise<Credentials | 'broken' | undefined> {
  try {
    return await loadCredentials(path);
  } catch (error) {
    if (error instanceof SpoqError && error.code === 'not_authenticated') return 'broken';
    throw error;
  }
}

/** The reason why it couldn't be revoked, or nothing. */
async function revoke(deps: CliDeps, credentials: Credentials): Promise<SpoqError | undefined> {
  try {
    const controlPlane = createControlPlane(deps.http, findControlPlaneUrl(deps.env, credentials), deps.signal);
    await controlPlane.revoke(credentials.refresh_token);
    return undefined;
  } catch (error) {
    if (error instanceof SpoqError && error.code !== 'cancelled') return error;
    throw error;
  }
}
