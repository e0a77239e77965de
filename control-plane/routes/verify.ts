import { Router } from '@koa/router';
import type { Context } from 'koa';
import { AuthorizeRequest } from '../../contract/auth.ts';
import { parseInput } from '../../contract/problem.ts';
import { decideDeviceGrant } from '../commands/decide-device-grant.ts';
import { cleanText } from '../clean-text.ts';
import { findPendingGrant, type DeviceGrantRow } from '../db/device-grants.ts';
import { findBoxOfUser } from '../db/user-vps.ts';
import type { UserRow } from '../db/users.ts';
import type { Deps } from '../deps.ts';
import { createBodyMiddleware, getBody } from '../middleware/body.ts';
import { createRateLimiter, limitByAddress, toAddressKey } from '../middleware/rate-limit.ts';
import { isFromElsewhere } from '../middleware/same-origin.ts';
import { getSession, requireUser } from '../middleware/session.ts';
import { showPage } from '../pages/show-page.ts';
import { parseWordCode } from '../word-code.ts';

/** The page where a person lets a device in (RFC 8628 §3.3), and its form's address. */
export function createVerifyRoutes(deps: Deps): Router {
  const router = new Router();
  const attempts = createAttempts(deps);

  router.get('/auth/verify', async (ctx) => {
    const given = typeof ctx.query['code'] === 'string' ? ctx.query['code'] : '';
    const wordCode = parseWordCode(given);
    const { user } = getSession(ctx);
    if (user === undefined) {
      const returnTo = wordCode === undefined ? '/auth/verify' : `/auth/verify?code=${wordCode}`;
      ctx.redirect(`/auth/github?return_to=${encodeURIComponent(returnTo)}`);
      return;
    }
    if ((await findBoxOfUser(deps.db, user.id)) === undefined) {
      showPage(deps, ctx, 'verify-no-box', { title: 'Finish setting up first' });
      return;
    }
    if (given.trim() === '') {
      showCodeForm(ctx, {});
      return;
    }
    // Whoever leads people here could make them use up their attempts, or have them approve what they never saw begin.
    if (isFromElsewhere(ctx)) {
      showCodeForm(ctx, { given: cleanText(given, 100) });
      return;
    }
    const grant = await attempts.count(ctx, user, async () =>
      wordCode === undefined ? undefined : findPendingGrant(deps.db, wordCode, deps.now()),
    );
    if (grant === undefined) showUnknownCode(ctx, given);
    else showGrant(ctx, grant);
  });

  const limit = limitByAddress(createRateLimiter(deps, 'authorize'));
  router.post('/auth/authorize', limit, createBodyMiddleware(), async (ctx) => {
    ctx.state['wayOut'] = { href: '/auth/verify', label: 'Enter the code again' };
    const user = requireUser(ctx);
    const { code, decision } = parseInput(AuthorizeRequest, getBody(ctx));
    const wordCode = parseWordCode(code);
    const grant = await attempts.count(ctx, user, async () =>
      wordCode === undefined ? undefined : decideDeviceGrant(deps, { user, wordCode, decision, ip: ctx.ip }),
    );
    if (grant === undefined) {
      showUnknownCode(ctx, code);
      return;
    }
    const title = decision === 'approve' ? 'The device is signed in' : 'The device was turned away';
    showPage(deps, ctx, 'verify-done', { title }, { decision, device: grant.hostname });
  });

  function showCodeForm(ctx: Context, data: { given?: string; fault?: string }): void {
    showPage(deps, ctx, 'verify-enter', { title: 'Sign in a device' }, data);
  }

  /** One answer for codes that never were, have expired or have been decided: it tells a guesser nothing. */
  function showUnknownCode(ctx: Context, given: string): void {
    ctx.status = 404;
    showCodeForm(ctx, { given: cleanText(given, 100), fault: 'No device is waiting under this code.' });
  }

  function showGrant(ctx: Context, grant: DeviceGrantRow): void {
    const seconds = Math.max(0, Math.round((deps.now().getTime() - grant.created_at.getTime()) / 1000));
    const age =
      seconds < 5 ? 'just now' : seconds < 90 ? `${seconds} seconds ago` : `${Math.round(seconds / 60)} minutes ago`;
    const at = `${grant.created_at.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
    showPage(deps, ctx, 'verify-confirm', { title: 'Is this your device?' }, { grant, age, at });
  }
  return router;
}

/** Counts wrong codes, by person and by address, before looking: parallel guesses can't slip through between look and count. */
function createAttempts(deps: Deps) {
  const byUser = createRateLimiter(deps, 'wrong-code-user');
  const byAddress = createRateLimiter(deps, 'wrong-code-address');
  return {
    /** Answers what `look` finds; finding something takes the attempt back. @throws SpoqError `too_many_requests` */
    async count<T>(ctx: Context, user: UserRow, look: () => Promise<T | undefined>): Promise<T | undefined> {
      const address = toAddressKey(ctx.ip);
      await byUser.consume(user.id);
      try {
        await byAddress.consume(address);
      } catch (error) {
        // Somebody else at this address has used up what it has. It was no attempt of this person's.
        await byUser.refund(user.id);
        throw error;
      }
      const found = await look();
      if (found !== undefined) await Promise.all([byUser.refund(user.id), byAddress.refund(address)]);
      return found;
    },
  };
}
