import { Readable } from 'node:stream';
import { Router } from '@koa/router';
import { ActivityQuery, NothingSaid } from '../../contract/account.ts';
import { parseInput } from '../../contract/problem.ts';
import { readActivityLines } from '../commands/export-account.ts';
import { listNewestAuditRowsOf } from '../db/audit-log.ts';
import type { Deps } from '../deps.ts';
import { createRateLimiter } from '../middleware/rate-limit.ts';
import { getSession, requireUser } from '../middleware/session.ts';
import { showPage } from '../pages/show-page.ts';
import { presentActivity } from '../presenters/activity.ts';
import { formatMinute } from '../presenters/browsers.ts';
import { leadTo } from './ready-box.ts';

const HERE = '/account/activity';
const PER_PAGE = 50;

/** What was done in a person's account: the audit log about them, and nobody else. Box or not. */
export function createAccountActivityRoutes(deps: Deps): Router {
  const router = new Router();
  const limiter = createRateLimiter(deps, 'export');

  router.get(HERE, async (ctx) => {
    const { user } = getSession(ctx);
    if (user === undefined) return leadTo(ctx, `/auth/github?return_to=${encodeURIComponent(HERE)}`);
    ctx.state['wayOut'] = { href: HERE, label: 'To what was done' };
    const { before } = parseInput(ActivityQuery, ctx.query);
    // One more than is shown tells whether there is another page.
    const rows = await listNewestAuditRowsOf(deps.db, user.id, { before, limit: PER_PAGE + 1 });
    const shown = rows.slice(0, PER_PAGE).map((row) => presentActivity(row, user.id));
    const next = rows.length > PER_PAGE ? shown.at(-1)?.id : undefined;
    showPage(deps, ctx, 'account-activity', { title: 'What was done' }, { shown, before, next, formatMinute });
  });

  router.get(`${HERE}.jsonl`, async (ctx) => {
    const user = requireUser(ctx);
    ctx.state['wayOut'] = { href: HERE, label: 'To what was done' };
    parseInput(NothingSaid, ctx.query);
    await limiter.consume(user.id);
    const lines = readActivityLines(deps, user.id);
    // Read before anything is sent, so that a fault is still answered as one.
    const first = await lines.next();
    ctx.attachment(`spoq-activity-${deps.now().toISOString().slice(0, 10)}.jsonl`);
    ctx.type = 'application/jsonl';
    ctx.set('Cache-Control', 'no-store');
    ctx.body = Readable.from(startWith(first, lines));
  });
  return router;
}

async function* startWith<T>(first: IteratorResult<T>, rest: AsyncIterable<T>): AsyncGenerator<T> {
  if (first.done !== true) yield first.value;
  yield* rest;
}
