import { mkdirSync } from 'node:fs';
import path from 'node:path';
import lockfile from 'proper-lockfile';

const STALE_MS = 30_000;
const WAIT_MS = 500;

/**
 * Runs `work` while no other process that uses this function holds `name` in `folder` (which is made). A holder that died gives
 * way after 30 s without a heartbeat. `onWait` is called once if somebody else is at it.
 */
export async function withLock<T>(
  folder: string,
  name: string,
  work: () => Promise<T>,
  onWait: () => void = () => {},
): Promise<T> {
  mkdirSync(folder, { recursive: true });
  const release = await acquire(path.join(folder, name), onWait);
  try {
    return await work();
  } finally {
    await release();
  }
}

async function acquire(file: string, onWait: () => void): Promise<() => Promise<void>> {
  for (let waits = 0; ; waits++) {
    try {
      return await lockfile.lock(file, { realpath: false, stale: STALE_MS, update: STALE_MS / 6 });
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ELOCKED')) throw error;
      if (waits === 0) onWait();
      await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
    }
  }
}
