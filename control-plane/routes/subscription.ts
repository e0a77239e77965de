import { Router } from '@koa/router';
import { CreateSubscriptionRequest } from '../../contract/billing.ts';
import { SpoqError } from '../../contract/errors.ts';
import { parseInput } from '../../contract/problem.ts';
import { bindCheckouts } from '../commands/bind-checkouts.ts';
import { createCheckout } from '../commands/create-checkout.ts';
import { findSetupPath } from '../commands/find-setup-path.ts';
import { syncCheckout } from '../commands/sync-checkout.ts';
import { findPaidCheckout, findCheckoutByStripeSession, updateCheckout } from '../db/checkouts.ts';
import type { Deps } from '../deps.ts';
import { createBodyMiddleware, getBody } from '../middleware/body.ts';
import { createRateLimiter, limitByAddress } from '../middleware/rate-limit.ts';
import { getSession, type Session } from '../middleware/session.ts';
import { findSubscription } from '../db/subscriptions.ts';
import { showPage } from '../pages/show-page.ts';

/** What ids of Checkout sessions are made of. */
const SESSION_ID = /^cs_\w{1,250}$/;

/** Paying: the way to Stripe Checkout, and back from it. */
export function createSubscriptionRoutes(deps: Deps): Router {
  const router = new Router();
  const limit = limitByAddress(createRateLimiter(deps, 'checkout'));

  router.post('/api/subscription/create', limit, createBodyMiddleware(), async (ctx) => {
    const { plan } = parseInput(CreateSubscriptionRequest, getBody(ctx));
    const session = getSession(ctx);
    const isForm = ctx.is('urlencoded') !== false;
    // Who comes back subscribes with a box that is still there, or with none.
    const present = session.user === undefined ? undefined : await findSubscription(deps.db, session.user.id);
    const hasPaid =
      session.user === undefined
        ? (await findSetupPath(deps, session)) !== '/?choose=1#plans'
        : present?.status === 'active';
    if (hasPaid) {
      if (!isForm) throw new SpoqError('conflict', { detail: 'You have paid already.', next: 'Go on at /setup.' });
      ctx.status = 303;
      ctx.redirect('/setup');
      return;
    }
    const url = await createCheckout(deps, { plan, sessionHash: await session.ensure(), user: session.user });
    ctx.set('Cache-Control', 'no-store');
    if (isForm) {
      ctx.status = 303;
      ctx.redirect(url);
    } else ctx.body = { checkout_url: url };
  });

  router.get('/welcome', async (ctx) => {
    const session = getSession(ctx);
    const id = ctx.query['session_id'];
    const status = typeof id === 'string' ? await receivePayment(deps, session, id) : undefined;
    if (session.user !== undefined && status !== 'open') {
      ctx.redirect('/setup');
      return;
    }
    if (status === undefined && (session.idHash === undefined || !(await findPaidCheckout(deps.db, session.idHash)))) {
      ctx.redirect('/?choose=1#plans');
      return;
    }
    if (status === 'expired') {
      ctx.redirect('/?cancelled=1#plans');
      return;
    }
    const waiting = status === 'open';
    const title = waiting ? 'Waiting for your payment' : 'Payment received';
    const frame = { title, step: waiting ? 'pay' : 'sign-in', ...(waiting ? { refreshSeconds: 5 } : {}) } as const;
    showPage(deps, ctx, 'welcome', { ...frame, scripts: waiting ? ['reload.js'] : [] }, { waiting });
  });
  return router;
}

/**
 * Takes note of a payment that the browser comes back from. Whoever knows the id of a paid session that is nobody's yet has
 * just paid it, though perhaps in another browser: it becomes this one's. One that isn't paid never changes hands, or anybody
 * could have a stranger's browser pay for theirs by a link.
 * @throws SpoqError `not_found` for a session that isn't ours, or is somebody else's
 */
async function receivePayment(
  deps: Deps,
  session: Session,
  id: string,
): Promise<'open' | 'paid' | 'bound' | 'expired'> {
  const known = SESSION_ID.test(id) ? await findCheckoutByStripeSession(deps.db, id) : undefined;
  const { user } = session;
  const isOthers = known?.user_id != null && user !== undefined && known.user_id !== user.id;
  if (known === undefined || isOthers)
    throw new SpoqError('not_found', { detail: 'We know of no such payment.', next: 'Go back to the start.' });
  const checkout = await deps.db.transaction((tx) => syncCheckout(deps, tx, id));
  if (checkout?.status === 'returned') return 'expired';
  if (checkout?.status !== 'paid') return checkout?.status ?? 'open';
  const sessionHash = await session.ensure();
  await updateCheckout(deps.db, checkout.id, { session_hash: sessionHash });
  if (user === undefined) return 'paid';
  await bindCheckouts(deps, { user, sessionHash });
  return 'bound';
}
