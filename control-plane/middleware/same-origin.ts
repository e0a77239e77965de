import type { Context, Middleware } from 'koa';
import { SpoqError } from '../../contract/errors.ts';

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Whether a request of this method writes nothing (RFC 9110 §9.2.1). */
export function isSafe(ctx: Context): boolean {
  return SAFE.has(ctx.method);
}

/**
 * Refuses what another site made the browser send, as `cross_site`. A box under our domain is same-*site*, so SameSite cookies
 * protect nothing: a write needs `Sec-Fetch-Site: same-origin`, or exactly our `Origin`. A read may come from elsewhere as a page
 * that the person sees, and not as an image, frame or script (https://web.dev/articles/fetch-metadata). It stands before the
 * session and before every count: what is refused here takes nothing from whose browser it was.
 */
export function createSameOriginGuard(baseUrl: string): Middleware {
  const origin = new URL(baseUrl).origin;
  return async (ctx, next) => {
    const site = ctx.get('Sec-Fetch-Site');
    const given = ctx.get('Origin');
    const same = site === '' ? given === origin : site === 'same-origin' && (given === '' || given === origin);
    const isAllowed = isSafe(ctx) ? !isFromElsewhere(ctx) || ctx.get('Sec-Fetch-Dest') === 'document' : same;
    if (!isAllowed) throw new SpoqError('cross_site');
    await next();
  };
}

/** Whether the browser says that another site led here. Coming back from GitHub or Stripe is that, too. */
export function isFromElsewhere(ctx: Context): boolean {
  return ['same-site', 'cross-site'].includes(ctx.get('Sec-Fetch-Site'));
}
