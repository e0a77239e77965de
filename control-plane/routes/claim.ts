import { Router } from '@koa/router';
import type { Context } from 'koa';
import { PLANS } from '../../contract/billing.ts';
import { SpoqError } from '../../contract/errors.ts';
import { bindCheckouts } from '../commands/bind-checkouts.ts';
import { claimForBrowser, findClaim } from '../commands/claim-payments.ts';
import type { CheckoutRow } from '../db/checkouts.ts';
import type { Deps } from '../deps.ts';
import { createRateLimiter, limitByAddress } from '../middleware/rate-limit.ts';
import { getSession } from '../middleware/session.ts';
import { showPage } from '../pages/show-page.ts';
import { formatMoney } from '../presenters/money.ts';
import { leadTo } from './ready-box.ts';

/** What randomToken makes. */
const TOKEN = /^[\w-]{43}$/;

/** The link by which a payment is claimed in another browser than the one it was made in. Looking at it changes nothing: mail readers do. */
export function createClaimRoutes(deps: Deps): Router {
  const router = new Router();
  const limit = limitByAddress(createRateLimiter(deps, 'claim'));

  router.get('/claim/:token', limit, async (ctx) => {
    const { plan } = requireClaim(await findClaim(deps, readToken(ctx)));
    const { name, unit_amount: amount, currency } = PLANS[plan];
    showPage(
      deps,
      ctx,
      'claim',
      { title: 'Use your payment' },
      { token: readToken(ctx), name, price: formatMoney(amount, currency), user: getSession(ctx).user },
    );
  });

  router.post('/claim/:token', limit, async (ctx) => {
    ctx.state['wayOut'] = { href: '/setup', label: 'Go on setting up' };
    const session = getSession(ctx);
    const sessionHash = await session.ensure();
    requireClaim(await claimForBrowser(deps, readToken(ctx), sessionHash));
    if (session.user === undefined) return leadTo(ctx, '/auth/github?return_to=/setup');
    await bindCheckouts(deps, { user: session.user, sessionHash });
    leadTo(ctx, '/setup');
  });
  return router;
}

function readToken(ctx: Context): string {
  const token = (ctx as { params?: Record<string, string> }).params?.['token'] ?? '';
  return TOKEN.test(token) ? token : '';
}

function requireClaim(checkout: CheckoutRow | undefined): CheckoutRow {
  if (checkout !== undefined) return checkout;
  throw new SpoqError('not_found', {
    detail: 'This link is used up: somebody has signed in for the payment, or it has gone back to the card.',
    next: 'Sign in with GitHub to see whether it is yours.',
  });
}
