import { Router } from '@koa/router';
import type { Context } from 'koa';
import { CodeDecision, type CodeRequest } from '../../contract/auth.ts';
import { parseInput } from '../../contract/problem.ts';
import { buildReturnUrl, parseCodeRequest, type CodeRefusal, type ReturnAddress } from '../authorization-request.ts';
import { createAuthorizationCode } from '../commands/create-authorization-code.ts';
import { cleanLabel } from '../clean-label.ts';
import { findBoxOfUser } from '../db/user-vps.ts';
import type { Deps } from '../deps.ts';
import { createBodyMiddleware, getBody } from '../middleware/body.ts';
import { createRateLimiter, limitByAddress } from '../middleware/rate-limit.ts';
import { getSession, requireUser } from '../middleware/session.ts';
import { showPage } from '../pages/show-page.ts';

/** Sign-in of a program on the person's own computer: authorization code with PKCE, answered on the loopback (RFC 8252). */
export function createCliSignInRoutes(deps: Deps): Router {
  const router = new Router();

  router.get('/auth/cli', async (ctx) => {
    const parsed = parseCodeRequest(ctx.query);
    if (!parsed.ok) {
      answer(ctx, 302, parsed.returnTo, parsed.refusal);
      return;
    }
    const { user } = getSession(ctx);
    if (user === undefined) {
      const query = new URLSearchParams(Object.entries(parsed.request));
      ctx.redirect(`/auth/github?return_to=${encodeURIComponent(`/auth/cli?${query}`)}`);
      return;
    }
    const box = await findBoxOfUser(deps.db, user.id);
    if (box === undefined) showPage(deps, ctx, 'verify-no-box', { title: 'Finish setting up first' });
    else showRequest(ctx, parsed.request, { user, box });
  });

  const limit = limitByAddress(createRateLimiter(deps, 'authorize'));
  router.post('/auth/cli', limit, createBodyMiddleware(), async (ctx) => {
    const user = requireUser(ctx);
    const { decision, ...request } = parseInput(CodeDecision, getBody(ctx));
    if (decision === 'approve') {
      const code = await createAuthorizationCode(deps, { user, request, ip: ctx.ip });
      answer(ctx, 303, request, { code });
    } else {
      answer(ctx, 303, request, { error: 'access_denied', error_description: 'It was denied on the web page.' });
    }
  });

  function showRequest(
    ctx: Context,
    request: CodeRequest,
    { user, box }: { user: { username: string }; box: { hostname: string } },
  ): void {
    // Chromium holds the answer to a form against form-action as well, and CSP has no way to write an IPv6 address.
    const { origin, hostname } = new URL(request.redirect_uri);
    const target = hostname === '127.0.0.1' ? origin : 'http:';
    const policy = ctx.response.get('Content-Security-Policy');
    ctx.set('Content-Security-Policy', policy.replace("form-action 'self'", `form-action 'self' ${target}`));
    const data = {
      request,
      account: user.username,
      box: box.hostname,
      device: cleanLabel(request.hostname),
      ip: ctx.ip,
    };
    showPage(deps, ctx, 'cli-confirm', { title: 'Sign in this computer?' }, data);
  }

  /** Sends the browser to the program that waits, whose address has been checked. */
  function answer(ctx: Context, status: number, to: ReturnAddress, what: { code: string } | CodeRefusal): void {
    ctx.status = status;
    ctx.set('Cache-Control', 'no-store');
    ctx.set('Referrer-Policy', 'no-referrer');
    ctx.redirect(buildReturnUrl(to, deps.config.BASE_URL, what));
  }
  return router;
}
