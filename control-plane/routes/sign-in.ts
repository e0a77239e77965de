import { Router } from '@koa/router';
import { beginSignIn, signIn, takeSignIn } from '../commands/sign-in.ts';
import { recordAudit } from '../commands/audit.ts';
import type { Deps } from '../deps.ts';
import { createGithub, type Github } from '../integrations/github.ts';
import { createRateLimiter, limitByAddress } from '../middleware/rate-limit.ts';
import { getSession } from '../middleware/session.ts';
import { describeBrowser } from '../presenters/browsers.ts';
import { parseReturnTo } from '../return-to.ts';

/** Where a person goes after signing in who wasn't on the way to somewhere else. */
const AFTER_SIGN_IN = '/setup';

/** Sign-in with GitHub (OAuth 2 with PKCE) and sign-out. */
export function createSignInRoutes(deps: Deps, github: Github = createGithub(deps.config)): Router {
  const router = new Router();
  const limit = limitByAddress(createRateLimiter(deps, 'sign-in'));

  router.get('/auth/github', limit, async (ctx) => {
    const returnTo = parseReturnTo(ctx.query['return_to'], deps.config.BASE_URL, AFTER_SIGN_IN);
    ctx.set('Cache-Control', 'no-store');
    ctx.redirect(await beginSignIn(deps, github, getSession(ctx), returnTo));
  });

  router.get('/auth/github/callback', limit, async (ctx) => {
    const session = getSession(ctx);
    ctx.set('Cache-Control', 'no-store');
    ctx.state['wayOut'] = { href: '/auth/github', label: 'Sign in again' };
    const pending = await takeSignIn(deps, session, ctx.query['state']);
    const again = `/auth/github?return_to=${encodeURIComponent(pending.return_to)}`;
    ctx.state['wayOut'] = { href: again, label: 'Sign in again' };
    const person = await github.finish(new URLSearchParams(ctx.querystring), pending);
    await signIn(deps, session, person, { ip: ctx.ip, browser: describeBrowser(ctx.get('User-Agent')) });
    ctx.redirect(pending.return_to);
  });

  router.post('/auth/sign-out', async (ctx) => {
    const session = getSession(ctx);
    const { user } = session;
    await session.signOut();
    if (user !== undefined)
      await deps.db.transaction((tx) =>
        recordAudit(tx, {
          at: deps.now(),
          actor: `user:${user.id}`,
          user_id: user.id,
          action: 'user.signed_out',
          ip: ctx.ip,
        }),
      );
    ctx.status = 303;
    ctx.redirect('/');
  });
  return router;
}
