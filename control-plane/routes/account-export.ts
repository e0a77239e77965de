import { Router } from '@koa/router';
import { NothingSaid } from '../../contract/account.ts';
import { parseInput } from '../../contract/problem.ts';
import { exportAccount } from '../commands/export-account.ts';
import type { Deps } from '../deps.ts';
import { createBodyMiddleware, getBody } from '../middleware/body.ts';
import { createRateLimiter } from '../middleware/rate-limit.ts';
import { getSession, requireUser } from '../middleware/session.ts';
import { showPage } from '../pages/show-page.ts';
import { EXPORTED_FILES, LEFT_OUT, nameArchive } from '../presenters/export.ts';
import { leadTo } from './ready-box.ts';

const HERE = '/account/export';

/** All that we know of a person, for them to take along. For everybody who is signed in, box or not. */
export function createAccountExportRoutes(deps: Deps): Router {
  const router = new Router();
  const limiter = createRateLimiter(deps, 'export');

  router.get(HERE, async (ctx) => {
    const { user } = getSession(ctx);
    if (user === undefined) return leadTo(ctx, `/auth/github?return_to=${encodeURIComponent(HERE)}`);
    showPage(deps, ctx, 'account-export', { title: 'Your data' }, { files: EXPORTED_FILES, leftOut: LEFT_OUT });
  });

  router.post(HERE, createBodyMiddleware(), async (ctx) => {
    const user = requireUser(ctx);
    ctx.state['wayOut'] = { href: HERE, label: 'To your data' };
    await limiter.consume(user.id);
    parseInput(NothingSaid, getBody(ctx));
    const archive = await exportAccount(deps, user, ctx.ip);
    ctx.attachment(nameArchive(user.username, deps.now()));
    ctx.type = 'application/zip';
    ctx.set('Cache-Control', 'no-store');
    ctx.body = archive;
  });
  return router;
}
