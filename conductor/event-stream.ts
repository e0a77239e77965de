import type { ServerResponse } from 'node:http';
import type { NumberedEvent } from './conversations/event-log.ts';

/** How long silence and a reader that takes nothing are borne. */
export interface StreamLimits {
  heartbeatMs: number;
  readerMs: number;
}

const HEARTBEAT = ': still here\n\n';

/**
 * Writes the events as they come as a server-sent event stream, with their numbers as ids and a comment whenever `heartbeatMs` pass without
 * one. Settles after the last event, or when the reader has gone. A reader that takes nothing for `readerMs` is hung up on: it would hold its
 * place for as long as it likes. (A socket's own timeout won't do: bun's doesn't see what is sent.)
 */
export async function writeEvents(
  res: ServerResponse,
  events: AsyncIterable<NumberedEvent>,
  { heartbeatMs, readerMs }: StreamLimits,
): Promise<void> {
  const heartbeat = setInterval(() => void (res.writableNeedDrain || res.write(HEARTBEAT)), heartbeatMs);
  try {
    for await (const event of events) {
      if (res.destroyed) return;
      heartbeat.refresh();
      if (!res.write(formatEvent(event))) await drained(res, readerMs);
    }
    res.end();
  } finally {
    clearInterval(heartbeat);
  }
}

function formatEvent({ number, event }: NumberedEvent): string {
  return `${number === null ? '' : `id: ${number}\n`}event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}

/** Settles when the reader has taken what was written, or is gone. */
async function drained(res: ServerResponse, readerMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const stuck = setTimeout(() => res.destroy(), readerMs);
  res.once('drain', resolve).once('close', resolve);
  if (!res.destroyed) await promise;
  clearTimeout(stuck);
  res.off('drain', resolve).off('close', resolve);
}
