import type { Context, Middleware } from 'koa';
import type { BillingNotice } from '../../contract/billing.ts';
import { findSubscription } from '../db/subscriptions.ts';
import { findBoxOfUser } from '../db/user-vps.ts';
import type { Deps } from '../deps.ts';
import { presentNotice } from '../presenters/billing.ts';
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

/** The notice of a person, as it is now. */
export async function findNotice(
  deps: Pick<Deps, 'config' | 'db' | 'now'>,
  user: { id: string },
): Promise<BillingNotice | undefined> {
  const subscription = await findSubscription(deps.db, user.id);
  if (subscription === undefined) return undefined;
  const box = await findBoxOfUser(deps.db, user.id);
  return presentNotice(subscription, box, { now: deps.now(), baseUrl: deps.config.BASE_URL });
}
