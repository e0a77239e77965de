import { Router } from '@koa/router';
import type { Context } from 'koa';
import { SpoqError, type Fault } from '../../contract/errors.ts';
import { parseInput } from '../../contract/problem.ts';
import { SetPasswordRequest } from '../../contract/vps.ts';
import { beginOperation, requireIdle } from '../commands/begin-operation.ts';
import { setPassword } from '../commands/set-password.ts';
import { isOperating } from '../db/box-operations.ts';
import { findBoxOfUser, type UserVpsRow } from '../db/user-vps.ts';
import type { Deps } from '../deps.ts';
import { createBodyMiddleware, getBody } from '../middleware/body.ts';
import { createRateLimiter } from '../middleware/rate-limit.ts';
import { requireUser } from '../middleware/session.ts';
import { showPage } from '../pages/show-page.ts';
import { loadKnownPasswords } from '../password/known-passwords.ts';
import { MAX_PASSWORD_BYTES, SHOWN_RULES } from '../password/rules.ts';
import { presentOperation } from '../presenters/operations.ts';
import { findReadyBox, leadTo } from './ready-box.ts';

/** Another SSH password for a box that is there. Mounted only where living boxes can be changed: BOX_CONVERGE. */
export function createAccountPasswordRoutes(deps: Deps): Router {
  const router = new Router();
  const knownPassword = loadKnownPasswords();
  const limiter = createRateLimiter(deps, 'password');

  router.get('/account/password', async (ctx) => {
    const box = await findReadyBox(deps, ctx);
    if (box === undefined) return;
    if (isOperating(box)) leadTo(ctx, '/account/progress');
    else showForm(ctx, box, []);
  });

  router.post('/account/password', createBodyMiddleware(), async (ctx) => {
    const user = requireUser(ctx);
    ctx.state['wayOut'] = { href: '/account', label: 'To your box' };
    await limiter.consume(user.id);
    const { password } = parseInput(SetPasswordRequest, getBody(ctx));
    const box = await findBoxOfUser(deps.db, user.id);
    if (box === undefined) throw new SpoqError('no_box');
    requireIdle(box);
    try {
      await setPassword({ ...deps, knownPassword }, user, password, ctx.ip);
    } catch (error) {
      if (!(error instanceof SpoqError) || error.code !== 'weak_password' || ctx.accepts(['json', 'html']) === 'json')
        throw error;
      ctx.status = error.status;
      showForm(ctx, box, error.faults);
      return;
    }
    await beginOperation(deps, box, { operation: 'password', actor: `user:${user.id}`, ip: ctx.ip });
    leadTo(ctx, '/account/progress');
  });

  function showForm(ctx: Context, box: UserVpsRow, faults: Fault[]): void {
    const preview = presentOperation('password', box);
    const rules = { rules: SHOWN_RULES, faults: faults.map(({ message }) => message), maxBytes: MAX_PASSWORD_BYTES };
    showPage(deps, ctx, 'account-password', { title: preview.title, scripts: ['password.js'] }, { preview, ...rules });
  }
  return router;
}
