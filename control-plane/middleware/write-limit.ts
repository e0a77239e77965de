import type { Middleware } from 'koa';
import type { Deps } from '../deps.ts';
import { createRateLimiter, toAddressKey } from './rate-limit.ts';
import { isSafe } from './same-origin.ts';
import { getSession } from './session.ts';

/**
 * Counts every write once by account and once by address, whatever its route counts besides. It stands behind the same-origin
 * guard, so that only what a person's own pages send counts for them; and whoever is over their own limit no longer takes from
 * those who share their address.
 */
export function createWriteLimit(deps: Pick<Deps, 'db'>): Middleware {
  const byUser = createRateLimiter(deps, 'write', { remembers: true });
  const byAddress = createRateLimiter(deps, 'write-address', { remembers: true });
  return async (ctx, next) => {
    if (!isSafe(ctx)) {
      const { user } = getSession(ctx);
      if (user !== undefined) await byUser.consume(user.id);
      await byAddress.consume(toAddressKey(ctx.ip));
    }
    await next();
  };
}
