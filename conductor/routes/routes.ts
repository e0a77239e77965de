import { Router } from '@koa/router';
import { SpoqError } from '../../contract/errors.ts';
import type { Middleware, RequestState } from '../web.ts';
import type { WorkspaceHandlers } from './workspaces.ts';

export interface Handlers {
  health: Middleware;
  status: Middleware;
  ask: Middleware;
  workspaces: WorkspaceHandlers;
}

/** All addresses of the conductor, the same on both listeners; anything else is 404 or 405. */
export function createRoutes(handlers: Handlers): Middleware[] {
  const router = new Router<RequestState>({ strict: true, sensitive: true });
  router.get('/health', handlers.health);
  router.get('/api/status', handlers.status);
  router.post('/api/ask', handlers.ask);
  const { workspaces } = handlers;
  router.get('/api/workspaces', workspaces.list);
  router.get('/api/workspaces/:name/changes', workspaces.watch);
  router.post('/api/workspaces/:name/scan', workspaces.scan);
  router.post('/api/workspaces/:name/contents', workspaces.contents);
  router.post('/api/workspaces/:name/fetch', workspaces.fetch);
  router.post('/api/workspaces/:name/apply', workspaces.apply);
  router.post('/api/workspaces/:name/snapshot', workspaces.snapshot);
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
