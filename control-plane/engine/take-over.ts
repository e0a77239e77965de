import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { SpoqError } from '../../contract/errors.ts';
import { type LockOwner, parseLockOwners } from './errors.ts';

/** An engine whose worker was killed interrupts itself and is killed after 15 s (guard.ts); after this long it is hanging. */
const WAIT_FOR_DEATH_MS = 25_000;
const LOOK_EVERY_MS = 200;

export interface TakeOverOptions {
  removeLock: () => Promise<void>;
  /** A dead engine's last order may still be on its way to the vendor: so long it is given to arrive, before anybody looks for it. */
  settleMs: number;
  signal?: AbortSignal;
}

/**
 * Runs `action`; when a lock stops it, removes the lock and runs it again, provided that who made it is dead. The caller's lease
 * says that nobody else works on this stack, so a live owner on this machine is the engine of a killed worker, about to end.
 * Owners on other machines can't be seen from here: for them the lease alone must do.
 */
export async function takeOverLock<T>(action: () => Promise<T>, options: TakeOverOptions): Promise<T> {
  const { removeLock, settleMs, signal } = options;
  try {
    return await action();
  } catch (error) {
    const owners = parseLockOwners(error);
    if (owners === undefined) throw error;
    await awaitDeath(owners, error, signal);
    await sleep(settleMs, undefined, { signal });
    await removeLock();
    return action();
  }
}

async function awaitDeath(owners: LockOwner[], cause: unknown, signal?: AbortSignal): Promise<void> {
  const until = Date.now() + WAIT_FOR_DEATH_MS;
  while (owners.some(isAlive)) {
    if (Date.now() >= until)
      throw new SpoqError('stack_busy', { detail: 'Another engine works on this box and does not end.', cause });
    await sleep(LOOK_EVERY_MS, undefined, { signal });
  }
}

function isAlive(owner: LockOwner): boolean {
  if (owner.hostname !== hostname()) return false;
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
  return process.platform !== 'linux' || isEngine(owner.pid);
}

/** The system may have given the number of a dead engine to another process; and a zombie is dead. */
function isEngine(pid: number): boolean {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return /^Name:\s+pulumi$/m.test(status) && !/^State:\s+Z/m.test(status);
  } catch {
    return false;
  }
}
