import type { Middleware } from 'koa';
import { createAddressFinder } from '../client-address.ts';

/** Makes `ctx.ip` the address of who sent the request, behind however many proxies of ours. */
export function createClientAddressMiddleware(proxies: readonly string[]): Middleware {
  const find = createAddressFinder(proxies);
  return async (ctx, next) => {
    ctx.request.ip = find(ctx.req.socket.remoteAddress ?? '', ctx.get('X-Forwarded-For'));
    await next();
  };
}
