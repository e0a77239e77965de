import type { Middleware } from 'koa';
import { SpoqError } from '../../contract/errors.ts';
import { toProblem } from '../../contract/problem.ts';
import type { Deps } from '../deps.ts';
import { renderProblemPage } from '../pages/problem-page.ts';

/** Koa's and its parsers' own errors, by status. */
const BY_STATUS = {
  400: 'invalid_request',
  404: 'not_found',
  405: 'method_not_allowed',
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
      if (ctx.status !== 404 || ctx.body !== undefined) return;
      error = new SpoqError('not_found', { detail: 'There is nothing at this address.' });
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
      ctx.body = renderProblemPage(deps.pages, problem);
    } else {
      ctx.type = 'application/problem+json';
      ctx.body = JSON.stringify(problem);
    }
  };
}

function toSpoqError(thrown: unknown): SpoqError {
  if (thrown instanceof SpoqError) return thrown;
  const status = (thrown as { status?: unknown } | null)?.status;
  const code =
    typeof status === 'number' && status in BY_STATUS ? BY_STATUS[status as keyof typeof BY_STATUS] : 'internal';
  return new SpoqError(code, { cause: thrown });
}
