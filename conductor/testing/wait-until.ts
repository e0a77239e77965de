import { setTimeout as wait } from 'node:timers/promises';

/** Looks every few milliseconds until `check` is true; throws with `what` after `deadlineMs`. */
export async function waitUntil(
  what: string,
  check: () => boolean | Promise<boolean>,
  deadlineMs = 30_000,
): Promise<void> {
  const deadline = Date.now() + deadlineMs;
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error(`waited ${deadlineMs} ms in vain: ${what}`);
    await wait(5);
  }
}
