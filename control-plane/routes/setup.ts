import { DEFAULT_CONTROL_PLANE } from '../../contract/auth.ts';
import { Router } from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import { SpoqError, type Fault } from '../../contract/errors.ts';
import { parseInput } from '../../contract/problem.ts';
import { SetPasswordRequest } from '../../contract/vps.ts';
import { bindCheckouts } from '../commands/bind-checkouts.ts';
import { findSetupPath, type SetupPath } from '../commands/find-setup-path.ts';
import { setPassword } from '../commands/set-password.ts';
import { findPaidCheckout } from '../db/checkouts.ts';
import { findBoxOfUser, type UserVpsRow } from '../db/user-vps.ts';
import { listVpsEvents } from '../db/vps-events.ts';
import type { Deps } from '../deps.ts';
import { createBodyMiddleware, getBody } from '../middleware/body.ts';
import { createRateLimiter } from '../middleware/rate-limit.ts';
import { getSession, requireUser } from '../middleware/session.ts';
import { showPage } from '../pages/show-page.ts';
import { loadKnownPasswords } from '../password/known-passwords.ts';
import { MAX_PASSWORD_BYTES, SHOWN_RULES } from '../password/rules.ts';
import { formatDuration, presentProgress } from '../presenters/progress.ts';
import { OPERATION_NOUNS } from '../presenters/operations.ts';
import { toBoxUrl } from '../presenters/vps.ts';
import { listRegionsByDistance } from '../regions/nearest.ts';
import { findRegion } from '../regions/regions.ts';

const TimeZone = z.string().max(64).optional();
/** What IANA's names are made of. Anything else is no zone, and a NUL is nothing that a database keeps. */
const ZONE_NAME = /^[\w+/-]+$/;

/** The sign-up after the payment: password, region, progress, credentials. /setup leads to whichever comes next. */
export function createSetupRoutes(deps: Deps): Router {
  const router = new Router();
  const knownPassword = loadKnownPasswords();
  const limiter = createRateLimiter(deps, 'password');

  router.get('/setup', async (ctx) => {
    ctx.set('Cache-Control', 'no-store');
    ctx.state['wayOut'] = { href: '/setup', label: 'Try again' };
    const session = getSession(ctx);
    const { user, idHash } = session;
    // Left over when Stripe could not be asked at sign-in: nobody is to be asked to pay again.
    if (user !== undefined && idHash !== undefined && (await findPaidCheckout(deps.db, idHash)) !== undefined)
      await bindCheckouts(deps, { user, sessionHash: idHash });
    ctx.redirect(await findSetupPath(deps, session));
  });

  router.get('/setup/password', async (ctx) => {
    if (await isAt(ctx, '/setup/password', '/setup/region')) showPasswordForm(ctx, []);
  });

  router.post('/setup/password', createBodyMiddleware(), async (ctx) => {
    const user = requireUser(ctx);
    if (!(await isAt(ctx, '/setup/password', '/setup/region'))) return;
    await limiter.consume(user.id);
    const form = parseInput(SetPasswordRequest, getBody(ctx));
    try {
      await setPassword({ ...deps, knownPassword }, user, form.password, ctx.ip);
    } catch (error) {
      if (!(error instanceof SpoqError) || error.code !== 'weak_password' || ctx.accepts(['json', 'html']) === 'json')
        throw error;
      ctx.status = error.status;
      showPasswordForm(ctx, error.faults);
      return;
    }
    await rememberTimeZone(ctx, form.time_zone);
    ctx.status = 303;
    ctx.redirect('/setup');
  });

  router.get('/setup/region', async (ctx) => {
    if (!(await isAt(ctx, '/setup/region'))) return;
    const asked = TimeZone.safeParse(ctx.query['time_zone']).data;
    await rememberTimeZone(ctx, asked);
    const timeZone = getSession(ctx).data.time_zone;
    const regions = listRegionsByDistance(deps.config.VPS_PROVIDER, {
      timeZone,
      languages: ctx.get('Accept-Language'),
    });
    const frame = { title: 'Where shall your box be?', step: 'region', scripts: ['region.js'] } as const;
    showPage(deps, ctx, 'region', frame, { regions, timeZone });
  });

  router.get('/setup/progress', async (ctx) => {
    const box = (await isAt(ctx, '/setup/progress')) ? await findOwnBox(ctx) : undefined;
    if (box === undefined) return;
    const { steps, lastSeq } = presentProgress(await listVpsEvents(deps.db, box.id));
    const failed = box.status === 'failed';
    const title = failed ? 'Your box could not be set up' : 'Setting up your environment';
    const regions = listRegionsByDistance(box.provider, { timeZone: getSession(ctx).data.time_zone });
    showPage(
      deps,
      ctx,
      'progress',
      { title, step: 'box', ...(failed ? {} : { scripts: ['progress.js'], refreshSeconds: 5 }) },
      { box, failed, steps, lastSeq, regions, now: deps.now(), formatDuration },
    );
  });

  router.get('/setup/ready', async (ctx) => {
    const box = (await isAt(ctx, '/setup/ready')) ? await findOwnBox(ctx) : undefined;
    if (box === undefined) return;
    const { BASE_URL: base } = deps.config;
    showPage(
      deps,
      ctx,
      'ready',
      { title: 'Your environment is ready', scripts: ['copy.js'] },
      {
        box,
        noun: box.operation === null ? '' : OPERATION_NOUNS[box.operation],
        url: toBoxUrl(deps.config, box.hostname),
        region: findRegion(box.provider, box.region),
        install: `curl -sSL ${base}/install.sh | bash`,
        // Once signed in, spoq knows where it belongs.
        init: base === DEFAULT_CONTROL_PLANE ? 'spoq init' : `SPOQ_URL=${base} spoq init`,
      },
    );
  });

  /** Whether this is where the sign-up stands; sends the browser there if not. `also` may be gone back from. */
  async function isAt(ctx: Context, path: SetupPath, also?: SetupPath): Promise<boolean> {
    const next = await findSetupPath(deps, getSession(ctx));
    if (next === path || next === also) return true;
    ctx.status = 303;
    ctx.redirect(next);
    return false;
  }

  async function findOwnBox(ctx: Context): Promise<UserVpsRow | undefined> {
    return findBoxOfUser(deps.db, requireUser(ctx).id);
  }

  async function rememberTimeZone(ctx: Context, timeZone: string | undefined): Promise<void> {
    const session = getSession(ctx);
    if (timeZone === undefined || !ZONE_NAME.test(timeZone) || timeZone === session.data.time_zone) return;
    await session.save({ ...session.data, time_zone: timeZone });
  }

  function showPasswordForm(ctx: Context, faults: Fault[]): void {
    showPage(
      deps,
      ctx,
      'password',
      { title: 'Choose an SSH password', step: 'password', scripts: ['password.js'] },
      { rules: SHOWN_RULES, faults: faults.map((fault) => fault.message), maxBytes: MAX_PASSWORD_BYTES },
    );
  }
  return router;
}
