import { Router } from '@koa/router';
import { SpoqError } from '../../contract/errors.ts';
import type { Middleware, RequestState } from '../web.ts';

export interface Handlers {
  health: Middleware;
  status: Middleware;
  ask: Middleware;
}

/** All addresses of the conductor, the same on both listeners; anything else is 404 or 405. */
export function createRoutes(handlers: Handlers): Middleware[] {
  const router = new Router<RequestState>({ strict: true, sensitive: true });
  router.get('/health', handlers.health);
  router.get('/api/status', handlers.status);
  router.post('/api/ask', handlers.ask);
  return [router.routes() as Middleware, refuseRest(router)];
}

function refuseRest(router: Router<RequestState>): Middleware {
  return (ctx) => {
    const allowed = router.match(ctx.path, ctx.method).path.flatMap((layer) => layer.methods);
    if (allowed.length === 0) throw new SpoqError('not_found');
    ctx.set('allow', allowed.join(', '));
    throw new SpoqError('method_not_allowed', { detail: `This address takes ${allowed.join(' and ')}.` });
  };
}
