import { Router } from '@koa/router';
import { ERRORS } from '../../contract/errors.ts';
import { findSetupPath } from '../commands/find-setup-path.ts';
import type { Deps } from '../deps.ts';
import { getSession } from '../middleware/session.ts';
import { showPage } from '../pages/show-page.ts';
import { presentPlans } from '../presenters/plans.ts';

const DESCRIPTION =
  'Spoq gives you a Linux box of your own with an AI agent on it, reached from your laptop and from your phone.';

/** What anybody may read: home with the plans, and the list of problems. */
export function createHomeRoutes(deps: Deps): Router {
  const router = new Router();
  router.get('/', async (ctx) => {
    const session = getSession(ctx);
    const path = await findSetupPath(deps, session);
    const begun = path === '/?choose=1#plans' ? undefined : path;
    showPage(
      deps,
      ctx,
      'home',
      { title: 'A Linux box of your own, with an AI agent on it', description: DESCRIPTION },
      {
        plans: presentPlans(),
        begun,
        ready: begun === '/setup/ready',
        user: session.user,
        choose: ctx.query['choose'] === '1' && begun === undefined,
        cancelled: ctx.query['cancelled'] === '1' && begun === undefined,
        baseUrl: deps.config.BASE_URL,
        host: new URL(deps.config.BASE_URL).host,
      },
    );
  });
  router.get('/problems', (ctx) => {
    const problems = Object.entries(ERRORS).map(([code, entry]) => ({ code, ...entry }));
    showPage(deps, ctx, 'problems', { title: 'Problems and what to do' }, { problems });
  });
  return router;
}
