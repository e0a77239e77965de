import { Router } from '@koa/router';
import { SpoqError } from '../../contract/errors.ts';
import type { Middleware, RequestState } from '../web.ts';

/** Method and path, `POST /api/ask`, to what answers there. */
export type RouteTable = Record<`${'GET' | 'POST' | 'PUT' | 'DELETE'} /${string}`, Middleware>;

/** All addresses of the conductor, the same on both listeners; anything else is 404 or 405. */
export function createRoutes(table: RouteTable): Middleware[] {
  const router = new Router<RequestState>({ strict: true, sensitive: true });
  for (const [route, handler] of Object.entries(table)) {
    const [method = '', path = ''] = route.split(' ');
    router.register(path, [method], handler);
  }
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
