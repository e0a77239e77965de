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
    await new Promise((resolve) => setTimeout(resolve, pauseAfter(Date.now() - began)));
  }
}

const pauseAfter = (waitedMs: number): number => Math.min(100, Math.max(25, waitedMs / 40));
