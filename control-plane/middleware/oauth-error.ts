import type { Middleware } from 'koa';
import type { OAuthError } from '../../contract/auth.ts';
import type { SpoqError } from '../../contract/errors.ts';
import type { Deps } from '../deps.ts';
import { OAuthFailure } from '../oauth-failure.ts';
import { toSpoqError } from './problem.ts';

/** OAuth endpoints answer `{error, error_description}` instead of a problem document, and nothing of theirs is ever cached. */
export function createOAuthErrorMiddleware(deps: Pick<Deps, 'log'>): Middleware {
  return async (ctx, next) => {
    ctx.set('Cache-Control', 'no-store');
    ctx.set('Pragma', 'no-cache');
    try {
      await next();
    } catch (thrown) {
      const { status, code, description, retryAfterSeconds } = describe(thrown);
      if (status >= 500) deps.log.error({ err: thrown }, 'an OAuth endpoint failed');
      ctx.status = status;
      // RFC 6749 §5.2: who tried by this header is told so in kind.
      if (code === 'invalid_client' && ctx.get('Authorization') !== '') {
        ctx.status = 401;
        ctx.set('WWW-Authenticate', 'Basic realm="spoq"');
      }
      if (retryAfterSeconds !== undefined) ctx.set('Retry-After', String(retryAfterSeconds));
      ctx.body = { error: code, error_description: description } satisfies OAuthError;
    }
  };
}

interface Description {
  status: number;
  code: OAuthError['error'];
  description: string;
  retryAfterSeconds?: number | undefined;
}

function describe(thrown: unknown): Description {
  if (thrown instanceof OAuthFailure) return { status: 400, code: thrown.code, description: thrown.message };
  const error = toSpoqError(thrown);
  const { retryAfterSeconds } = error;
  if (error.code === 'too_many_requests' || error.code === 'not_ready')
    return { status: error.status, code: 'temporarily_unavailable', description: error.message, retryAfterSeconds };
  if (error.code === 'request_timeout')
    return { status: error.status, code: 'invalid_request', description: error.message };
  if (error.status < 500) return { status: 400, code: 'invalid_request', description: describeFaults(error) };
  return { status: 500, code: 'server_error', description: error.title };
}

/** RFC 6749 §5.2 leaves quotes, backslashes and anything beyond ASCII out of descriptions. */
function describeFaults(error: SpoqError): string {
  const faults = error.faults.map((fault) => `${fault.field}: ${fault.message}`).join('; ');
  return (faults === '' ? error.message : faults).replaceAll(/["\\]/g, "'").replaceAll(/[^\x20-\x7e]/g, ' ');
}
