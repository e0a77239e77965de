import type { ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { ParameterizedContext } from 'koa';
import type { RequestState } from '../parse-body.ts';

export type ModelRequest = ParameterizedContext<RequestState>;

/** A server-sent event (WHATWG HTML §9.2); `name` is left out where a vendor sends unnamed ones. */
export function formatEvent(data: unknown, name?: string): string {
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  return `${name === undefined ? '' : `event: ${name}\n`}data: ${text}\n\n`;
}

/** Aborted when the connection closes before the answer was complete: the client has gone, or was cut off. */
export function createClientSignal(res: ServerResponse): AbortSignal {
  const controller = new AbortController();
  res.once('close', () => {
    if (!res.writableFinished) controller.abort();
  });
  return controller.signal;
}

/**
 * Sends frames as they come, each on the wire at once; `null` closes the connection in the middle. Past Koa on purpose: it
 * would report every client that goes away as an error of the vendor.
 */
export async function sendFrames(ctx: ModelRequest, frames: AsyncIterable<string | null>): Promise<void> {
  ctx.respond = false;
  const { res } = ctx;
  res.statusCode = 200;
  res.setHeader('content-type', 'text/event-stream; charset=utf-8');
  res.setHeader('cache-control', 'no-cache');
  res.flushHeaders();
  for await (const frame of frames) {
    if (frame === null || res.destroyed) {
      res.destroy();
      return;
    }
    if (!res.write(frame)) await Promise.race([once(res, 'drain'), once(res, 'close')]);
  }
  if (!res.destroyed) res.end();
}
