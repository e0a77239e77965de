import { Router } from '@koa/router';
import type { Context } from 'koa';
import { PLANS } from '../../contract/billing.ts';
import { SpoqError } from '../../contract/errors.ts';
import { parseInput } from '../../contract/problem.ts';
import { OperateRequest, OPERATIONS } from '../../contract/vps.ts';
import { beginOperation } from '../commands/begin-operation.ts';
import { listPlaces, planMove } from '../commands/plan-move.ts';
import { isOperating } from '../db/box-operations.ts';
import { findBoxOfUser, type UserVpsRow } from '../db/user-vps.ts';
import { listVpsEvents } from '../db/vps-events.ts';
import type { Deps } from '../deps.ts';
import { createBodyMiddleware, getBody } from '../middleware/body.ts';
import { createRateLimiter } from '../middleware/rate-limit.ts';
import { requireUser } from '../middleware/session.ts';
import { showPage } from '../pages/show-page.ts';
import {
  type AskedOperation,
  OPERATION_NOUNS,
  OPERATION_STEPS,
  OPERATION_WHEREABOUTS,
  presentOperation,
  VENDORS,
} from '../presenters/operations.ts';
import { formatDuration, presentProgress } from '../presenters/progress.ts';
import { toBoxUrl } from '../presenters/vps.ts';
import { findRegion } from '../regions/regions.ts';
import { findReadyBox, leadTo } from './ready-box.ts';

/** So long a box that has just come back is told to be back. */
const BACK_MS = 15 * 60_000;

/** The box of who is signed in: what it is, and what can be done to it. Every change is read before it is asked for. */
export function createAccountRoutes(deps: Deps): Router {
  const router = new Router();
  const limiter = createRateLimiter(deps, 'operation');

  router.get('/account', async (ctx) => {
    const box = await findReadyBox(deps, ctx);
    if (box === undefined) return;
    const last = (await listVpsEvents(deps.db, box.id)).at(-1);
    const isBack = last?.step === 'ready' && deps.now().getTime() - last.at.getTime() < BACK_MS;
    showPage(
      deps,
      ctx,
      'account',
      { title: 'Your box' },
      {
        box,
        url: toBoxUrl(deps.config, box.hostname),
        region: findRegion(box.provider, box.region),
        plan: PLANS[box.plan],
        operating: isOperating(box),
        noun: box.operation === null ? '' : OPERATION_NOUNS[box.operation],
        back: box.operation_number > 0 && isBack ? last.message : undefined,
        previews: listOperations(deps).map((name) => presentOperation(name, box)),
      },
    );
  });

  router.get('/account/progress', async (ctx) => {
    const box = await findReadyBox(deps, ctx);
    if (box === undefined) return;
    if (box.operation === null || !isOperating(box)) return leadTo(ctx, '/account');
    const { operation } = box;
    const progress = presentProgress(await listVpsEvents(deps.db, box.id), OPERATION_STEPS[operation]);
    const title = `The ${OPERATION_NOUNS[operation]} of your box`;
    showPage(
      deps,
      ctx,
      'operation-progress',
      { title, scripts: ['progress.js'], refreshSeconds: 5 },
      {
        title,
        box,
        operation,
        whereabouts: OPERATION_WHEREABOUTS[operation],
        ...progress,
        now: deps.now(),
        formatDuration,
      },
    );
  });

  router.get('/account/:operation', async (ctx) => {
    const operation = parseOperation(deps, ctx);
    const box = await findReadyBox(deps, ctx);
    if (box === undefined) return;
    if (isOperating(box)) leadTo(ctx, '/account/progress');
    else showPreview(ctx, box, operation);
  });

  router.post('/account/:operation', createBodyMiddleware(), async (ctx) => {
    const operation = parseOperation(deps, ctx);
    const user = requireUser(ctx);
    ctx.state['wayOut'] = { href: '/account', label: 'To your box' };
    await limiter.consume(user.id);
    const form = parseInput(OperateRequest, getBody(ctx));
    const box = await findBoxOfUser(deps.db, user.id);
    if (box === undefined) throw new SpoqError('no_box');
    const typed = form.hostname?.trim().toLowerCase();
    if (presentOperation(operation, box).destructive && typed !== box.hostname) return refuse(ctx, box, operation);
    const move =
      operation === 'move' && box.move === null ? planMove(deps.config, box, { to: form.to ?? '' }) : undefined;
    await beginOperation(deps, box, { operation, move, actor: `user:${user.id}`, ip: ctx.ip });
    leadTo(ctx, '/account/progress');
  });

  function showPreview(ctx: Context, box: UserVpsRow, operation: AskedOperation, fault?: string): void {
    const preview = presentOperation(operation, box);
    const here = `${box.provider}/${box.region}`;
    const places = operation === 'move' ? listPlaces(deps.config).filter(({ id }) => id !== here) : [];
    const vendors = [...new Set(places.map(({ provider }) => provider))].map((provider) => ({
      name: VENDORS[provider],
      places: places.filter((place) => place.provider === provider),
    }));
    showPage(deps, ctx, 'operation', { title: preview.title }, { box, preview, vendors, fault });
  }

  function refuse(ctx: Context, box: UserVpsRow, operation: AskedOperation): void {
    const message = `is not ${box.hostname}`;
    if (ctx.accepts(['json', 'html']) === 'json')
      throw new SpoqError('invalid_request', {
        detail: 'The name of the box was not given. Nothing was done.',
        faults: [{ field: 'hostname', message }],
      });
    ctx.status = 400;
    showPreview(ctx, box, operation, `What you typed ${message}. Nothing was done.`);
  }
  return router;
}

/** Where a machine has no SSH server it can be restarted and rebuilt, and nothing else. */
function listOperations({ config }: Deps): AskedOperation[] {
  const asked = OPERATIONS.filter((name) => name !== 'suspend' && name !== 'resume');
  return asked.filter((name) => config.BOX_CONVERGE === 'ssh' || name === 'restart' || name === 'rebuild');
}

/** The password has a form of its own. */
function parseOperation(deps: Deps, ctx: Context): AskedOperation {
  const asked = (ctx as { params?: Record<string, string> }).params?.['operation'];
  const operation = listOperations(deps).find((name) => name === asked && name !== 'password');
  if (operation === undefined) throw new SpoqError('not_found', { detail: 'There is nothing at this address.' });
  return operation;
}
