import { randomUUID } from 'node:crypto';
import type { Middleware } from 'koa';
import type { Deps } from '../deps.ts';
import { requestContext } from '../log.ts';

const REQUEST_ID = /^[A-Za-z0-9_-]{8,64}$/;
/** What randomToken makes, and whatever more somebody has written behind it. */
const TOKEN = /[\w-]{43,}/g;

/** Gives every request an id (the caller's `X-Request-Id` when it is well formed), one log line and one measurement. */
export function createRequestMiddleware(deps: Pick<Deps, 'log' | 'metrics'>): Middleware {
  return async (ctx, next) => {
    const given = ctx.get('X-Request-Id');
    const requestId = REQUEST_ID.test(given) ? given : randomUUID();
    ctx.state['requestId'] = requestId;
    ctx.set('X-Request-Id', requestId);
    const begin = performance.now();
    await requestContext.run({ requestId }, async () => {
      await next();
      const seconds = (performance.now() - begin) / 1000;
      const route = (ctx as { _matchedRoute?: unknown })._matchedRoute;
      const pattern = typeof route === 'string' ? route : 'other';
      deps.metrics.httpRequestSeconds.observe(
        { method: ctx.method, route: pattern, status: String(ctx.status) },
        seconds,
      );
      // The path, never the query: codes and states travel in queries. Nor a token that is a part of it, route or no route.
      const path = ctx.path.replaceAll(TOKEN, ':token');
      deps.log.info({ method: ctx.method, path, status: ctx.status, ms: Math.round(seconds * 1000) }, 'request');
    });
  };
}
