import type { Context, Middleware } from 'koa';
import { SpoqError } from '../../contract/errors.ts';
import { toProblem } from '../../contract/problem.ts';
import { isDatabaseDown } from '../db/is-database-down.ts';
import type { Deps } from '../deps.ts';
import { renderProblemPage, type WayOut } from '../pages/problem-page.ts';

/** Koa's and its parsers' own errors, by status. */
const BY_STATUS = {
  400: 'invalid_request',
  404: 'not_found',
  405: 'method_not_allowed',
  408: 'request_timeout',
  413: 'body_too_large',
  415: 'unsupported_media_type',
} as const;

/**
 * The only place that writes errors: `application/problem+json` (RFC 9457), or a page where a person is looking.
 * Expected failures say what happened; anything else is logged whole and answers a fixed text.
 */
export function createProblemMiddleware(deps: Pick<Deps, 'log' | 'pages'>): Middleware {
  return async (ctx, next) => {
    let error: SpoqError;
    try {
      await next();
      const unanswered = ctx.body === undefined || ctx.body === null;
      if (unanswered && ctx.status === 404)
        error = new SpoqError('not_found', { detail: 'There is nothing at this address.' });
      // The routers have named what is allowed in `Allow`.
      else if (unanswered && (ctx.status === 405 || ctx.status === 501)) error = new SpoqError('method_not_allowed');
      else return;
    } catch (thrown) {
      error = toSpoqError(thrown);
      if (error.code === 'internal') deps.log.error({ err: thrown }, 'unexpected error');
      else if (error.status >= 500) deps.log.warn({ err: thrown }, error.message);
    }
    const problem = toProblem(error, String(ctx.state['requestId']));
    ctx.status = error.status;
    if (error.retryAfterSeconds !== undefined) ctx.set('Retry-After', String(error.retryAfterSeconds));
    ctx.set('Cache-Control', 'no-store');
    ctx.vary('Accept');
    if (ctx.accepts(['json', 'html']) === 'html') {
      ctx.type = 'html';
      ctx.body = renderProblemPage(deps.pages, problem, getWayOut(ctx, error));
    } else {
      ctx.type = 'application/problem+json';
      ctx.body = JSON.stringify(problem);
    }
  };
}

/** Where the page of a failure leads besides the start. Set it before something can fail: `ctx.state['wayOut'] = {href, label}`. */
function getWayOut(ctx: Context, error: SpoqError): WayOut | undefined {
  const given = ctx.state['wayOut'] as WayOut | undefined;
  if (given !== undefined || error.code !== 'not_signed_in') return given;
  return { href: '/auth/github', label: 'Sign in with GitHub' };
}

/** What was thrown as an expected failure: Koa's and its parsers' errors by status, a lost database as `not_ready`, else `internal`. */
export function toSpoqError(thrown: unknown): SpoqError {
  if (thrown instanceof SpoqError) return thrown;
  if (isDatabaseDown(thrown))
    return new SpoqError('not_ready', {
      detail: 'The database does not answer. Nothing was changed.',
      retryAfterSeconds: 5,
      cause: thrown,
    });
  const { status, expose } = (thrown ?? {}) as { status?: unknown; expose?: unknown };
  if (typeof status !== 'number' || expose !== true) return new SpoqError('internal', { cause: thrown });
  const code = status in BY_STATUS ? BY_STATUS[status as keyof typeof BY_STATUS] : 'invalid_request';
  return new SpoqError(code, { cause: thrown });
}
