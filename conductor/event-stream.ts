import type { NumberedEvent } from './conversations/event-log.ts';

/** Proxies and mobile networks drop connections that are silent for 30 to 60 seconds. */
const HEARTBEAT_MS = 15_000;
const HEARTBEAT = ': still here\n\n';

/**
 * The events as lines of a server-sent event stream, with their numbers as ids and a comment whenever `heartbeatMs` pass
 * without an event. Ends with the events.
 */
export async function* formatEvents(
  events: AsyncIterator<NumberedEvent>,
  heartbeatMs = HEARTBEAT_MS,
): AsyncGenerator<string> {
  let pending = events.next();
  for (;;) {
    const result = await orSilence(pending, heartbeatMs);
    if (result === 'silence') {
      yield HEARTBEAT;
      continue;
    }
    if (result.done === true) return;
    const { number, event } = result.value;
    yield `${number === null ? '' : `id: ${number}\n`}event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
    pending = events.next();
  }
}

/**
 * Passes `lines` on and calls `giveUp` when one of them isn't taken for `ms`: a reader that is stuck would hold its place
 * and the model's connection for as long as it likes. (A socket's own timeout won't do: bun's doesn't see what is sent.)
 */
export async function* watchReader(
  lines: AsyncIterable<string>,
  ms: number,
  giveUp: () => void,
): AsyncGenerator<string> {
  let timer: NodeJS.Timeout | undefined;
  try {
    for await (const line of lines) {
      timer = setTimeout(giveUp, ms);
      yield line;
      clearTimeout(timer);
    }
  } finally {
    clearTimeout(timer);
  }
}

async function orSilence<T>(pending: Promise<T>, ms: number): Promise<T | 'silence'> {
  const { promise: silence, resolve } = Promise.withResolvers<'silence'>();
  const timer = setTimeout(() => resolve('silence'), ms);
  try {
    return await Promise.race([pending, silence]);
  } finally {
    clearTimeout(timer);
  }
}
