import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SpoqError } from '../../contract/errors.ts';

/** A holder that died is recognised after so long without a sign of life. */
const STALE_MS = 15_000;
/** Waiting: 50 ms doubling up to 400 ms, about a minute in all; a refresh takes well under a second. */
const RETRIES = { retries: 150, factor: 2, minTimeout: 50, maxTimeout: 400, randomize: true };

/**
 * Runs `work` while no other `spoq` process on this computer does the same for `path`. The lock is a folder beside the file,
 * so it works between processes and on network file systems; one that a killed process left behind goes stale.
 */
export async function withFileLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  const { lock } = await import('proper-lockfile');
  let release: () => Promise<void>;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    release = await lock(path, {
      realpath: false,
      stale: STALE_MS,
      retries: RETRIES,
      // Losing the lock (a laptop that slept) is no reason to die: the server accepts a token that was just rotated.
      onCompromised: () => undefined,
    });
  } catch (error) {
    throw new SpoqError('file_unusable', { detail: `${path}.lock cannot be taken.`, cause: error });
  }
  try {
    return await work();
  } finally {
    await release().catch(ignoreLostLock);
  }
}

/** Already taken over by somebody else: nothing is left to release. */
function ignoreLostLock(error: unknown): void {
  if (!isCode(error, 'ERELEASED') && !isCode(error, 'ENOTACQUIRED') && !isCode(error, 'ECOMPROMISED')) throw error;
}

function isCode(error: unknown, code: string): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === code;
}
