import type { SpoqError } from '../../contract/errors.ts';
import type { CliDeps } from '../deps.ts';

/** A conductor that stops lets answers end for 30 s, and says meanwhile that it does. */
const RESTARTING_MS = 45_000;
/** After a crash it answers again within 5 s. A box that isn't there is given up soon. */
const GONE_MS = 10_000;
const PAUSES_MS = [500, 1000, 2000];

/** Why nothing has been begun, as far as one can tell: the same request may be sent again. */
export type Absence = 'restarting' | 'gone';

export interface Failed {
  error: SpoqError;
  absence: Absence | undefined;
}

/** Told once, before the first wait. */
export type OnWait = (message: string) => Promise<void>;

/**
 * Calls `attempt` again while it fails because the box restarts: up to 45 s where the box says so itself, up to 10 s where
 * nobody answers. Returns what the last attempt brought.
 */
export async function callPatiently<T extends object, F extends Failed>(
  deps: Pick<CliDeps, 'now' | 'sleep' | 'signal'>,
  attempt: () => Promise<T | F>,
  onWait: OnWait,
): Promise<T | F> {
  const startedAt = deps.now();
  for (let tries = 0; ; tries += 1) {
    const result = await attempt();
    if (!('absence' in result) || result.absence === undefined) return result;
    const patienceMs = result.absence === 'restarting' ? RESTARTING_MS : GONE_MS;
    const pauseMs = PAUSES_MS[Math.min(tries, PAUSES_MS.length - 1)] ?? 0;
    if (deps.now() + pauseMs - startedAt > patienceMs) return result;
    if (tries === 0) await onWait(describeWait(result, patienceMs));
    await deps.sleep(pauseMs, deps.signal);
  }
}

function describeWait({ error, absence }: Failed, patienceMs: number): string {
  const seconds = patienceMs / 1000;
  if (absence === 'restarting') return `The box is restarting; trying again for up to ${seconds} s.`;
  return `${error.detail ?? error.title} The box may be restarting; trying again for up to ${seconds} s.`;
}
