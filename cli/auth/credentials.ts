import { randomBytes } from 'node:crypto';
import { chmod, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SpoqError } from '../../contract/errors.ts';
import type { TokenResponse } from '../../contract/auth.ts';
import { Credentials } from '../../contract/files.ts';
import type { CliDeps } from '../deps.ts';
import { parseJson } from '../http/problem.ts';

/** Where the sign-in is kept: `~/.spoq/credentials`, or under SPOQ_HOME. */
export function findCredentialsPath(deps: Pick<CliDeps, 'env' | 'homeFolder'>): string {
  return join(deps.env.SPOQ_HOME || join(deps.homeFolder, '.spoq'), 'credentials');
}

/** `path` as a person writes it, with ~ for the home folder. */
export function showPath(path: string, homeFolder: string): string {
  return path.startsWith(`${homeFolder}/`) ? `~${path.slice(homeFolder.length)}` : path;
}

/** Reads the sign-in; `undefined` when there is none. Throws `not_authenticated` when the file is broken. */
export async function loadCredentials(path: string): Promise<Credentials | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw new SpoqError('file_unusable', { detail: `${path} cannot be read.`, cause: error });
  }
  const credentials = Credentials.safeParse(parseJson(text));
  if (credentials.success) return credentials.data;
  throw new SpoqError('not_authenticated', {
    detail: `${path} is broken: it does not hold a sign-in.`,
    next: "Run 'spoq init' to sign in again.",
  });
}

/** The tokens as they are kept. `now` is in milliseconds since the epoch. */
export function toCredentials(tokens: TokenResponse, now: number): Credentials {
  const expiresAt = new Date(now + tokens.expires_in * 1000);
  return {
    vps_hostname: tokens.vps_hostname,
    access_token: tokens.access_token,
    refresh_token: tokens.refresh_token,
    expires_at: expiresAt.toISOString().replace(/\.\d{3}Z$/, 'Z'),
    user_id: tokens.user_id,
    username: tokens.username,
    ...(tokens.notice === undefined ? {} : { notice: tokens.notice }),
  };
}

/**
 * Writes the sign-in so that a crash at any line leaves the old file or the new one: a new file (0600) is filled, forced
 * to disk and renamed over the old one. The folder becomes 0700. Throws `file_unusable`.
 */
export async function saveCredentials(path: string, credentials: Credentials): Promise<void> {
  const folder = dirname(path);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await chmod(folder, 0o700);
    await replaceFile(path, `${JSON.stringify(credentials, null, 2)}\n`);
    await syncFolder(folder);
  } catch (error) {
    throw new SpoqError('file_unusable', { detail: `${path} cannot be written.`, cause: error });
  }
}

async function replaceFile(path: string, text: string): Promise<void> {
  const draft = `${path}.${process.pid}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await writeDurably(draft, text);
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

/** Removes the sign-in. */
export async function deleteCredentials(path: string): Promise<void> {
  try {
    await rm(path, { force: true });
  } catch (error) {
    throw new SpoqError('file_unusable', { detail: `${path} cannot be removed.`, cause: error });
  }
}

async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The rename itself must survive a power cut. Windows can't open a folder. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** True when the error says that there is no such file. */
export function isMissing(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT';
}
