import { Router } from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import { SpoqError } from '../../contract/errors.ts';
import { parseInput } from '../../contract/problem.ts';
import { ProvisionRequest, type VpsResource } from '../../contract/vps.ts';
import { findNotice } from '../commands/find-notice.ts';
import { provisionBox } from '../commands/provision-box.ts';
import { createBoxListener } from '../db/listen-box.ts';
import { findBoxOfUser, type UserVpsRow } from '../db/user-vps.ts';
import { listVpsEvents } from '../db/vps-events.ts';
import type { Deps } from '../deps.ts';
import { createBodyMiddleware, getBody } from '../middleware/body.ts';
import { createRateLimiter } from '../middleware/rate-limit.ts';
import { getSession, requireUser } from '../middleware/session.ts';
import { presentVps } from '../presenters/vps.ts';
import { listRegionsByDistance } from '../regions/nearest.ts';
import { createBoxStreams } from './stream-box.ts';

/** A form has no booleans. */
const ProvisionForm = ProvisionRequest.extend({ retry: z.stringbool().optional() });

/** Asking for a box, and watching it being made. */
export function createVpsRoutes(deps: Deps): Router {
  const router = new Router();
  const limiter = createRateLimiter(deps, 'provision');
  const streams = createBoxStreams(deps, createBoxListener(deps));

  router.post('/api/vps/provision', createBodyMiddleware(), async (ctx) => {
    const user = requireUser(ctx);
    const isForm = ctx.is('urlencoded') !== false;
    ctx.state['wayOut'] = { href: '/setup', label: 'Go on setting up' };
    await limiter.consume(user.id);
    const request = parseInput<z.output<typeof ProvisionForm>>(isForm ? ProvisionForm : ProvisionRequest, getBody(ctx));
    const region = request.region ?? findNearest(ctx, request.time_zone);
    const box = await provisionBox(deps, user, { region, retry: request.retry ?? false, ip: ctx.ip });
    if (isForm) {
      ctx.status = 303;
      ctx.redirect('/setup');
      return;
    }
    ctx.status = 202;
    ctx.set('Location', '/api/vps/status');
    ctx.body = await present(box);
  });

  router.get('/api/vps/status', async (ctx) => {
    const box = await requireBox(ctx);
    ctx.set('Cache-Control', 'no-store');
    ctx.vary('Accept');
    if (ctx.accepts(['json', 'text/event-stream']) === 'text/event-stream') streams.open(ctx, box, readLastSeq(ctx));
    else ctx.body = await present(box);
  });

  async function present(box: UserVpsRow): Promise<VpsResource> {
    const notice = await findNotice(deps, { id: box.user_id });
    return presentVps(deps.config, box, await listVpsEvents(deps.db, box.id), notice);
  }

  async function requireBox(ctx: Context): Promise<UserVpsRow> {
    const box = await findBoxOfUser(deps.db, requireUser(ctx).id);
    if (box === undefined) throw new SpoqError('no_box');
    return box;
  }

  function findNearest(ctx: Context, given: string | undefined): string {
    const timeZone = given ?? getSession(ctx).data.time_zone;
    const [nearest] = listRegionsByDistance(deps.config.VPS_PROVIDER, {
      timeZone,
      languages: ctx.get('Accept-Language'),
    });
    if (nearest === undefined) throw new Error('a provider without regions');
    return nearest.region.id;
  }
  return router;
}

/** What the reader has seen: `Last-Event-ID` when a browser connects again by itself, `?after=` when a page begins to listen. */
function readLastSeq(ctx: Context): number {
  const given = ctx.get('Last-Event-ID') || (typeof ctx.query['after'] === 'string' ? ctx.query['after'] : '');
  return /^\d{1,9}$/.test(given) ? Number(given) : 0;
}
