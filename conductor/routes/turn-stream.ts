import { SpoqError } from '../../contract/errors.ts';
import { writeEvents } from '../event-stream.ts';
import type { NumberedEvent } from '../conversations/event-log.ts';
import type { Context } from '../web.ts';

/** How long silence and a reader that takes nothing are borne, where it differs. */
export interface StreamLimits {
  heartbeatMs?: number | undefined;
  readerMs?: number | undefined;
}

/** Proxies and mobile networks drop connections that are silent for 30 to 60 seconds. */
const HEARTBEAT_MS = 15_000;
/** A reader that takes nothing for a minute is stuck or gone. */
const STUCK_READER_MS = 60_000;

/** Fires when the reader has gone. The work goes on. */
export function readerSignal(ctx: Context): AbortSignal {
  const reader = new AbortController();
  ctx.res.once('close', () => reader.abort());
  if (!ctx.writable) reader.abort();
  return reader.signal;
}

/** Answers 200 and the events as they come, from the disk and live. Past Koa, whose pipe of streams takes longer than all that is written. */
export function sendEvents(ctx: Context, events: AsyncGenerator<NumberedEvent>, limits: StreamLimits): void {
  ctx.set({ 'x-accel-buffering': 'no', 'cache-control': 'no-store, no-transform' });
  ctx.type = 'text/event-stream; charset=utf-8';
  ctx.status = 200;
  ctx.respond = false;
  ctx.flushHeaders();
  const { heartbeatMs = HEARTBEAT_MS, readerMs = STUCK_READER_MS } = limits;
  writeEvents(ctx.res, events, { heartbeatMs, readerMs }).catch((error: unknown) => {
    ctx.app.emit('error', error, ctx);
    ctx.res.destroy();
  });
}

/** The number after which a client wants to see events: `Last-Event-ID` (WHATWG HTML §9.2), or 0. Throws `invalid_request`. */
export function readLastEventId(ctx: Context): number {
  const text = ctx.get('last-event-id');
  if (text === '') return 0;
  const number = Number(text);
  if (/^\d{1,15}$/.test(text) && Number.isSafeInteger(number)) return number;
  throw new SpoqError('invalid_request', {
    detail: 'Last-Event-ID is not the number of an event.',
    faults: [{ field: 'Last-Event-ID', message: 'must be a whole number' }],
  });
}
