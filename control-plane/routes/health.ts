import { Router } from '@koa/router';
import { timingSafeEqual } from 'node:crypto';
import { SpoqError } from '../../contract/errors.ts';
import type { Deps } from '../deps.ts';

/** `/health`: the process answers. `/ready`: so do the database and its schema, and it isn't ending. `/metrics`: Prometheus, with METRICS_TOKEN where one is set. */
export function createHealthRoutes(deps: Pick<Deps, 'config' | 'db' | 'metrics' | 'ending'>): Router {
  const router = new Router();
  router.get('/health', (ctx) => {
    ctx.body = { status: 'ok' };
  });
  router.get('/ready', async (ctx) => {
    if (deps.ending?.aborted === true) throw new SpoqError('not_ready', { detail: 'This process is ending.' });
    try {
      await deps.db.raw('SELECT 1 FROM users LIMIT 1').timeout(2_000);
    } catch (cause) {
      throw new SpoqError('not_ready', { detail: 'The database does not answer.', retryAfterSeconds: 5, cause });
    }
    ctx.body = { status: 'ready' };
  });
  router.get('/metrics', async (ctx) => {
    const token = deps.config.METRICS_TOKEN;
    if (token === undefined && deps.config.SPOQ_ENV === 'production') throw new SpoqError('not_found');
    if (token !== undefined && !sameText(ctx.get('Authorization'), `Bearer ${token.reveal()}`))
      throw new SpoqError('not_found');
    ctx.type = deps.metrics.registry.contentType;
    ctx.body = await deps.metrics.registry.metrics();
  });
  return router;
}

function sameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
