import type { Middleware } from 'koa';
import { SpoqError } from '../../contract/errors.ts';

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Refuses writes that another site made the browser send. A box under our domain is same-*site*, so SameSite cookies protect
 * nothing: only `Sec-Fetch-Site: same-origin`, or exactly our `Origin`, will do. Guard every route that trusts a cookie.
 */
export function createSameOriginGuard(baseUrl: string): Middleware {
  const origin = new URL(baseUrl).origin;
  return async (ctx, next) => {
    const site = ctx.get('Sec-Fetch-Site');
    const given = ctx.get('Origin');
    const same = site === '' ? given === origin : site === 'same-origin' && (given === '' || given === origin);
    if (!SAFE.has(ctx.method) && !same) throw new SpoqError('cross_site');
    await next();
  };
}
