import { setTimeout as wait } from 'node:timers/promises';
import type { AskEvent } from '../contract/conductor.ts';

/** Proxies and mobile networks drop connections that are silent for 30 to 60 seconds. */
const HEARTBEAT_MS = 15_000;
const HEARTBEAT = ': still here\n\n';

/**
 * The events as lines of a server-sent event stream, numbered from 1, with a comment whenever `heartbeatMs` pass
 * without an event. Ends with the events.
 */
export async function* formatEvents(
  events: AsyncIterator<AskEvent>,
  heartbeatMs = HEARTBEAT_MS,
): AsyncGenerator<string> {
  let id = 0;
  let pending = events.next();
  for (;;) {
    const result = await orSilence(pending, heartbeatMs);
    if (result === 'silence') {
      yield HEARTBEAT;
      continue;
    }
    if (result.done === true) return;
    id += 1;
    yield `id: ${id}\nevent: ${result.value.type}\ndata: ${JSON.stringify(result.value)}\n\n`;
    pending = events.next();
  }
}

async function orSilence<T>(pending: Promise<T>, ms: number): Promise<T | 'silence'> {
  const timer = new AbortController();
  const silence = wait(ms, 'silence' as const, { signal: timer.signal });
  try {
    return await Promise.race([pending, silence]);
  } finally {
    timer.abort();
    silence.catch(() => undefined);
  }
}
