import type { Context, Middleware } from 'koa';
import type { BillingNotice } from '../../contract/billing.ts';
import { findNotice } from '../commands/find-notice.ts';
import type { Deps } from '../deps.ts';
import { getSession } from './session.ts';

/** What the signed-in person must know about what they pay: read for pages only, and shown on each. */
export function createNoticeMiddleware(deps: Pick<Deps, 'config' | 'db' | 'now'>): Middleware {
  return async (ctx, next) => {
    const { user } = getSession(ctx);
    if (user !== undefined && ctx.accepts('json', 'html') === 'html')
      ctx.state['notice'] = await findNotice(deps, user);
    await next();
  };
}

export function getNotice(ctx: Context): BillingNotice | undefined {
  return ctx.state['notice'] as BillingNotice | undefined;
}
