import { Router } from '@koa/router';
import { SignOutRequest } from '../../contract/account.ts';
import { SpoqError } from '../../contract/errors.ts';
import { parseInput } from '../../contract/problem.ts';
import { listDevices, revokeAllDevices, revokeDevice } from '../commands/devices.ts';
import { revokeOtherSessions, revokeSession } from '../commands/sessions.ts';
import { listSessionsOf } from '../db/sessions.ts';
import type { Deps } from '../deps.ts';
import { createBodyMiddleware, getBody } from '../middleware/body.ts';
import { createRateLimiter } from '../middleware/rate-limit.ts';
import { getSession, requireUser } from '../middleware/session.ts';
import { showPage } from '../pages/show-page.ts';
import { describeBrowser, formatMinute } from '../presenters/browsers.ts';
import { leadTo } from './ready-box.ts';

const HERE = '/account/devices';

/** Where a person is signed in, and signing out from afar. For everybody who is signed in, box or not. */
export function createAccountDevicesRoutes(deps: Deps): Router {
  const router = new Router();
  const limiter = createRateLimiter(deps, 'operation');

  router.get(HERE, async (ctx) => {
    const { user, id } = getSession(ctx);
    if (user === undefined) return leadTo(ctx, `/auth/github?return_to=${encodeURIComponent(HERE)}`);
    const sessions = await listSessionsOf(deps.db, user.id, deps.now());
    const browsers = sessions.map((row) => ({
      what: 'session',
      id: row.id,
      label: describeBrowser(row.user_agent),
      isHere: row.id === id,
      ip: row.ip,
      signed_in_at: row.created_at,
      last_used_at: row.last_seen_at,
    }));
    const devices = (await listDevices(deps, user.id)).map(({ family_id, label, ...row }) => ({
      what: 'device',
      id: family_id,
      label: label ?? 'A computer that gave no name',
      isHere: false,
      ...row,
    }));
    showPage(
      deps,
      ctx,
      'account-devices',
      { title: 'Where you are signed in' },
      { browsers: browsers.toSorted((a, b) => Number(b.isHere) - Number(a.isHere)), devices, formatMinute },
    );
  });

  router.post(HERE, createBodyMiddleware(), async (ctx) => {
    const user = requireUser(ctx);
    const session = getSession(ctx);
    ctx.state['wayOut'] = { href: HERE, label: 'To where you are signed in' };
    await limiter.consume(user.id);
    const form = parseInput(SignOutRequest, getBody(ctx));
    if (form.what === 'session' || form.what === 'device') {
      const revoke = form.what === 'session' ? revokeSession : revokeDevice;
      // Another person's is answered like one that never was.
      if (!(await revoke(deps, user, form.id, ctx.ip)))
        throw new SpoqError('not_found', { detail: 'This is signed out already. Nothing was changed.' });
      return leadTo(ctx, form.id === session.id ? '/' : HERE);
    }
    await revokeAllDevices(deps, user, ctx.ip);
    await revokeOtherSessions(deps, user, form.what === 'all' ? undefined : session.id, ctx.ip);
    leadTo(ctx, form.what === 'all' ? '/' : HERE);
  });
  return router;
}
