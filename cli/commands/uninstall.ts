import { randomBytes } from 'node:crypto';
import { access, realpath, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SpoqError } from '../../contract/errors.ts';
import { findCredentialsPath, isMissing, showPath } from '../auth/credentials.ts';
import { loadMarker } from '../box/marker.ts';
import type { CliDeps } from '../deps.ts';
import { signOut } from './logout.ts';
import { requireExecutable } from './upgrade.ts';

export interface UninstallOptions {
  json: boolean;
  /** The sign-in goes as well; asked on a terminal. */
  purge: boolean;
}

/** `spoq uninstall`: removes this program and, when that is wished, the sign-in. */
export async function runUninstall(deps: CliDeps, options: UninstallOptions): Promise<void> {
  if ((await loadMarker(deps.env)) !== undefined)
    throw new SpoqError('conflict', {
      detail: 'This is your box: spoq is a part of it. Nothing was removed.',
      next: 'Run it on your own computer.',
    });
  const path = await realpath(requireExecutable(deps).path);
  if (deps.platform === 'win32')
    throw new SpoqError('file_unusable', {
      detail: `Windows does not let a program remove itself. Nothing was removed.`,
      next: `Sign out with 'spoq logout', then delete ${path}.`,
    });
  const credentials = findCredentialsPath(deps);
  const hasSignIn = await exists(credentials);
  const shown = showPath(credentials, deps.homeFolder);
  const purge = hasSignIn && (options.purge || (await wantsPurge(deps, options, shown)));
  const aside = await moveAside(path);
  try {
    // Without the program it could not be revoked any more.
    if (purge) await signOut(deps, options);
  } catch (error) {
    await rename(aside, path);
    throw error;
  }
  await rm(aside);
  if (options.json)
    return deps.stdout.write(
      `${JSON.stringify({ removed: path, signed_out: purge, kept: hasSignIn && !purge ? credentials : null })}\n`,
    );
  const kept = hasSignIn && !purge ? `Kept: your sign-in in ${shown}. Delete that file if you don't come back.\n` : '';
  const signedOut = purge ? `Signed out. ${shown} was removed.\n` : '';
  return deps.stdout.write(
    `${signedOut}Removed ${path}.\n${kept}Your box goes on. PATH and completion lines that you wrote are left to you.\n`,
  );
}

/** Whoever may rename it may remove it: so nothing is touched where that fails. Throws `file_unusable`. */
async function moveAside(path: string): Promise<string> {
  const aside = join(dirname(path), `.spoq-uninstall-${randomBytes(6).toString('hex')}`);
  try {
    await rename(path, aside);
    return aside;
  } catch (cause) {
    throw new SpoqError('file_unusable', {
      detail: `${dirname(path)} cannot be written. Nothing was removed.`,
      next: `Run it as somebody who may write there: sudo ${path} uninstall`,
      cause,
    });
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw new SpoqError('file_unusable', { detail: `${path} cannot be read. Nothing was removed.`, cause: error });
  }
}

async function wantsPurge(deps: CliDeps, options: UninstallOptions, shown: string): Promise<boolean> {
  const canAsk = !options.json && deps.stdin.isTTY && deps.stderr.isTTY;
  return canAsk && (await deps.confirm(`Sign out and remove ${shown} as well?`));
}
