import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { ListenerName, Middleware } from './web.ts';

const REQUEST_ID = /^[\w-]{8,64}$/;
/** Paths are logged as far as they can be ours. */
const MAX_PATH = 100;

/** Gives each request an id (the caller's, if it is a plain one) and writes one log line when its answer has ended. */
export function createRequestLog(log: Logger, listener: ListenerName): Middleware {
  return (ctx, next) => {
    const started = performance.now();
    const given = ctx.get('x-request-id');
    ctx.state.requestId = REQUEST_ID.test(given) ? given : randomUUID();
    ctx.state.notes = {};
    ctx.set({
      'x-request-id': ctx.state.requestId,
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
    });
    ctx.res.once('close', () => {
      log.info(
        {
          request_id: ctx.state.requestId,
          listener,
          method: ctx.method,
          path: ctx.path.slice(0, MAX_PATH),
          status: ctx.status,
          ms: Math.round(performance.now() - started),
          complete: ctx.res.writableFinished,
          ...ctx.state.notes,
        },
        'request',
      );
    });
    return next();
  };
}
