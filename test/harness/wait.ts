/**
 * Waits until `probe` answers something other than undefined or false, and answers that. Fails with `what` and the last error
 * after `deadlineMs`. Tests wait for conditions, never for time. What takes seconds is asked for less often: a question may be a
 * query, or a look at every process.
 */
export async function waitFor<T>(
  what: string,
  probe: () => T | Promise<T>,
  deadlineMs = 30_000,
): Promise<Exclude<T, undefined | false>> {
  const began = Date.now();
  const deadline = began + deadlineMs;
  for (let last: unknown; ;) {
    try {
      const found = await probe();
      if (found !== undefined && found !== false) return found as Exclude<T, undefined | false>;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) throw new Error(`Waited ${deadlineMs / 1000} s for ${what}`, { cause: last });
    await new Promise((resolve) => setTimeout(resolve, choosePause(Date.now() - began, deadlineMs)));
  }
}

/** In proportion to what has gone by, and at most half a second, for what may take minutes. */
function choosePause(waitedMs: number, deadlineMs: number): number {
  const longest = Math.min(500, deadlineMs / 600);
  return Math.max(25, Math.min(longest, waitedMs / 40));
}
