import { Router } from '@koa/router';
import type { Context } from 'koa';
import { DeleteAccountRequest } from '../../contract/account.ts';
import { SpoqError } from '../../contract/errors.ts';
import { parseInput } from '../../contract/problem.ts';
import { askDeletion, listWhatIsLeft } from '../commands/delete-account.ts';
import { findSubscription } from '../db/subscriptions.ts';
import { findBoxOfUser } from '../db/user-vps.ts';
import type { UserRow } from '../db/users.ts';
import type { Deps } from '../deps.ts';
import { createBodyMiddleware, getBody } from '../middleware/body.ts';
import { createRateLimiter } from '../middleware/rate-limit.ts';
import { getSession, requireUser } from '../middleware/session.ts';
import { showPage } from '../pages/show-page.ts';
import { formatDay } from '../presenters/money.ts';
import { leadTo } from './ready-box.ts';

const HERE = '/account/delete';
const SIGN_IN = `/auth/github?return_to=${encodeURIComponent(HERE)}`;
/** Whoever finds a browser open for longer than this must come in by the door. */
const RECENT_MS = 10 * 60_000;
const NOT_RECENT = 'You signed in more than ten minutes ago. Nothing was done.';

/** The end of an account: read first, asked for by a person who has just signed in, and watched until it is done. */
export function createAccountDeleteRoutes(deps: Deps): Router {
  const router = new Router();
  const limiter = createRateLimiter(deps, 'operation');

  router.get(HERE, async (ctx) => {
    const { user, leaving, data } = getSession(ctx);
    if (user !== undefined) return showForm(ctx, user);
    if (leaving !== undefined) return showProgress(ctx, leaving);
    if (!data.account_deleted) return leadTo(ctx, SIGN_IN);
    showPage(deps, ctx, 'account-deleted', { title: 'Your account is deleted' });
  });

  router.post(HERE, createBodyMiddleware(), async (ctx) => {
    const user = requireUser(ctx);
    const session = getSession(ctx);
    ctx.state['wayOut'] = { href: HERE, label: 'To the deletion of your account' };
    await limiter.consume(user.id);
    const form = parseInput(DeleteAccountRequest, getBody(ctx));
    if (!isRecent(ctx))
      throw new SpoqError('forbidden', { detail: NOT_RECENT, next: 'Sign in again, then try again.' });
    if (form.login.trim().toLowerCase() !== user.username.toLowerCase()) return refuse(ctx, user);
    await askDeletion(deps, user, { sessionId: session.id, ip: ctx.ip });
    leadTo(ctx, HERE);
  });

  async function showForm(ctx: Context, user: UserRow, fault?: string): Promise<void> {
    const box = await findBoxOfUser(deps.db, user.id);
    const subscription = await findSubscription(deps.db, user.id);
    const paidUntil = subscription?.status === 'active' ? subscription.expires_at : null;
    const data = { user, box, paidUntil, isRecent: isRecent(ctx), signIn: SIGN_IN, fault, formatDay };
    showPage(deps, ctx, 'account-delete', { title: 'Delete your account' }, data);
  }

  async function showProgress(ctx: Context, user: UserRow): Promise<void> {
    const left = await listWhatIsLeft(deps.db, user.id);
    const steps = [
      { name: 'Everything is signed out', isDone: true },
      { name: 'The subscription is ended', isDone: !left.includes('subscription') },
      { name: 'The box is wiped and given up', isDone: !left.includes('box') },
      { name: 'What we know of you is deleted', isDone: false },
    ];
    const frame = { title: 'Your account is being deleted', scripts: ['reload.js'], refreshSeconds: 3 };
    showPage(deps, ctx, 'account-leaving', frame, { steps, email: user.email });
  }

  async function refuse(ctx: Context, user: UserRow): Promise<void> {
    const message = `is not ${user.username}`;
    if (ctx.accepts(['json', 'html']) === 'json')
      throw new SpoqError('invalid_request', {
        detail: 'The login was not given. Nothing was done.',
        faults: [{ field: 'login', message }],
      });
    ctx.status = 400;
    await showForm(ctx, user, `What you typed ${message}. Nothing was done.`);
  }

  function isRecent(ctx: Context): boolean {
    const { signedInAt } = getSession(ctx);
    return signedInAt !== undefined && deps.now().getTime() - signedInAt.getTime() < RECENT_MS;
  }
  return router;
}
